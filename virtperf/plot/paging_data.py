"""Techniques of memory virtualization in numbers, for figures and tables: faults, and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.direct import DirectPaging
from virtperf.mechanism.memory.frames import FramePool
from virtperf.mechanism.memory.guest import Guest
from virtperf.mechanism.memory.native import NativePaging
from virtperf.mechanism.memory.nested_paging import NestedPaging
from virtperf.mechanism.memory.page_table import TABLE_BYTES
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.paging import Paging
from virtperf.mechanism.memory.paging_counts import PagingCounts
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.shadow import ShadowPaging
from virtperf.mechanism.memory.table_memory import (
    dense_tables,
    kvm_shadow_limit,
    shadow_bytes,
    xen_shadow_bytes,
)
from virtperf.mechanism.memory.tlb_emulation import TlbEmulation


def _calls(counts: PagingCounts) -> int:
    """Return hypercalls without those that load a base pointer."""
    return counts.hypercalls - counts.address_space_loads if counts.hypercalls else 0


TECHNIQUES: Mapping[str, Callable[[PMap], Paging]] = MappingProxyType(
    {
        "native": NativePaging,
        "TLB emulation": TlbEmulation,
        "shadow": lambda pmap: ShadowPaging(pmap, out_of_sync=None),
        "direct": lambda pmap: DirectPaging(pmap, guest="ported"),
        "nested": NestedPaging,
    }
)
"""The techniques as drawn; shadow paging lets leaf tables out of sync, as KVM does since 2008."""
DRAWN = ("TLB emulation", "shadow", "direct", "nested")
KINDS: Mapping[str, Callable[[PagingCounts], int]] = MappingProxyType(
    {
        "true fault": lambda counts: counts.true_faults,
        "hidden fault: missing": lambda counts: counts.hidden_missing,
        "hidden fault: first write": lambda counts: counts.hidden_dirty,
        "write of a protected table": lambda counts: counts.trapped_writes,
        "hypercall about tables": _calls,
        "violation": lambda counts: counts.violations,
    }
)
"""Kinds of faults, and what a ported guest asks for instead, in the order of bars. Loads of CR3
and invalidations are not among them: they leave the guest too, except natively and when nested.
"""
STAYING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"native": tuple(KINDS), "nested": ("true fault",)}
)
"""Kinds that do not leave the guest; under other techniques all do."""
FRAMES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What the guest's processes do: they take turns, and grow.

    Attributes
    ----------
    processes, turns : int
        How many there are, and turns of each.
    hot : int
        Pages that a process reads in each of its turns; every fourth of them it writes too.
    grows : int
        Pages that it uses for the first time in each turn: it writes every second one at once,
        the others it only reads, and writes them in its next turn.
    replaced : int
        Turns after which the first process ends, and a new one takes its place.
    """

    processes: int = 3
    turns: int = 8
    hot: int = 60
    grows: int = 20
    replaced: int = 4

    def __post_init__(self) -> None:
        for field in ("processes", "turns", "hot", "replaced"):
            if getattr(self, field) < 1:
                raise ParameterError("Play", field, "at least 1", getattr(self, field))
        if self.grows < 0:
            raise ParameterError("Play", "grows", "at least 0", self.grows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One turn of a process: who, and how many faults of each of `KINDS`."""

    process: str
    faults: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.faults.values())


def leaving(technique: str, slices: Sequence[Slice]) -> int:
    """Return how many of the faults of some slices left the guest for its hypervisor."""
    stay = STAYING.get(technique, ())
    return sum(n for one in slices for kind, n in one.faults.items() if kind not in stay)


def faults(techniques: Sequence[str] = DRAWN, play: Play | None = None) -> dict[str, list[Slice]]:
    """Return what happens in each turn of processes that take turns, by technique.

    Parameters
    ----------
    techniques : sequence of str
        Of `TECHNIQUES`.
    play : Play, optional
        What the processes do: the same under each technique.

    Raises
    ------
    ParameterError
        If there is no such technique.
    """
    for name in techniques:
        if name not in TECHNIQUES:
            raise ParameterError("faults", "techniques", f"of {', '.join(TECHNIQUES)}", name)
    return {name: _played(TECHNIQUES[name](PMap(FRAMES)), play or Play()) for name in techniques}


def _played(paging: Paging, play: Play) -> list[Slice]:
    guest = Guest(paging, FramePool(FRAMES))
    spaces = [_start(guest, play, chr(ord("A") + number)) for number in range(play.processes)]
    ages = [0] * len(spaces)
    slices = []
    for turn in range(play.turns):
        for number in range(len(spaces)):
            before = paging.counts - PagingCounts()
            if number == 0 and turn == play.replaced:
                spaces[0] = _replaced(guest, play, spaces[0])
                ages[0] = 0
            paging.switch_to(spaces[number])
            _turn(guest, spaces[number], play, ages[number])
            ages[number] += 1
            done = paging.counts - before
            counted = {kind: count(done) for kind, count in KINDS.items()}
            slices.append(Slice(process=spaces[number].name, faults=counted))
    return slices


def _start(guest: Guest, play: Play, name: str) -> AddressSpace:
    space = AddressSpace(name)
    guest.add_area(space, 0, play.hot + max(1, play.grows) * play.turns)
    return space


def _replaced(guest: Guest, play: Play, old: AddressSpace) -> AddressSpace:
    """End a process while it is loaded, as a kernel does, and start another."""
    new = _start(guest, play, chr(ord("A") + play.processes))
    guest.paging.switch_to(old)
    guest.exit(old, successor=new)
    return new


def _turn(guest: Guest, space: AddressSpace, play: Play, age: int) -> None:
    for page in range(play.hot):
        guest.access(space, page)
    for page in range(0, play.hot, 4):
        guest.access(space, page, write=True)
    first = play.hot + age * play.grows
    for page in range(first - play.grows + 1 if age else first, first, 2):
        guest.access(space, page, write=True)
    for page in range(first, first + play.grows):
        guest.access(space, page, write=(page - first) % 2 == 0)


GIB = 1 << 30
MEMORY = tuple(GIB << doubling for doubling in range(11))
SHARERS = (1, 16)


def tables(
    memory: Sequence[int] = MEMORY, sharers: Sequence[int] = SHARERS
) -> dict[str, list[tuple[int, int]]]:
    """Return the memory of the hypervisor's tables over the memory of a guest that uses all of it.

    Parameters
    ----------
    memory : sequence of int
        Bytes of the guest, multiples of 1 GiB.
    sharers : sequence of int
        Processes that map all of it: each has shadow tables of its own, whatever they share.

    Returns
    -------
    dict of str to list of (int, int)
        By technique: (bytes of the guest, bytes of tables). Native, TLB emulation and direct
        tables are not there: natively and with direct tables there are none besides the guest's
        own; the one table of TLB emulation is no larger than the shadow of one process.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for number in sharers:
        name = f"shadow, {number} process{'es' if number > 1 else ''}"
        each = [shadow_bytes([dense_tables(size)] * number) for size in memory]
        found[name] = list(zip(memory, each, strict=True))
    for page in PageSize:
        each = [dense_tables(size, page.level) * TABLE_BYTES for size in memory]
        found[f"nested, {page.label}"] = list(zip(memory, each, strict=True))
    return found


def bounds(memory: Sequence[int] = MEMORY, vcpus: int = 4) -> dict[str, list[tuple[int, int]]]:
    """Return what KVM and Xen let shadow tables take, in bytes, over the guest's memory."""
    kvm = [shadow_bytes([kvm_shadow_limit(size >> 12)]) for size in memory]
    xen = [xen_shadow_bytes(size, vcpus) for size in memory]
    return {
        "KVM's bound": list(zip(memory, kvm, strict=True)),
        "Xen's pool": list(zip(memory, xen, strict=True)),
    }
