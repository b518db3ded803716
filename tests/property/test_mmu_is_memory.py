"""The compiled hardware is the obvious one, access by access, whatever the geometry."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from virtperf.mechanism.memory import (
    Context,
    Hardware,
    Mapping,
    PageSize,
    PteCache,
    PteCaches,
    Region,
    Tag,
    TlbGeometry,
    TlbStructure,
    WalkCaches,
)
from virtperf.mechanism.memory import flushes as rules
from virtperf.mechanism.memory.pseudo_lru import tree_fits
from virtperf.mmu.machine import Mmu
from virtperf.mmu.schedule import Schedule

pytestmark = pytest.mark.property
SIZES = list(PageSize)
few = st.integers(0, 3)


@st.composite
def structures(draw, pages):
    index = draw(st.sampled_from(["linear", "linear", "xor"]))
    sets = draw(st.sampled_from([1, 2, 4] if index == "xor" else [1, 2, 3, 4, 5]))
    ways = draw(st.integers(1, 4))
    fits = ["plru", "plru"] if tree_fits(ways) else []
    policy = draw(st.sampled_from(["lru", "lru", "fifo", *fits]))
    return TlbStructure(entries=sets * ways, ways=ways, pages=pages, index=index, policy=policy)


@st.composite
def geometries(draw):
    """One to three levels; the first holds all sizes, together or apart; others what they like."""
    subsets = st.lists(st.sampled_from(SIZES), min_size=1, max_size=3, unique=True).map(tuple)
    if draw(st.booleans()):
        first = (draw(structures(tuple(SIZES))),)
    else:
        first = tuple(draw(structures((size,))) for size in SIZES)
    rest = draw(st.lists(st.lists(subsets, min_size=1, max_size=2), max_size=2))
    more = tuple(tuple(draw(structures(pages)) for pages in level) for level in rest)
    return TlbGeometry(levels=(first, *more), splits_1g=draw(st.booleans()))


@st.composite
def walk_caches(draw):
    return WalkCaches(
        kind=draw(st.sampled_from(["none", "prefix", "prefix", "entry", "entry"])),
        by_level=tuple(draw(st.lists(few, max_size=4))),
        nested_by_level=tuple(draw(st.lists(few, max_size=4))),
        entries=draw(st.integers(0, 5)),
        caches_nested=draw(st.booleans()),
        nested_tlb=draw(st.integers(0, 4)),
        nested_tlb_data=draw(st.booleans()),
        combined=draw(st.sampled_from(["host", "guest"])),
    )


@st.composite
def mappings(draw, is_nested):
    size = st.sampled_from(SIZES)
    host = size if is_nested else st.none()
    regions, start = [], 0
    for _ in range(draw(st.integers(0, 3))):
        start += draw(few) << 30
        end = start + (draw(st.integers(1, 3)) << 30)
        regions.append(
            Region(
                start=start,
                end=end,
                guest=draw(size),
                host=draw(host),
                is_global=draw(st.booleans()),
            )
        )
        start = end
    return Mapping(
        guest=draw(size),
        host=draw(host),
        tables_on=draw(st.none() | size) if is_nested else None,
        regions=tuple(regions),
        offset=draw(few) << 30,
    )


@st.composite
def contexts(draw):
    """Up to three contexts; spaces, tags and VMs may be shared between them."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        root = draw(st.none() | st.integers(1, 2))
        tag = Tag(vpid=draw(few), pcid=draw(st.integers(0, 1)), root=root)
        space = draw(few) + 10 * (root or 0)  # no space belongs to two VMs
        made.append(Context(tag=tag, space=space, mapping=draw(mappings(root is not None))))
    return tuple(made)


def pages():
    """Return addresses that are close in each level of the tree, from both ends of the space."""
    index = st.integers(0, 4)
    low = st.tuples(st.integers(0, 1), st.integers(0, 8), index, st.integers(0, 6)).map(
        lambda part: part[0] << 39 | part[1] << 30 | part[2] << 21 | part[3] << 12
    )
    return low | low.map(lambda address: (1 << 64) - (1 << 47) + address)


@st.composite
def any_flush(draw, who):
    here, address = draw(st.sampled_from(who)).tag, draw(pages())
    vpid = draw(st.integers(1, 3))
    return draw(
        st.sampled_from(
            [
                rules.EVERYTHING,
                rules.NOTHING,
                rules.invlpg(here, address),
                rules.mov_cr3(here, pcids=False),
                rules.mov_cr3(here, pcids=True, new_pcid=1),
                rules.mov_cr4(here),
                *(rules.invpcid(here, kind, pcid=1, address=address) for kind in range(4)),
                rules.vm_transition(vpids=False),
                *(rules.invvpid(kind, vpid=vpid, address=address) for kind in range(4)),
                rules.invept(1, root=1),
                rules.invept(2),
                rules.ept_violation(here, address, address & ((1 << 47) - 1)),
                rules.ept_violation(here, address, 1 << 47),
                rules.vmrun(3, here),
                rules.vmrun(7, here),
            ]
        )
    )


LINES = PteCaches(
    levels=(PteCache(lines=2, ways=1, cycles=4), PteCache(lines=6, ways=2, cycles=14)),
    memory_cycles=100,
)


def obvious(hardware, steps):
    """Return what the plain form says of each access."""
    rows = []
    for context, flush, addresses in steps:
        if flush is not None:
            hardware.flush(flush)
        rows += [hardware.access(address, context) for address in addresses]
    return rows


def same_state(plain, fast):
    """Compare what TLBs hold, in order of replacement, and how often something was replaced."""
    sets = list(plain.tlb.structures())
    assert tuple(one.evictions for one in sets) == fast.counts.evictions
    for one, rows in zip(sets, fast.resident(), strict=True):
        held = [[(key.size, key.page) for key in reversed(row)] for row in one.rows]
        assert held == [[key[1:] for key in row] for row in rows]


@given(data=st.data(), levels=st.sampled_from([4, 5]), deep=st.sampled_from([4, 5]))
@settings(max_examples=150)
def test_each_access_meets_the_same_and_leaves_the_same(data, levels, deep):
    geometry, caches = data.draw(geometries()), data.draw(walk_caches())
    lines = data.draw(st.sampled_from([PteCaches(), PteCaches(memory_cycles=9), LINES]))
    kept = {"levels": levels, "nested_levels": deep, "pte_caches": lines}
    plain, fast = Hardware(geometry, caches, **kept), Mmu(geometry, caches, **kept)
    who = data.draw(contexts())
    step = st.tuples(
        st.sampled_from(who),
        st.none() | any_flush(who),
        st.lists(pages(), min_size=1, max_size=30),
    )
    for context, flush, addresses in data.draw(st.lists(step, max_size=6)):
        expected = obvious(plain, [(context, flush, addresses)])
        if flush is not None:
            fast.flush(flush)
        got = fast.run(np.array(addresses, np.uint64), context, trace=True)
        columns = (got.level, got.guest, got.host, got.cycles)
        assert list(zip(*columns, strict=True)) == expected
        same_state(plain, fast)
    assert sum(fast.counts.cached) == plain.walker.hits


@given(data=st.data())
@settings(max_examples=100)
def test_one_schedule_is_its_segments_one_by_one(data):
    geometry, caches, who = data.draw(geometries()), data.draw(walk_caches()), data.draw(contexts())
    whole = st.sampled_from(
        [
            rules.EVERYTHING,
            rules.mov_cr3(who[0].tag, pcids=False),
            rules.vm_transition(vpids=False),
            rules.invept(1, root=1),
        ]
    )
    what = tuple(data.draw(st.lists(whole, min_size=1, max_size=2)))
    step = st.tuples(
        st.integers(0, len(who) - 1),
        st.integers(-1, len(what) - 1),
        st.lists(pages(), min_size=1, max_size=20),
    )
    steps = data.draw(st.lists(step, min_size=1, max_size=8))
    schedule = Schedule(
        begins=np.cumsum([0, *(len(addresses) for *_, addresses in steps)]),
        contexts=np.array([one for one, *_ in steps]),
        flushes=np.array([flush for _, flush, _ in steps]),
        who=who,
        what=what,
    )
    plain, fast = Hardware(geometry, caches), Mmu(geometry, caches)
    expected = obvious(
        plain, [(who[one], what[f] if f >= 0 else None, rest) for one, f, rest in steps]
    )
    words = np.array([one for *_, rest in steps for one in rest], np.uint64)
    got = fast.run(words, schedule, trace=True)

    columns = (got.level, got.guest, got.host, got.cycles)
    assert list(zip(*columns, strict=True)) == expected
    same_state(plain, fast)
    quiet = Mmu(geometry, caches)
    quiet._misses = quiet._misses[: len(quiet._wanted)]  # walks come in between
    quiet.run(words, schedule)
    assert quiet.counts == fast.counts  # walks that nobody watches may be counted together


@given(
    ways=st.sampled_from([3, 4, 8, 9, 12, 16, 24]),
    sets=st.integers(1, 3),
    policy=st.sampled_from(["lru", "fifo", "plru"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=100)
def test_a_set_of_any_number_of_ways_is_the_obvious_one(ways, sets, policy, seed):
    """Some numbers of ways have code of their own."""
    assume(policy != "plru" or tree_fits(ways))
    one = TlbStructure(entries=sets * ways, ways=ways, pages=(PageSize.K4,), policy=policy)
    geometry = TlbGeometry(levels=((one,), (one,)))
    pages = np.random.default_rng(seed).geometric(1 / (sets * ways), 8 * sets * ways)
    words = pages.astype(np.uint64) << np.uint64(12)
    plain, fast = Hardware(geometry), Mmu(geometry)
    got = fast.run(words, trace=True)
    assert got.level.tolist() == [plain.access(int(word), Context()).level for word in words]
    same_state(plain, fast)
