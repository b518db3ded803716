"""Paging techniques on cases whose every event was counted by hand."""

import pytest

from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.direct import DirectPaging
from virtperf.mechanism.memory.native import NativePaging
from virtperf.mechanism.memory.nested_paging import NestedPaging
from virtperf.mechanism.memory.page_table import ACCESSED, DIRTY, WRITABLE
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.shadow import ShadowPaging
from virtperf.mechanism.memory.table_memory import (
    dense_tables,
    kvm_shadow_limit,
    shadow_bytes,
    xen_shadow_bytes,
)
from virtperf.mechanism.memory.tlb_emulation import TlbEmulation

GIB = 1 << 30
FILLED = WRITABLE | ACCESSED | DIRTY
"""How Linux maps a page upon a write fault."""
TRACE = "A: 1r 2r 1w 1w 3w 5r | B: 1r 2w | A: 1w 2r 3r 3w 5w"


def run_trace(vm):
    """Two spaces, pages 1 to 4 mapped and clean in both; the guest maps page 5 when it faults."""
    spaces = {name: AddressSpace(name) for name in "AB"}
    for frame, space in enumerate(spaces.values()):
        vm.map(space, page=1, frame=10 * frame, count=4)
    for part in TRACE.split("|"):
        name, accesses = part.split(":")
        space = spaces[name.strip()]
        vm.switch_to(space)
        for one in accesses.split():
            page, write = int(one[:-1]), one[-1] == "w"
            if not vm.access(space, page, write=write):
                vm.map(space, page=page, frame=20)
                assert vm.access(space, page, write=write)
    return vm.counts


def test_an_emulated_tlb_is_filled_again_after_each_switch():
    counts = run_trace(TlbEmulation(PMap(64)))
    assert (counts.true_faults, counts.hidden_missing, counts.hidden_dirty) == (1, 10, 1)
    assert counts.true_faults + counts.hidden_faults == 12
    assert counts.address_space_loads == 3
    assert counts.trapped_writes == 0


def test_shadow_tables_per_process_outlive_the_switch():
    counts = run_trace(ShadowPaging(PMap(64)))
    assert (counts.true_faults, counts.hidden_missing, counts.hidden_dirty) == (1, 6, 2)


def test_a_kept_global_part_is_not_filled_again():
    for keep, missing in ((False, 9), (True, 5)):
        vm = TlbEmulation(PMap(64), keep_global=keep)
        spaces = [AddressSpace(name) for name in "AB"]
        for space in spaces:
            vm.map(space, page=0, frame=0, count=2, flags=FILLED | 256)
            vm.map(space, page=8, frame=8, flags=FILLED)
        for space in (*spaces, spaces[0]):
            vm.switch_to(space)
            for page in (0, 1, 8):
                assert vm.access(space, page)
        assert vm.counts.hidden_missing == missing


def test_hidden_faults_per_second_are_pages_per_slice_times_switch_rate():
    """100 pages, 1,000 switches a second, 5,000 cycles each at 3 GHz: a sixth of a core."""
    vm, spaces = TlbEmulation(PMap(256)), [AddressSpace(name) for name in "AB"]
    for number, space in enumerate(spaces):
        vm.map(space, page=0, frame=100 * number, count=100, flags=FILLED)
    for slice_number in range(1000):
        space = spaces[slice_number % 2]
        vm.switch_to(space)
        assert vm.sweep(space, 0, 100) == 100
    assert vm.counts.hidden_missing == 100 * 1000
    assert vm.counts.hidden_missing * 5000 / 3e9 == pytest.approx(1 / 6, rel=1e-12)


def backed(frames=512):
    """A map of frames that the host has given already."""
    pmap = PMap(frames)
    pmap.populate(0, frames)
    return pmap


def per_demand_fault(vm, faults=40, interval=None):
    """Events of `faults` first touches in a leaf table that is in use, in order."""
    space = AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, flags=FILLED)
    vm.access(space, 0)
    before = vm.counts - type(vm.counts)()
    for page in range(1, faults + 1):
        if interval and page % interval == 1:
            vm.switch_to(space)
        assert not vm.access(space, page, write=True)
        vm.map(space, page=page, frame=page, flags=FILLED)
        assert vm.access(space, page, write=True)
    counts = vm.counts - before
    reflected = counts.true_faults - counts.bypassed_faults
    return reflected, counts.trapped_writes, counts.hidden_faults, counts


@pytest.mark.parametrize(
    ("options", "each"),
    [
        ({"on_write": "drop"}, (1, 1, 1)),
        ({"on_write": "update"}, (1, 1, 0)),
        ({"on_write": "update", "bypass": "in-sync"}, (0, 1, 0)),
    ],
)
def test_exits_of_a_demand_fault_under_write_protection(options, each):
    *seen, _ = per_demand_fault(ShadowPaging(backed(), **options))
    assert tuple(seen) == tuple(40 * one for one in each)


@pytest.mark.parametrize(
    ("bypass", "reflected"),
    # With 10 faults per interval: all; all but the one that meets the table still in sync; none.
    [("none", 40), ("in-sync", 36), ("ideal", 0)],
)
def test_exits_of_a_demand_fault_in_a_table_out_of_sync(bypass, reflected):
    """One trapped write per table and interval; each page still costs its hidden fault."""
    vm = ShadowPaging(backed(), out_of_sync=None, bypass=bypass)
    *seen, counts = per_demand_fault(vm, interval=10)
    assert seen == [reflected, 4, 40]
    assert counts.unsyncs == 4
    assert (counts.resyncs, counts.resynced_entries) == (3, 3 * 512)


def test_a_demand_fault_under_nested_paging_takes_no_exit_if_the_frame_is_backed():
    pmap = PMap(512)
    vm = NestedPaging(pmap)
    space = AddressSpace("other")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, count=64)
    vm.sweep(space, 0, 64)
    *seen, counts = per_demand_fault(vm)
    assert seen == [40, 0, 0]  # true faults, which nobody but the guest sees
    assert counts.violations == 0
    assert not vm.transitions().keys() - {("exit", "ept-violation")}


def test_a_demand_fault_with_direct_tables_is_two_transitions():
    vm = DirectPaging(PMap(512))
    *seen, counts = per_demand_fault(vm)
    assert seen == [40, 0, 0]
    assert (counts.unbatched_updates, counts.hypercall_updates) == (40, 40)
    assert counts.hypercalls == 40


@pytest.mark.parametrize(
    ("gib", "level", "violations", "tables"),
    [
        (1, 1, 262144, 515),
        (1, 2, 512, 3),
        (1, 3, 1, 2),
        (4, 1, 1048576, 2054),
        (4, 2, 2048, 6),
        (4, 3, 4, 2),
        (64, 1, 16777216, 32834),
        (64, 2, 32768, 66),
        (64, 3, 64, 2),
        (512, 1, 134217728, 262658),
        (512, 2, 262144, 514),
        (512, 3, 512, 2),
    ],
)
def test_a_second_table_is_filled_by_one_violation_per_leaf(gib, level, violations, tables):
    frames = gib * GIB // 4096
    vm, space = NestedPaging(PMap(frames, level=level)), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, page=0, frame=0, count=frames)
    assert vm.sweep(space, 0, frames, write=True) == frames
    assert vm.counts.violations == vm.counts.host_minor == violations
    assert vm.counts.tables == dense_tables(gib * GIB, level) == tables
    assert vm.table.table_bytes == tables * 4096
    assert vm.table.run_count + space.table.run_count < 20
    assert vm.sweep(space, 0, frames) == frames
    assert vm.counts.violations == violations


def test_a_sweep_of_whole_pages_counts_as_page_after_page():
    for level in (1, 2):
        results = []
        for one_by_one in (False, True):
            vm, space = NestedPaging(PMap(4096, level=level)), AddressSpace("A")
            vm.switch_to(space)
            vm.map(space, page=700, frame=100, count=1000)
            vm.map(space, page=2000, frame=1500, count=100, flags=0)
            if one_by_one:
                for page in range(650, 2200):
                    vm.access(space, page, write=True)
            else:
                vm.sweep(space, 650, 1550, write=True)
            results.append((vm.counts, list(space.table.leaves()), list(vm.table.leaves())))
        assert results[0] == results[1]


def test_shadow_memory_is_per_process():
    """Three processes with 100 MiB each at 1 GiB: 50 leaf tables and three above."""
    vm = ShadowPaging(PMap(1 << 18))
    for number in range(3):
        space = AddressSpace(str(number))
        vm.switch_to(space)
        vm.map(space, page=1 << 18, frame=number << 15, count=25600, flags=FILLED)
        for page in range(1 << 18, (1 << 18) + 25600, 512):
            assert vm.access(space, page)
    assert vm.counts.tables == 3 * 53
    assert shadow_bytes([53] * 3) == 3 * 53 * 8192
    assert shadow_bytes([53] * 3, gfn_arrays=False) == 3 * 53 * 4096


def test_published_bounds_of_shadow_memory():
    assert kvm_shadow_limit(4 * GIB // 4096) == 20971
    assert kvm_shadow_limit(1000) == 64
    assert xen_shadow_bytes(4 * GIB, vcpus=4) == 36 << 20


def test_native_paging_leaves_nowhere():
    counts = run_trace(vm := NativePaging(PMap(64)))
    assert counts.true_faults == 1
    assert vm.transitions() == {}
