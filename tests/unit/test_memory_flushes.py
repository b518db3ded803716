"""What each event takes out, row by row of the processors' manuals, in both forms."""

import numpy as np
import pytest

from virtperf.errors import ParameterError
from virtperf.mechanism.memory import (
    Context,
    Hardware,
    Mapping,
    PageSize,
    Region,
    Tag,
    TlbGeometry,
    structure,
)
from virtperf.mechanism.memory import flushes as rules
from virtperf.mechanism.memory.geometry import INTEL
from virtperf.mmu import Mmu

TLB = TlbGeometry(levels=((structure("FA64"),),))
PAGE, OTHER, GLOBAL = 0x1000, 0x4000_0000, 0x80_0000_0000
KERNEL = Region(start=GLOBAL, end=GLOBAL + 0x1000, is_global=True)
NESTED_KERNEL = Region(start=GLOBAL, end=GLOBAL + 0x1000, host=PageSize.K4, is_global=True)
PLACES = (PAGE, OTHER, GLOBAL)


def context(vpid, pcid, root):
    host = None if root is None else PageSize.K4
    kernel = KERNEL if root is None else NESTED_KERNEL
    return Context(
        tag=Tag(vpid, pcid, root),
        space=pcid + 10 * vpid,
        mapping=Mapping(host=host, regions=(kernel,)),
    )


WHO = {
    "host 1": context(0, 1, None),
    "host 2": context(0, 2, None),
    "vm 1.1": context(1, 1, 7),
    "vm 1.2": context(1, 2, 7),
    "vm 2.1": context(2, 1, 8),
    "untagged": context(0, 1, 9),
}
ALL = {(who, place) for who in WHO for place in ("page", "other", "global")}
NAMES = dict(zip(PLACES, ("page", "other", "global"), strict=True))


class Both:
    """The plain and the compiled form, which have to agree."""

    def __init__(self):
        self.plain, self.fast = Hardware(TLB, INTEL), Mmu(TLB, INTEL)

    def access(self, place, who):
        found = self.plain.access(place, who)
        got = self.fast.run(np.array([place], np.uint64), who, trace=True)
        assert (got.level[0], got.guest[0], got.host[0]) == found[:3]
        return found


def gone(flush):
    """Return which pages of which contexts have to be walked for after a flush."""
    missing = set()
    for who, one in WHO.items():
        for place in PLACES:
            both = Both()
            for other in WHO.values():
                for address in PLACES:
                    both.access(address, other)
            both.plain.flush(flush)
            both.fast.flush(flush)
            if both.access(place, one).level == 1:
                missing.add((who, NAMES[place]))
    return missing


def every(*who, but=()):
    return {(one, place) for one in who for place in ("page", "other", "global")} - {
        (one, place) for one in who for place in but
    }


HERE = WHO["vm 1.1"].tag
HOST = WHO["host 1"].tag
EVENTS = {
    # INVLPG: the page in the current PCID, and global ones; whatever the root
    "invlpg": (rules.invlpg(HERE, PAGE), {("vm 1.1", "page")}),
    "invlpg of a global page": (
        rules.invlpg(HERE, GLOBAL),
        {("vm 1.1", "global"), ("vm 1.2", "global")},
    ),
    "invlpg of the host": (
        rules.invlpg(HOST, PAGE),
        {("host 1", "page"), ("untagged", "page")},
    ),
    "cr3 without pcids": (
        rules.mov_cr3(HERE, pcids=False),
        every("vm 1.1", "vm 1.2", but=["global"]),
    ),
    "cr3 with pcids": (
        rules.mov_cr3(HERE, pcids=True, new_pcid=2),
        every("vm 1.2", but=["global"]),
    ),
    "cr3 with bit 63": (rules.mov_cr3(HERE, pcids=True, new_pcid=2, keep=True), set()),
    "cr4": (rules.mov_cr4(HERE), every("vm 1.1", "vm 1.2")),
    "invpcid 0": (rules.invpcid(HERE, 0, pcid=2, address=PAGE), {("vm 1.2", "page")}),
    "invpcid 1": (rules.invpcid(HERE, 1, pcid=2), every("vm 1.2", but=["global"])),
    "invpcid 2": (rules.invpcid(HERE, 2), every("vm 1.1", "vm 1.2")),
    "invpcid 3": (rules.invpcid(HERE, 3), every("vm 1.1", "vm 1.2", but=["global"])),
    "entry without vpids": (
        rules.vm_transition(vpids=False),
        every("host 1", "host 2", "untagged"),
    ),
    "entry with vpids": (rules.vm_transition(vpids=True), set()),
    "invvpid 0": (
        rules.invvpid(0, vpid=1, address=PAGE),
        {("vm 1.1", "page"), ("vm 1.2", "page")},
    ),
    "invvpid 1": (rules.invvpid(1, vpid=1), every("vm 1.1", "vm 1.2")),
    "invvpid 2": (rules.invvpid(2), every("vm 1.1", "vm 1.2", "vm 2.1")),
    "invvpid 3": (rules.invvpid(3, vpid=1), every("vm 1.1", "vm 1.2", but=["global"])),
    "invept 1": (rules.invept(1, root=7), every("vm 1.1", "vm 1.2")),
    "invept 2": (rules.invept(2), every("vm 1.1", "vm 1.2", "vm 2.1", "untagged")),
    "ept violation": (rules.ept_violation(HERE, PAGE, PAGE), {("vm 1.1", "page")}),
    "vmrun 0": (rules.vmrun(0, HERE), set()),
    "vmrun 1": (rules.vmrun(1, HERE), ALL),
    "vmrun 3": (rules.vmrun(3, HERE), every("vm 1.1", "vm 1.2")),
    "vmrun 7": (rules.vmrun(7, HERE), every("vm 1.1", "vm 1.2", but=["global"])),
}


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_takes_out_as_much_as_it_must_and_no_more(event):
    flush, expected = EVENTS[event]
    assert gone(flush) == expected


def reads_after(flush, place=PAGE + 0x1000, who="vm 1.1"):
    """Return the reads of a walk beside a page that was there before the flush."""
    both = Both()
    both.access(PAGE, WHO[who])
    both.plain.flush(flush)
    both.fast.flush(flush)
    found = both.access(place, WHO[who])
    return found.guest, found.host


def test_invlpg_takes_all_paging_structures_of_the_pcid_whatever_the_address():
    assert reads_after(rules.NOTHING) == (1, 1)
    guest, host = reads_after(rules.invlpg(HERE, OTHER))
    assert guest == 4
    assert host == 1  # guest-physical entries stay: tables of the guest, and prefixes of the host


def test_guest_physical_entries_survive_a_transition_without_vpids():
    flush = rules.vm_transition(vpids=False)
    assert reads_after(flush, who="untagged") == (4, 1)
    assert reads_after(rules.invept(1, root=9), who="untagged")[1] > 1


def test_an_ept_violation_takes_what_was_used_for_the_guest_page():
    # the page beside it needs prefixes of the host that lead to both
    assert reads_after(rules.ept_violation(HERE, PAGE, PAGE)) == (1, 4)
    assert reads_after(rules.ept_violation(HERE, PAGE, 1 << 40)) == (1, 1)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: rules.invpcid(HERE, 4), "INVPCID.kind must be 0, 1, 2 or 3, got 4"),
        (lambda: rules.invvpid(5, vpid=1), "INVVPID.kind must be 0, 1, 2 or 3, got 5"),
        (lambda: rules.invvpid(1), "INVVPID.vpid must be another than 0"),
        (lambda: rules.invept(0), "INVEPT.kind must be 1 or 2, got 0"),
        (lambda: rules.vmrun(2, HERE), "VMRUN.tlb_control must be one of 0, 1, 3, 7, got 2"),
        (lambda: rules.vmrun(3, HERE, by_asid=False), "must be one of 0, 1, got 3"),
    ],
)
def test_what_no_processor_has_is_refused(made, says):
    with pytest.raises(ParameterError, match=says):
        made()
