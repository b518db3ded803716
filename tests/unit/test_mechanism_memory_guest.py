"""Demand paging, two levels of it, ballooning, fork: small cases, every event by hand."""

from dataclasses import replace

import pytest

from virtperf import catalog
from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.balloon import Balloon
from virtperf.mechanism.memory.direct import DirectPaging
from virtperf.mechanism.memory.frames import FramePool
from virtperf.mechanism.memory.guest import Guest
from virtperf.mechanism.memory.native import NativePaging
from virtperf.mechanism.memory.nested_paging import NestedPaging
from virtperf.mechanism.memory.page_table import ACCESSED, DIRTY, WRITABLE
from virtperf.mechanism.memory.paging_counts import FaultCounts, PagingCounts, added
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.process_image import FileMapping, ProcessImage
from virtperf.mechanism.memory.process_life import Process
from virtperf.mechanism.memory.shadow import ShadowPaging
from virtperf.mechanism.memory.tlb_emulation import TlbEmulation
from virtperf.mechanism.multicall import MulticallQueue

FILLED = WRITABLE | ACCESSED | DIRTY
TECHNIQUES = (NativePaging, TlbEmulation, ShadowPaging, NestedPaging, DirectPaging)


def backed():
    pmap = PMap(64)
    pmap.populate(0, 64)
    return pmap


def started(paging, frames=64, pages=100, **options):
    guest, space = Guest(paging, FramePool(frames), **options), AddressSpace("A")
    guest.add_area(space, page=0, count=pages)
    paging.switch_to(space)
    return guest, space


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_the_guests_own_faults_are_the_same_under_every_technique(technique):
    """LRU of 6: 0-5 come, 6 takes the place of 0 (written), 1 stays by use, 0 comes back."""
    guest, space = started(technique(PMap(64)), resident=6)
    for page in (0, 1, 2, 3, 4, 5):
        assert guest.access(space, page, write=page < 3)
    for page in (6, 1, 0, 3):
        assert guest.access(space, page)
    # 6 evicts 0 (to the disk), 0 evicts 2 (to the disk), 3 is still there
    assert guest.counts == FaultCounts(minor=7, major=1, page_outs=2)
    assert guest.paging.counts.true_faults == 8
    assert guest.access(space, 2)
    assert guest.counts.discarded == 1  # 4, which was only read, goes without a write
    assert guest.counts.major == 2


def test_a_clock_clears_flags_which_a_shadow_has_to_notice():
    """Six pages used, the hand clears all six and takes the first; each clearing is a write."""
    vm = ShadowPaging(PMap(64), flood_writes=None)
    guest, space = started(vm, resident=6, policy="clock")
    for page in range(6):
        guest.access(space, page)
    before = vm.counts.trapped_writes
    guest.access(space, 6)
    assert guest.resident.hand_moves == 6
    assert vm.counts.trapped_writes - before == 6 + 1 + 1  # the flags, the victim, the newcomer
    assert space.table.lookup(0) is None
    hidden = vm.counts.hidden_missing
    guest.access(space, 1)
    assert vm.counts.hidden_missing == hidden + 1, "its shadow went with its flag"
    guest.access(space, 7)
    assert space.table.lookup(1) is not None, "used since the hand came by"
    assert space.table.lookup(2) is None


def test_a_page_the_host_has_paged_out_is_read_back_only_to_be_paged_out_by_the_guest():
    """The host keeps 6 frames, the guest 8 pages: both by LRU, so the guest's victim is gone."""
    pmap = PMap(64, resident=6)
    guest, space = started(NestedPaging(pmap), resident=8)
    for page in range(8):
        guest.access(space, page, write=True)
    assert (pmap.counts.page_outs, guest.counts.page_outs) == (2, 0)
    assert pmap.paged_out_frames == 2
    guest.access(space, 8, write=True)  # the guest evicts page 0, whose frame is on the host's disk
    counts = guest.paging.counts
    assert counts.double_pagings == 1
    assert (counts.host_minor, counts.host_major) == (8, 1)
    assert guest.counts.page_outs == 1


@pytest.mark.parametrize("technique", [TlbEmulation, ShadowPaging, NestedPaging])
def test_a_frame_the_host_took_is_a_host_fault_when_it_is_next_used(technique):
    pmap = PMap(64, resident=6)
    vm, space = technique(pmap), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, count=7)
    for page in range(7):
        vm.access(space, page, write=True)
    before = vm.counts - PagingCounts()
    assert vm.access(space, 0)
    since = vm.counts - before
    assert (since.host_major, since.host_minor, since.true_faults) == (1, 0, 0)
    nested = technique is NestedPaging
    assert (since.violations, since.hidden_faults) == ((1, 0) if nested else (0, 1))
    assert since.host_invalidations == 1  # of the frame that had to go for it


def test_a_balloon_breaks_large_host_pages_and_each_use_after_it_is_a_violation():
    pmap = PMap(2048, level=2)
    guest, space = started(NestedPaging(pmap), frames=2048, pages=2048)
    vm = guest.paging
    for page in range(600):
        guest.access(space, page, write=True)
    assert (vm.counts.violations, pmap.backed_frames) == (2, 1024)
    balloon = Balloon(guest)
    assert balloon.inflate(100) == 100  # frames 600 to 699, in the second host page
    assert (len(balloon), pmap.backed_frames) == (100, 924)
    assert vm.table.lookup(0).level == 2 and vm.table.lookup(599) is None
    guest.access(space, 599)
    assert (vm.counts.violations, vm.counts.host_minor) == (3, 2), "it stayed backed, by 4 KiB"
    balloon.deflate(100)
    for page in range(600, 700):
        guest.access(space, page)
    assert (vm.counts.violations, vm.counts.host_minor) == (103, 102)
    assert vm.table.lookup(650).level == 1


def test_a_host_without_large_pages_left_pieces_one_together():
    """Two VMs on one machine: the first left a hole of 100 frames, and 412 more lie elsewhere."""
    machine = FramePool(1024)
    first, second = PMap(1024, machine=machine, level=2), PMap(512, machine=machine, level=2)
    first.populate(0, 1024)
    first.release(100, 100)
    first.release(600, 412)
    vm, space = NestedPaging(second), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, count=512)
    assert vm.sweep(space, 0, 512) == 512
    assert second.back(0).level == 1
    assert (vm.counts.violations, vm.counts.host_minor) == (512, 1)
    assert {vm.translate(space, page) for page in range(512)} == {
        *range(100, 200),
        *range(600, 1012),
    }
    with pytest.raises(ParameterError, match=r"PMap\.machine must be large enough"):
        first.back(100)


def test_a_balloon_makes_the_guest_page_out_what_the_host_need_not():
    guest, space = started(NestedPaging(PMap(64)), frames=10, resident=10)
    for page in range(10):
        guest.access(space, page, write=page % 2 == 0)
    balloon = Balloon(guest)
    balloon.inflate(3)
    assert (guest.counts.page_outs, guest.counts.discarded) == (2, 1)
    assert guest.paging.counts.double_pagings == 0
    with pytest.raises(ParameterError, match=r"guest\.count must be at most the 7 frames"):
        balloon.inflate(8)
    with pytest.raises(ParameterError, match=r"balloon\.frames must be 1 to the 3 it holds"):
        balloon.deflate(4)


def test_what_no_area_allows_the_process_may_not():
    guest, space = started(NestedPaging(PMap(64)))
    guest.add_area(space, page=200, count=1, writable=False)
    assert not guest.access(space, 100)
    assert guest.access(space, 200) and not guest.access(space, 200, write=True)
    with pytest.raises(ParameterError, match="page must be in no area yet"):
        guest.add_area(space, page=99, count=2)


def test_unmapping_frees_frames_and_tables():
    guest, space = started(NativePaging(PMap(64)))
    for page in range(40):
        guest.access(space, page)
    assert guest.frames.free == 24
    assert guest.remove_area(space, 0, 100) == 40
    assert guest.frames.free == 64
    assert space.table.tables == {1: 0, 2: 0, 3: 0, 4: 1}
    assert guest.paging.counts.invalidations == 0, "more than 33: all at once"
    assert guest.paging.counts.address_space_loads == 2
    assert not guest.access(space, 0)


IMAGE = ProcessImage(
    read_only_pages=10,
    writable_pages=6,
    regions=2,
    child_reads=3,
    child_writes=2,
    parent_writes=4,
)


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_forking_over_and_over_costs_the_same_and_leaks_nothing(technique):
    pmap = PMap(256)
    pmap.populate(0, 256)
    guest = Guest(technique(pmap), FramePool(256))
    process = Process(guest, IMAGE)
    process.fork_and_wait()
    free, copied = guest.frames.free, guest.counts.copied
    second, third = process.fork_and_wait(), process.fork_and_wait()
    assert (second.pte_writes, second.true_faults) == (third.pte_writes, third.true_faults)
    # Copied for the child 16, protected again 4, cleared 16, hooked in and out 2 tables each;
    # the child gets 2 pages of its own, the parent may write 4 again.
    assert second.pte_writes == 16 + 4 + 16 + 2 + 2 + 2 + 4
    assert second.true_faults == 2 + 4
    assert guest.counts.copied - copied == 2 * 2
    assert guest.frames.free == free == 256 - 16


def test_a_ported_guest_asks_for_each_entry_unless_the_table_is_not_pinned_yet():
    calls = {}
    for pins in ("first", "load"):
        pmap = PMap(256)
        queue = MulticallQueue(max_calls=2048, argument_bytes=1 << 15)
        process = Process(Guest(DirectPaging(pmap, pins=pins, queue=queue), FramePool(256)), IMAGE)
        process.fork_and_wait()
        calls[pins] = process.fork_and_wait()
    assert calls["first"].hypercall_updates == calls["first"].pte_writes
    assert calls["load"].hypercall_updates == calls["load"].pte_writes - 16 - 2
    # Copying, 2 faults, clearing, unpinning, 4 faults, and 3 base pointers.
    assert calls["first"].hypercalls == 1 + 2 + 1 + 1 + 4 + 3
    # Here the copy is the parent's protection alone, and the tables are pinned at the first load.
    assert calls["load"].hypercalls == 1 + 1 + 2 + 1 + 1 + 4 + 3
    assert calls["load"].pinned_tables == calls["first"].pinned_tables == 3


def forked_twice(vm, image=IMAGE, frames=512, **habits):
    """Return what the second fork of a process does; the first finds pages nobody shares."""
    vm.pmap.populate(0, frames)
    process = Process(Guest(vm, FramePool(frames), **habits), image)
    process.fork_and_wait()
    return process.fork_and_wait()


def test_a_kernel_that_does_not_look_protects_what_is_protected():
    looks, does_not = (
        forked_twice(ShadowPaging(PMap(512), flood_writes=None), rewrites=rewrites)
        for rewrites in (False, True)
    )
    assert does_not.pte_writes - looks.pte_writes == 6 - 4  # of 6 writable, 4 were written
    assert does_not.trapped_writes - looks.trapped_writes == 6 - 4
    assert does_not.true_faults == looks.true_faults


def test_exit_flushes_after_each_area_and_once_more():
    once, each = (
        forked_twice(NestedPaging(PMap(512)), flushes_areas=flushes) for flushes in (False, True)
    )
    assert each.address_space_loads - once.address_space_loads == 2 * IMAGE.regions + 1


def test_the_kernels_pages_are_filled_into_each_shadow_and_no_entry_is_written_for_them():
    image = replace(IMAGE, kernel_pages=20)
    without, with_them = (
        forked_twice(ShadowPaging(PMap(512), flood_writes=None), one) for one in (IMAGE, image)
    )
    assert with_them.hidden_missing - without.hidden_missing == 20
    assert with_them.pte_writes == without.pte_writes
    assert with_them.trapped_writes == without.trapped_writes
    assert with_them.true_faults == without.true_faults
    assert forked_twice(NestedPaging(PMap(512)), image).violations == 0


def test_tables_that_are_watched_on_trap_the_building_of_the_next_process():
    dropped, watched = (
        forked_twice(ShadowPaging(PMap(512), flood_writes=None, watches_freed=watches))
        for watches in (False, True)
    )
    assert watched.trapped_writes - dropped.trapped_writes == 16 + 2  # entries, tables hooked in
    assert watched.hidden_faults == dropped.hidden_faults
    assert watched.pte_writes == dropped.pte_writes


def test_tables_that_are_kept_pinned_are_not_pinned_again():
    calls = {}
    for pins in ("first", "kept"):
        queue = MulticallQueue(max_calls=2048, argument_bytes=1 << 15)
        calls[pins] = forked_twice(DirectPaging(PMap(512), pins=pins, queue=queue))
    assert calls["kept"].pinned_tables == 0 and calls["first"].pinned_tables == 3
    assert calls["kept"].hypercall_updates == calls["first"].hypercall_updates
    # Two requests to pin and two to unpin each of 3 tables. The root's last two go alone.
    assert calls["first"].hypercall_operations - calls["kept"].hypercall_operations == 3 * 2 * 2
    # Each of the 2 tables that are hooked in has the queue flushed, and the rest goes later.
    assert calls["kept"].hypercalls == calls["first"].hypercalls - 1 + 2


def test_the_shipped_image_and_what_lmbench_maps():
    given = catalog.image("lat-proc-2003")
    assert FileMapping.of(given) == FileMapping(pages=2048, stride=4, touches=52)
    assert FileMapping.of(given, "low") == FileMapping(pages=1024, stride=4, touches=26)
    assert ProcessImage.of(given).pages == 85
    assert ProcessImage.of(given, "low").pages < 85 < ProcessImage.of(given, "high").pages


def test_a_mapping_takes_a_fault_and_an_update_per_touch_and_a_batch_at_its_end():
    queue = MulticallQueue(max_calls=2048, argument_bytes=1 << 15)
    vm = DirectPaging(PMap(512), pins="first", queue=queue)
    process = Process(Guest(vm, FramePool(512), flush_ceiling=1), IMAGE)
    counts = process.map_and_touch(FileMapping(pages=1024, stride=4, touches=26))
    assert counts.true_faults == 26
    assert counts.unbatched_updates == 26
    assert counts.hypercall_updates == 26 + 1 + 26 + 1  # a table is hooked in, and out again
    assert counts.hypercalls == 26 + 1 + 1 + 1  # that takes one more; the unmapping, the flush


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Guest(NativePaging(PMap(64)), FramePool(64), resident=5),
            r"guest\.resident must be at least the 6 pages one instruction may need \(code, "
            r"source and destination, each across the edge of a page\), got 5",
        ),
        (lambda: PMap(64, resident=5), r"host\.resident must be at least the 6 pages"),
        (lambda: PMap(64, resident=9, policy="fifo"), r"host\.policy must be lru or clock"),
        (lambda: PMap(1024, level=2, resident=9), r"PMap\.resident must be left out with host"),
        (lambda: PMap(1000, level=2), r"PMap\.guest_frames must be a positive multiple of the 512"),
        (lambda: PMap(64).back(64), r"PMap\.frame must be below the guest's 64 frames, got 64"),
        (
            lambda: DirectPaging(PMap(64), guest="unmodified"),
            r"direct\.guest must be ported: its own tables hold machine frames, .* 'unmodified'",
        ),
        (lambda: DirectPaging(PMap(64, resident=9)), r"direct\.pmap must be without a limit"),
        (lambda: DirectPaging(PMap(64), pins="late"), r"direct\.pins must be load, first or kept"),
        (lambda: ShadowPaging(PMap(64), max_tables=24), r"shadow\.max_tables must be at least 25"),
        (lambda: ShadowPaging(PMap(64), prefetch=3), r"shadow\.prefetch must be a power of two"),
        (lambda: ShadowPaging(PMap(64), out_of_sync=-1), r"shadow\.out_of_sync must be at least 0"),
        (lambda: ShadowPaging(PMap(64), bypass="all"), r"shadow\.bypass must be none, in-sync or"),
        (lambda: NestedPaging(PMap(64), fault_around=0), r"fault_around must be at least 1"),
        (lambda: AddressSpace("A", levels=6), r"PageTable\.levels must be 2 to 5, got 6"),
        (lambda: FramePool(8).give(3), r"FramePool\.start must be frames that were taken"),
    ],
)
def test_nonsense_is_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()


def test_a_space_is_used_while_it_is_loaded_and_ends_when_it_is_not():
    vm, loaded, other = NestedPaging(PMap(64)), AddressSpace("A"), AddressSpace("B")
    vm.switch_to(loaded)
    with pytest.raises(ParameterError, match=r"must be AddressSpace\('A'\), which is loaded"):
        vm.access(other, 0)
    with pytest.raises(ParameterError, match="switched away from before it ends"):
        vm.exit_space(loaded)


def test_a_ported_guest_maps_only_what_it_owns():
    vm, space = DirectPaging(PMap(64)), AddressSpace("A")
    vm.pmap.release(5)
    vm.map(space, page=0, frame=0, count=5)
    with pytest.raises(ParameterError, match=r"direct\.frame must be frames that the guest owns"):
        vm.map(space, page=5, frame=5)


@pytest.mark.parametrize("accessed_dirty", [True, False])
def test_a_dirty_log_finds_what_was_written_with_violations_or_without(accessed_dirty):
    vm, space = NestedPaging(PMap(1024, level=2), accessed_dirty=accessed_dirty), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, count=1024)
    vm.sweep(space, 0, 600, write=True)
    assert vm.counts.violations == 2
    vm.start_dirty_log()
    for page, write in ((3, True), (3, True), (4, False), (5, True), (700, True)):
        vm.access(space, page, write=write)
    assert vm.take_dirty_log() == [(3, 1), (5, 1), (700, 1)]
    vm.access(space, 3, write=True)
    assert vm.take_dirty_log() == [(3, 1)]
    assert vm.counts.violations == 2 + (0 if accessed_dirty else 4)
    assert vm.table.tables[1] == 2


def test_a_process_that_writes_more_entries_than_anyone_uses_is_no_longer_shadowed():
    vm, space = ShadowPaging(PMap(64)), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, count=20)
    vm.sweep(space, 0, 20)
    tables = vm.counts.tables
    vm.unmap(space, 0, 20)
    assert (vm.counts.trapped_writes, vm.counts.flooded_tables) == (3, 1)
    assert (vm.counts.pte_writes, vm.counts.tables) == (20 + 3 + 20, tables - 1)


def test_neighbours_are_filled_along_if_the_guest_has_used_them():
    vm, space = ShadowPaging(PMap(64), prefetch=8), AddressSpace("A")
    vm.pmap.populate(0, 64)
    vm.map(space, page=0, frame=0, count=32, flags=WRITABLE | ACCESSED)
    vm.map(space, page=32, frame=32, count=16)
    vm.switch_to(space)
    assert vm.sweep(space, 0, 48) == 48
    assert vm.counts.hidden_missing == 32 // 8 + 16
    assert vm.counts.prefetched_entries == 32 - 4


def test_an_old_translation_is_gone_after_a_load_of_the_base_pointer():
    """A table out of sync: the guest may write freely, and must load CR3 before it relies on it."""
    vm, spaces = ShadowPaging(PMap(64), out_of_sync=None), [AddressSpace(n) for n in "AB"]
    for number, space in enumerate(spaces):
        vm.switch_to(space)
        vm.map(space, page=0, frame=10 * number, count=4)
        vm.sweep(space, 0, 4, write=True)
    vm.unmap(spaces[0], 1)
    assert vm.translate(spaces[0], 1) is not None, "as in a real TLB"
    vm.switch_to(spaces[0])
    assert not vm.access(spaces[0], 1)
    assert (vm.counts.resyncs, vm.counts.dropped_entries) == (1, 1)


def test_a_large_guest_page_is_dropped_whole_on_small_host_pages():
    """Its shadow is a table without a guest table behind it, which must go with its parent."""
    for name, drop in (
        ("write", lambda vm, space: vm.unmap(space, 512, 512)),
        ("parent", lambda vm, space: vm._drop_tables(vm._tables.within(space, 2, 0, 1))),
    ):
        vm, space = ShadowPaging(PMap(1024)), AddressSpace(name)
        vm.switch_to(space)
        vm.map(space, page=512, frame=512, count=512, level=2)
        assert vm.sweep(space, 600, 5) == 5
        assert vm.counts.tables == 4
        drop(vm, space)
        assert vm.counts.dropped_entries == 5
        assert all(vm.translate(space, page) is None for page in range(600, 605))
        assert vm._tables.find(space, 1, 600) is None


def test_one_invalidation_drops_every_piece_of_a_large_guest_page():
    vm, space = TlbEmulation(PMap(2048)), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=512, frame=512, count=512, level=2)
    vm.map(space, page=1024, frame=0)
    assert vm.sweep(space, 600, 5) == 5 and vm.access(space, 1024)
    vm.invalidate(space, 512)
    assert (len(vm), vm.counts.dropped_entries) == (1, 5)
    assert vm.translate(space, 1024) == 5, "the sixth frame the host gave"


def test_upper_tables_are_watched_too():
    """A new last-level table is an entry of the table above it, and so is its end."""
    vm, space = ShadowPaging(PMap(64), out_of_sync=None), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0)
    assert vm.counts.trapped_writes == 0, "nothing is shadowed before it is used"
    vm.access(space, 0)
    vm.map(space, page=512, frame=1)
    assert (vm.counts.trapped_writes, vm.counts.unsyncs) == (1, 0)
    vm.map(space, page=1 << 18, frame=2)
    assert vm.counts.trapped_writes == 2, "of three tables, one hangs on a shadowed one"
    vm.access(space, 512)
    assert vm.counts.tables == 5
    vm.unmap(space, 512)
    vm.free_tables(space, 512)
    assert (vm.counts.trapped_writes, vm.counts.unsyncs, vm.counts.zapped_tables) == (4, 1, 1)
    assert vm.counts.tables == 4


def test_what_hangs_on_a_dropped_table_is_linked_again_by_one_hidden_fault():
    vm, space = ShadowPaging(PMap(64)), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, count=8)
    vm.sweep(space, 0, 8)
    vm._drop_tables(vm._tables.within(space, 3, 0, 1))
    assert vm.translate(space, 0) is None
    assert vm.sweep(space, 0, 8) == 8
    assert vm.counts.hidden_missing == 8 + 1


def test_the_table_that_is_out_of_sync_for_longest_comes_back_for_another():
    vm, space = ShadowPaging(PMap(64), out_of_sync=1), AddressSpace("A")
    vm.switch_to(space)
    for page in (0, 512):
        vm.map(space, page, frame=page // 512, flags=FILLED)
        vm.access(space, page)
    vm.unmap(space, 0)
    assert vm.counts.resyncs == 0 and vm.translate(space, 0) == 0
    vm.unmap(space, 512)
    assert (vm.counts.unsyncs, vm.counts.resyncs) == (2, 1)
    assert vm.translate(space, 0) is None and vm.translate(space, 512) == 1


def test_a_cleared_dirty_flag_costs_a_hidden_fault_at_the_next_write():
    for accessed, missing, dirty in ((True, 1, 1), (False, 2, 0)):
        vm, space = ShadowPaging(backed()), AddressSpace("A")
        vm.switch_to(space)
        vm.map(space, page=0, frame=0)
        vm.access(space, 0, write=True)
        vm.change(space, 0, clear=DIRTY if accessed else DIRTY | ACCESSED)
        assert vm.access(space, 0, write=True)
        assert (vm.counts.hidden_missing, vm.counts.hidden_dirty) == (missing, dirty)


def test_transitions_have_the_names_that_paths_use():
    vm, space = ShadowPaging(PMap(64)), AddressSpace("A")
    vm.switch_to(space)
    vm.access(space, 0)
    vm.map(space, page=0, frame=0, count=2)
    vm.sweep(space, 0, 2)
    vm.unmap(space, 1)
    vm.invalidate(space, 1)
    assert vm.transitions() == {
        ("exit", "page-fault"): 1,
        ("reflect", "page-fault"): 1,
        ("exit", "hidden-fault"): 2,
        ("trace", "pte-write"): 1,
        ("exit", "cr3-load"): 1,
        ("exit", "invlpg"): 1,
    }


def test_counts_add_up_and_levels_do_not():
    first = PagingCounts(accesses=3, tables=5, peak_tables=9)
    later = PagingCounts(accesses=4, tables=2, peak_tables=6)
    assert first + later == PagingCounts(accesses=7, tables=2, peak_tables=9)
    assert (first + later) - first == PagingCounts(accesses=4, tables=2, peak_tables=9)
    one = {("exit", "page-fault"): 2}
    assert added([one, one, {}]) == {("exit", "page-fault"): 4}
