"""What each instruction and transition takes out of TLBs and walk caches, as rules on tags."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from virtperf.errors import ParameterError


class Tag(NamedTuple):
    """What translations are told apart by.

    Attributes
    ----------
    vpid : int
        The virtual processor (Intel) or address-space identifier (AMD); 0 outside of VMs, and in
        them if the processor has no such tags or they are off.
    pcid : int or None
        The process context of the guest or native system. None: a global entry, which any has.
    root : int or None
        Which host tables a guest-physical address goes through (EPT root); None if there are none.
    """

    vpid: int = 0
    pcid: int | None = 0
    root: int | None = None


HERE = Tag()
"""The tag of a processor that runs one thing only."""


def _no_tag(_: Tag) -> bool:
    return False


def _no_root(_: int) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """What goes: a rule for each kind of cache.

    Attributes
    ----------
    entries : callable
        Whether TLB entries of a tag go.
    address : int, optional
        Of these, only those whose page has this virtual address.
    structures : callable
        Whether paging-structure cache entries of a tag go, whatever their address.
    nested : callable
        Whether guest-physical entries of a host root go.
    nested_address : int, optional
        Of these, only those of the page with this guest-physical address.
    """

    entries: Callable[[Tag], bool] = _no_tag
    address: int | None = None
    structures: Callable[[Tag], bool] = _no_tag
    nested: Callable[[int], bool] = _no_root
    nested_address: int | None = None


NOTHING = Flush()
EVERYTHING = Flush(entries=lambda tag: True, structures=lambda tag: True, nested=lambda root: True)


def _of(doomed: Callable[[Tag], bool], *, keep_global: bool = False) -> Flush:
    """Return a flush of entries and structures alike."""
    if not keep_global:
        return Flush(entries=doomed, structures=doomed)
    return Flush(
        entries=lambda tag: tag.pcid is not None and doomed(tag),
        structures=doomed,
    )


def invlpg(here: Tag, address: int) -> Flush:
    """INVLPG: the page in the current PCID and if global; all structures of the current PCID.

    Only the current VPID is concerned, but all host roots (SDM 4.10.4.1 and 28.3.3.1).
    """
    return Flush(
        entries=lambda tag: tag.vpid == here.vpid and tag.pcid in (here.pcid, None),
        address=address,
        structures=lambda tag: tag.vpid == here.vpid and tag.pcid == here.pcid,
    )


def mov_cr3(here: Tag, *, pcids: bool, new_pcid: int = 0, keep: bool = False) -> Flush:
    """MOV to CR3: without PCIDs all that is not global, with PCIDs the new one, if bit 63 is 0.

    Parameters
    ----------
    here : Tag
        What is current; its VPID is concerned only.
    pcids : bool
        Whether PCIDs are on (CR4.PCIDE).
    new_pcid : int
        Low bits of what is loaded.
    keep : bool
        Bit 63 of what is loaded.
    """
    if not pcids:
        return _of(lambda tag: tag.vpid == here.vpid, keep_global=True)
    if keep:
        return NOTHING
    return _of(lambda tag: tag.vpid == here.vpid and tag.pcid == new_pcid, keep_global=True)


def mov_cr4(here: Tag) -> Flush:
    """MOV to CR4 that changes PGE, or takes PCIDE away: all PCIDs, global entries too."""
    return _of(lambda tag: tag.vpid == here.vpid)


def invpcid(here: Tag, kind: int, *, pcid: int = 0, address: int = 0) -> Flush:
    """INVPCID 0: an address of a PCID; 1: a PCID; 2: all, global too; 3: all but global ones.

    Raises
    ------
    ParameterError
        If `kind` is none of these.
    """

    def of_pcid(tag: Tag) -> bool:
        return tag.vpid == here.vpid and tag.pcid == pcid

    if kind == 0:
        return Flush(entries=of_pcid, address=address, structures=of_pcid)
    if kind == 1:
        return _of(of_pcid)
    if kind in (2, 3):
        return _of(lambda tag: tag.vpid == here.vpid, keep_global=kind == 3)
    raise ParameterError("INVPCID", "kind", "0, 1, 2 or 3", kind)


def vm_transition(*, vpids: bool) -> Flush:
    """VM entry or exit: without VPIDs all of VPID 0; guest-physical entries survive either way."""
    return NOTHING if vpids else _of(lambda tag: tag.vpid == 0)


def invvpid(kind: int, *, vpid: int = 0, address: int = 0) -> Flush:
    """INVVPID 0: an address of a VPID; 1: a VPID; 2: all but VPID 0; 3: a VPID but global ones.

    Raises
    ------
    ParameterError
        If `kind` is none of these, or `vpid` is 0 where one is named.
    """
    if kind not in (0, 1, 2, 3):
        raise ParameterError("INVVPID", "kind", "0, 1, 2 or 3", kind)
    if kind == 2:
        return _of(lambda tag: tag.vpid != 0)
    if vpid == 0:
        raise ParameterError("INVVPID", "vpid", "another than 0, which is the host's", vpid)

    def of_vpid(tag: Tag) -> bool:
        return tag.vpid == vpid

    if kind == 0:
        return Flush(entries=of_vpid, address=address, structures=of_vpid)
    return _of(of_vpid, keep_global=kind == 3)


def invept(kind: int, *, root: int = 0) -> Flush:
    """INVEPT 1: all that went through a host root, of any VPID; 2: through any root.

    Raises
    ------
    ParameterError
        If `kind` is none of these.
    """
    if kind not in (1, 2):
        raise ParameterError("INVEPT", "kind", "1 or 2", kind)

    def doomed(tag: Tag) -> bool:
        return (tag.root is not None and kind == 2) or tag.root == root

    return Flush(entries=doomed, structures=doomed, nested=lambda one: kind == 2 or one == root)


def ept_violation(here: Tag, address: int, guest_physical: int) -> Flush:
    """EPT violation: the entry of the faulting address, and those used for its guest page.

    So the hypervisor need not flush after it has added the mapping.
    """
    return Flush(
        entries=lambda tag: (
            tag.vpid == here.vpid and tag.root == here.root and tag.pcid in (here.pcid, None)
        ),
        address=address,
        nested=lambda root: root == here.root,
        nested_address=guest_physical,
    )


def vmrun(control: int, here: Tag, *, by_asid: bool = True) -> Flush:
    """AMD's VMRUN with TLB_CONTROL 0: nothing, 1: all, 3: this ASID, 7: this ASID but global ones.

    Parameters
    ----------
    control : int
        The field of the VMCB.
    here : Tag
        What is entered: the ASID is its VPID, and what the nested TLB has of the VM goes with it.
    by_asid : bool
        Whether the processor can flush one ASID (CPUID FlushByAsid); K10 cannot.

    Raises
    ------
    ParameterError
        If `control` is none of these, or asks for one ASID of a part that cannot (`by_asid`).
    """
    allowed = (0, 1, 3, 7) if by_asid else (0, 1)
    if control not in allowed:
        rule = f"one of {', '.join(map(str, allowed))}"
        raise ParameterError("VMRUN", "tlb_control", rule, control)
    if control == 0:
        return NOTHING
    if control == 1:
        return EVERYTHING
    flush = _of(lambda tag: tag.vpid == here.vpid, keep_global=control == 7)
    return Flush(
        entries=flush.entries,
        structures=flush.structures,
        nested=lambda root: root == here.root,
    )
