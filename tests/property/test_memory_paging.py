"""Every paging technique against the obvious: sets, dictionaries, and the tables themselves."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.direct import DirectPaging
from virtperf.mechanism.memory.native import NativePaging
from virtperf.mechanism.memory.nested_paging import NestedPaging
from virtperf.mechanism.memory.page_table import ACCESSED, DIRTY, WRITABLE, leaf_pages
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.shadow import ShadowPaging
from virtperf.mechanism.memory.shadow_tables import ShadowTables
from virtperf.mechanism.memory.tlb_emulation import TlbEmulation

pytestmark = pytest.mark.property
EXAMPLES = settings(max_examples=20)
FRAMES = 4 * 512
FILLED = WRITABLE | ACCESSED | DIRTY

TECHNIQUES = {
    "native": NativePaging,
    "tlb emulation": TlbEmulation,
    "global part kept": lambda pmap: TlbEmulation(pmap, keep_global=True),
    "shadow, update": ShadowPaging,
    "shadow, drop": lambda pmap: ShadowPaging(pmap, on_write="drop", flood_writes=None),
    "shadow, bypass": lambda pmap: ShadowPaging(pmap, bypass="in-sync", prefetch=8),
    "shadow, out of sync": lambda pmap: ShadowPaging(pmap, out_of_sync=None, prefetch=8),
    "shadow, one out of sync": lambda pmap: ShadowPaging(pmap, out_of_sync=1, bypass="in-sync"),
    "shadow, no room": lambda pmap: ShadowPaging(pmap, max_tables=25, out_of_sync=2),
    "shadow, freed tables watched": lambda pmap: ShadowPaging(
        pmap, watches_freed=True, flood_writes=None
    ),
    "nested": NestedPaging,
    "nested, fault-around": lambda pmap: NestedPaging(pmap, fault_around=4),
    "nested, no A/D": lambda pmap: NestedPaging(pmap, accessed_dirty=False),
    "direct": DirectPaging,
    "direct, tables kept": lambda pmap: DirectPaging(pmap, pins="kept"),
    "direct, trapped": lambda pmap: DirectPaging(pmap, updates="trapped"),
}
VIRTUAL = sorted(TECHNIQUES.keys() - {"native"})
HOSTED = [name for name in VIRTUAL if not name.startswith("direct")]

PAGE = st.sampled_from([*range(6), *range(6), 511, 512, 513, 1030])
FAR = st.sampled_from(6 * [0] + [1 << 18, 1 << 27])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "map",
                "map",
                "map large",
                "unmap",
                "change",
                "prune",
                "switch",
                "switch",
                "exit",
                "host",
            ]
            + 10 * ["access"]
        ),
        st.integers(0, 1),
        PAGE,
        FAR,
        st.integers(1, 3),
        st.sampled_from([WRITABLE, WRITABLE, FILLED, ACCESSED, 0]),
        st.booleans(),
    ),
    min_size=30,
    max_size=60,
)


class Machine:
    """A careful guest: it invalidates what it took away, and ends processes that do not run."""

    def __init__(self, vm):
        self.vm = vm
        self.spaces = [self.born(number) for number in range(2)]
        vm.switch_to(self.spaces[0])

    def born(self, number):
        """A process that has some pages from the beginning."""
        space = AddressSpace(str(number))
        self.vm.map(space, 0, frame=20 + 10 * number, count=4, flags=FILLED)
        self.vm.map(space, 4, frame=8, count=4)
        return space

    def step(self, kind, number, page, far, count, flags, write):
        vm, space, page = self.vm, self.spaces[number], page + far
        if kind == "access":
            self.access(vm.current, page, write)
        elif kind == "switch":
            vm.switch_to(space)
        elif kind == "exit" and space is not vm.current:
            vm.unmap(space, 0, 6 << 27)
            vm.exit_space(space)
            self.spaces[number] = self.born(number)
        elif kind == "host":
            self.host(page % 60, 20 * count)
        elif kind == "map":
            if not space.table.is_mapped(page, count):
                vm.map(space, page, frame=(page * 7 + count) % 40, count=count, flags=flags)
        elif kind == "map large":
            page = page // 512 * 512
            if not space.table.is_mapped(page, 512):
                vm.free_tables(space, page, 512)
                vm.map(space, page, frame=512 * (count % 3), count=512, flags=flags, level=2)
        elif kind == "prune":
            vm.free_tables(space, page, count)
        else:
            self.rewrite(kind, space, page, count, flags)

    def rewrite(self, kind, space, page, count, flags):
        if any(leaf.level > 1 for *_, leaf in space.table.leaves(page, count)):
            page, count = page // 512 * 512, 512
        if kind == "unmap":
            self.vm.unmap(space, page, count)
        else:
            self.vm.change(space, page, count, set=flags, clear=FILLED)
        if space is self.vm.current:
            if count == 512:  # one invalidation is enough for a large page, whatever it says
                self.vm.invalidate(space, page + 7)
            else:
                for one in range(page, page + count):
                    self.vm.invalidate(space, one)

    def host(self, frame, count):
        if not isinstance(self.vm, DirectPaging) and not self.vm.pmap.limited:
            self.vm.pmap.release(frame, min(count, FRAMES - frame))

    def access(self, space, page, write):
        before = space.table.lookup(page)
        allowed = before is not None and before.allows(write)
        assert self.vm.access(space, page, write=write) is allowed
        if allowed:
            after = space.table.lookup(page)
            assert after.flags & ACCESSED
            assert after.flags & DIRTY or not write
            expected = after.frame
            if not isinstance(self.vm, NativePaging):
                expected = self.vm.pmap.find(after.frame).frame
            assert self.vm.translate(space, page) == expected
            counts = self.vm.counts - type(self.vm.counts)()
            assert self.vm.access(space, page, write=write), "it has just gone through"
            counts.accesses += 1
            assert self.vm.counts == counts, "an access again is free"


@EXAMPLES
@pytest.mark.parametrize("name", TECHNIQUES)
@pytest.mark.parametrize("host_level", [1, 2])
@given(steps=STEPS)
def test_a_translation_is_the_guests_table_and_then_the_hosts_map(name, host_level, steps):
    machine = Machine(TECHNIQUES[name](PMap(FRAMES, level=host_level)))
    for step in steps:
        machine.step(*step)


@EXAMPLES
@pytest.mark.parametrize("name", HOSTED)
@pytest.mark.parametrize("policy", ["lru", "clock"])
@given(steps=STEPS)
def test_so_it_is_while_the_host_pages_out(name, policy, steps):
    machine = Machine(TECHNIQUES[name](PMap(FRAMES, resident=6, policy=policy)))
    for step in steps:
        machine.step(*step)
        assert machine.vm.pmap.backed_frames <= 6


TRACES = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=8)),
    max_size=12,
)


def replay(vm, trace):
    """Demand-map pages, clean, in three spaces; return them."""
    spaces = [AddressSpace(str(number)) for number in range(3)]
    for number, accesses in trace:
        space = spaces[number]
        vm.switch_to(space)
        for page, write in accesses:
            if not vm.access(space, page, write=write):
                vm.map(space, page, frame=page + 8 * number)
                assert vm.access(space, page, write=write)
    return vm.counts


@settings(max_examples=80)
@given(TRACES)
def test_tlb_emulation_is_a_set_per_slice(trace):
    mapped, dirty = set(), set()
    true = missing = upgrades = 0
    for number, accesses in trace:
        seen = set()
        for page, write in accesses:
            true += (number, page) not in mapped
            missing += page not in seen
            upgrades += page in seen and write and (number, page) not in dirty
            mapped.add((number, page))
            seen.add(page)
            if write:
                dirty.add((number, page))
    counts = replay(TlbEmulation(PMap(64)), trace)
    assert (counts.true_faults, counts.hidden_missing) == (true, missing)
    # A page that was filled read-only and dirtied in a later slice is filled writable there.
    assert counts.hidden_dirty == upgrades


@settings(max_examples=80)
@given(TRACES)
def test_a_shadow_is_a_dictionary_per_process(trace):
    mapped, filled = set(), {}
    true = missing = upgrades = trapped = 0
    shadowed = set()
    for number, accesses in trace:
        for page, write in accesses:
            here = (number, page)
            if here not in mapped:
                true += 1
                mapped.add(here)
                trapped += number in shadowed
            if here not in filled:
                missing += 1
                filled[here] = write
                shadowed.add(number)
            elif write and not filled[here]:
                upgrades += 1
                filled[here] = True
    counts = replay(ShadowPaging(PMap(64), flood_writes=None), trace)
    assert (counts.true_faults, counts.hidden_missing) == (true, missing)
    assert (counts.hidden_dirty, counts.trapped_writes) == (upgrades, trapped)


@settings(max_examples=80)
@given(TRACES, st.sampled_from([1, 2]))
def test_nested_paging_faults_once_per_host_page(trace, level):
    frames = {page + 8 * number for number, pages in trace for page, _ in pages}
    counts = replay(NestedPaging(PMap(512, level=level)), trace)
    assert (
        counts.violations
        == counts.host_minor
        == len({frame // leaf_pages(level) for frame in frames})
    )


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=60),
    st.sampled_from([25, 26, 40]),
)
def test_shadow_tables_never_exceed_their_bound(touches, limit):
    vm, space = ShadowPaging(PMap(512), max_tables=limit), AddressSpace("A")
    vm.switch_to(space)
    for place in range(301):
        vm.map(space, page=place << 18, frame=place)
    for place, write in touches:
        assert vm.access(space, place << 18, write=write)
        assert vm.counts.tables == len(vm._tables) <= vm.counts.peak_tables <= limit


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([1, 1, 2])), max_size=30),
    st.integers(25, 30),
)
def test_the_oldest_shadow_table_outside_of_the_walk_is_recycled(walks, limit):
    tables, space, plain = ShadowTables(limit), AddressSpace("A"), []
    for place, level in walks:
        page = place << 18
        walk = [(one, page >> 9 * one) for one in range(level, 5)]
        missing = [one for one in walk if one not in plain]
        while len(plain) + len(missing) > limit:
            plain.remove(next(one for one in plain if one not in walk))
        plain += missing
        tables.drop(tables.build(space, level, page, guest_level=level))
        assert [(table.level, table.number) for table in tables.of(space)] == plain


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=40),
    st.sampled_from(["lru", "clock"]),
)
def test_the_host_pages_out_as_the_policy_says(accesses, policy):
    """LRU as a list to the end of which what is used moves; the clock as a ring with flags."""
    pmap, order, flagged = PMap(12, resident=6, policy=policy), [], set()
    written, disk = set(), set()
    counts = defaultdict(int)
    for frame, write in accesses:
        if frame in order:
            if policy == "lru":
                order.remove(frame)
                order.append(frame)
        else:
            if len(order) == 6:
                while policy == "clock" and order[0] in flagged:
                    flagged.discard(order[0])
                    order.append(order.pop(0))
                victim = order.pop(0)
                counts["page_outs" if victim in written else "discarded"] += 1
                if victim in written:
                    disk.add(victim)
                written.discard(victim)
                flagged.discard(victim)
            order.append(frame)
            counts["major" if frame in disk else "minor"] += 1
        flagged.add(frame)
        if write:
            written.add(frame)
        pmap.back(frame, write)
        assert {one for one in range(12) if pmap.find(one)} == set(order)
    seen = pmap.counts
    assert (seen.minor, seen.major) == (counts["minor"], counts["major"])
    assert (seen.page_outs, seen.discarded) == (counts["page_outs"], counts["discarded"])
