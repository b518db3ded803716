"""What paging techniques do in the cases of their claims: traces, first touches, forks, tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from virtperf.validation.claim import Estimate

if TYPE_CHECKING:
    from virtperf.mechanism.memory.paging import Paging
    from virtperf.mechanism.memory.paging_counts import PagingCounts
    from virtperf.mechanism.memory.pmap import PMap
    from virtperf.mechanism.memory.process_image import Bound
    from virtperf.validation.given import Given

TRACE = "A: 1r 2r 1w 1w 3w 5r | B: 1r 2w | A: 1w 2r 3r 3w 5w"
"""What two processes read and write; a bar is a switch. Pages 1 to 4 are mapped in both and clean,
page 5 the guest maps when it faults."""
P4, XEN, IMAGE = "p4-vmware-2006", "xen-2003", "lat-proc-2003"
FRAMES = 4096
XEN_2003_UPDATES = 2048  # entries of the update queue of its ports


def backed() -> PMap:
    """Return a host's map of a VM whose frames it has all given."""
    from virtperf.mechanism.memory.pmap import PMap

    pmap = PMap(FRAMES)
    pmap.populate(0, FRAMES)
    return pmap


# -- TLB emulation ----------------------------------------------------------------------------


def traced(technique: str, what: str, given: Given) -> Estimate:
    """Return a count of the trace under TLB emulation, or shadow tables per process."""
    from virtperf.mechanism.memory.address_space import AddressSpace
    from virtperf.mechanism.memory.shadow import ShadowPaging
    from virtperf.mechanism.memory.tlb_emulation import TlbEmulation

    vm: Any = {"emulated": TlbEmulation, "shadow": ShadowPaging}[technique](backed())
    mapped, frame = given.count("tlb-emulation.mapped"), FRAMES // 2
    spaces = {name: AddressSpace(name) for name in "AB"}
    for number, space in enumerate(spaces.values()):
        vm.map(space, page=1, frame=number * mapped, count=mapped)
    for turn in TRACE.split("|"):
        name, accesses = turn.split(":")
        space = spaces[name.strip()]
        vm.switch_to(space)
        for one in accesses.split():
            page, write = int(one[:-1]), one[-1] == "w"
            while not vm.access(space, page, write=write):
                vm.map(space, page=page, frame=frame)
    return Estimate(getattr(vm.counts, what))


# -- demand faults ----------------------------------------------------------------------------


def _touches(vm: Paging, given: Given, *, sync: bool = False) -> PagingCounts:
    """Return what happens as a process touches page after page for the first time.

    The last-level table is in use before. With `sync`, the base pointer is loaded now and then,
    and brings it in sync.
    """
    from virtperf.mechanism.memory.address_space import AddressSpace
    from virtperf.mechanism.memory.page_table import ACCESSED, DIRTY, WRITABLE
    from virtperf.mechanism.memory.paging_counts import PagingCounts

    space, flags = AddressSpace("A"), WRITABLE | ACCESSED | DIRTY
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, flags=flags)
    vm.access(space, 0)
    before = vm.counts - PagingCounts()
    for number in range(given.count("demand.faults")):
        if sync and number % given.count("demand.interval") == 0:
            vm.switch_to(space)
        page = number + 1
        while not vm.access(space, page, write=True):
            vm.map(space, page=page, frame=page, flags=flags)
    return vm.counts - before


def shadow_exits(options: dict[str, Any], given: Given) -> Estimate:
    """Return exits per first touch under shadow tables, loads of the base pointer left out."""
    from virtperf.mechanism.memory.shadow import ShadowPaging

    vm = ShadowPaging(backed(), **options)
    counts = _touches(vm, given, sync="out_of_sync" in options)
    exits = counts.true_faults - counts.bypassed_faults
    exits += counts.trapped_writes + counts.hidden_faults
    return Estimate(exits / given.count("demand.faults"))


def direct_exits(given: Given) -> Estimate:
    """Return transitions per first touch of a ported guest: bounced faults and hypercalls."""
    from virtperf.mechanism.memory.direct import DirectPaging

    counts = _touches(DirectPaging(backed()), given)
    return Estimate((counts.true_faults + counts.hypercalls) / given.count("demand.faults"))


# -- fork, and a mapping that is touched --------------------------------------------------------


def forked_2003(given: Given, what: str, bound: Bound = "value") -> PagingCounts:
    """Return what a port of 2003 does for a ``fork``, or for a ``mmap`` that is touched."""
    from virtperf.mechanism.memory.direct import DirectPaging
    from virtperf.mechanism.memory.frames import FramePool
    from virtperf.mechanism.memory.guest import Guest
    from virtperf.mechanism.memory.process_image import FileMapping, ProcessImage
    from virtperf.mechanism.memory.process_life import Process
    from virtperf.mechanism.multicall import MulticallQueue

    queue = MulticallQueue(XEN_2003_UPDATES, XEN_2003_UPDATES * 16 + 1)
    vm, image = DirectPaging(backed(), pins="kept", queue=queue), given.image(IMAGE)
    # XenoLinux 2.4.21 invalidates one page alone, and everything for more. Its fork looks which
    # entries are writable (asm-xeno/pgtable.h, ptep_set_wrprotect), for a write is a request.
    # Hardware walks the kernel's tables, which all processes share: nothing is filled in.
    guest = Guest(vm, FramePool(FRAMES), flush_ceiling=1, flushes_areas=True)
    process = Process(guest, replace(ProcessImage.of(image, bound), kernel_pages=0))
    if what == "mmap":
        return process.map_and_touch(FileMapping.of(image, bound))
    process.fork_and_wait()  # the first one still finds pages that nobody shares
    return process.fork_and_wait()


def updates(what: str, given: Given) -> Estimate:
    """Return the table entries that Xen is asked to write."""
    return Estimate(forked_2003(given, what).hypercall_updates)


def slower_2003(what: str, given: Given, bound: Bound = "value") -> Estimate:
    """Return by how much that is slower under Xen, in ns: bounced faults, hypercalls, updates."""
    counts = forked_2003(given, what, bound)
    requests = counts.hypercall_updates + counts.hypercall_operations
    more = requests - counts.hypercalls  # the first of a hypercall is in its cost
    ns = counts.hypercalls * given[f"{XEN}.hypercall"] + more * given[f"{XEN}.pt_update"]
    return Estimate((ns + counts.true_faults * given[f"{XEN}.trap_reflect"]) * 1e3)


def forked_in_shadow(given: Given, bound: Bound = "value", **options: Any) -> Any:
    """Return the transitions of one fork, exit and wait under shadow tables, without any batch.

    Every write of a shadowed table is traced: that a table is dropped when it is written often is
    KVM's way, not known of others.
    """
    from virtperf.mechanism.memory.frames import FramePool
    from virtperf.mechanism.memory.guest import Guest
    from virtperf.mechanism.memory.process_image import ProcessImage
    from virtperf.mechanism.memory.process_life import Process
    from virtperf.mechanism.memory.shadow import ShadowPaging

    vm = ShadowPaging(backed(), **{"flood_writes": None, **options})
    guest = Guest(vm, FramePool(FRAMES), flush_ceiling=1, rewrites=True, flushes_areas=True)
    process = Process(guest, ProcessImage.of(given.image(IMAGE), bound))
    process.fork_and_wait()
    before = vm.transitions()
    process.fork_and_wait()
    return {key: times - before.get(key, 0) for key, times in vm.transitions().items()}


def exits_of(transitions: Any) -> int:
    """Return the exits among transitions, a traced write as one; a fault handed on is none."""
    return sum(times for (name, _), times in transitions.items() if name != "reflect")


def forkwait_exits(given: Given) -> Estimate:
    """Return the exits of one fork, exit and wait."""
    return Estimate(exits_of(forked_in_shadow(given)))


def forkwait(given: Given) -> Estimate:
    """Return what they cost with the VT-x of 2006, in ns."""
    return Estimate(given.crossings(P4, "hardware", forked_in_shadow(given)))


def without_exit(given: Given) -> Estimate:
    """Return the first touches without an exit, under nested tables that know every frame."""
    from virtperf.mechanism.memory.address_space import AddressSpace
    from virtperf.mechanism.memory.nested_paging import NestedPaging

    vm, other = NestedPaging(backed()), AddressSpace("other")
    vm.switch_to(other)
    vm.map(other, page=0, frame=0, count=FRAMES)
    vm.sweep(other, 0, FRAMES)
    return Estimate(given.count("demand.faults") - _touches(vm, given).violations)


# -- nested tables ------------------------------------------------------------------------------


def population(level: int, what: str, given: Given) -> Estimate:
    """Return violations or table bytes after a guest has touched all of its memory once."""
    from virtperf.mechanism.memory.address_space import AddressSpace
    from virtperf.mechanism.memory.nested_paging import NestedPaging
    from virtperf.mechanism.memory.pmap import PMap

    frames = given.count("population.gib") << 18
    vm, space = NestedPaging(PMap(frames, level=level)), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, count=frames)
    vm.sweep(space, 0, frames, write=True)
    return Estimate(vm.counts.violations if what == "violations" else vm.table.table_bytes)
