"""Protection under any order of maps, unmaps and accesses: what is refused, and what is stale."""

from hypothesis import given, settings
from hypothesis import strategies as st

from virtperf.mechanism.iommu import InvalidationQueue, Iommu, Iotlb, Mapper, RemappingTables
from virtperf.mechanism.iommu.tables import Translation
from virtperf.mechanism.memory.flushes import Tag
from virtperf.mechanism.memory.geometry import TlbGeometry, TlbStructure, structure
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.tlb import Entry, Tlb

CPUS, ENTRIES, TIMEOUT = 3, 6, 100.0
FRAMES = 12  # of the guest; all others are somebody else's
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["map", "map", "unmap", "dma", "dma", "wait"]),
        st.integers(0, 40),
        st.integers(0, CPUS - 1),
        st.floats(0, 60),
    ),
    max_size=120,
)


class Twin:
    """The obvious account: what is mapped, what has been unmapped, and when."""

    def __init__(self) -> None:
        self.mapped: dict[int, int] = {}  # iova to frame
        self.closed: dict[int, tuple[int, float, int]] = {}  # iova to frame, since, cpu


def play(mode, actions, check):
    """Carry out actions on a mapper and on its twin; `check` looks after each of them."""
    iommu, now = Iommu(structure("FA8")), 0.0
    iommu.add_domain("guest")
    iommu.attach("nic", "guest")
    mapper = Mapper(iommu, "guest", mode=mode, cpus=CPUS, entries=ENTRIES, timeout_ns=TIMEOUT)
    twin = Twin()
    for what, number, cpu, wait in actions:
        if what == "map":
            iova = mapper.map([number % FRAMES], cpu=cpu)
            assert iova not in twin.mapped, "an address is given out once"
            twin.closed.pop(iova, None)
            twin.mapped[iova] = number % FRAMES
        elif what == "unmap" and twin.mapped:
            iova = sorted(twin.mapped)[number % len(twin.mapped)]
            mapper.unmap(iova, cpu=cpu, now=now)
            twin.closed[iova] = (twin.mapped.pop(iova), now, cpu)
        elif what == "dma":
            known = sorted({*twin.mapped, *twin.closed}) or [5]
            check_access(iommu, twin, known[number % len(known)])
        else:
            now += wait
            mapper.advance(now)
        check(iommu, mapper, twin, now)


def check_access(iommu, twin, iova):
    access = iommu.dma("nic", iova)
    if iova in twin.mapped:
        assert access is not None
        assert (access.frame, access.stale) == (twin.mapped[iova], False)
    elif access is not None:
        assert access.hit and access.stale
        assert access.frame == twin.closed[iova][0]


@given(ACTIONS)
def test_strict_leaves_nothing_stale_once_unmap_has_returned(actions):
    def check(iommu, mapper, twin, now):
        assert mapper.stale_pages() == 0
        for iova in twin.closed:
            assert iommu.dma("nic", iova) is None

    play("strict", actions, check)


@given(ACTIONS)
def test_deferred_windows_are_bounded_by_timer_and_queue(actions):
    def check(iommu, mapper, twin, now):
        stale = {iova for iova, _ in iommu.stale("guest")}
        waiting = {entry.first: entry.since for entry in mapper.queues}
        assert stale <= set(waiting), "what is reached without right is in a queue"
        assert all(now - since < TIMEOUT for since in waiting.values())
        assert mapper.queues.longest_ns <= TIMEOUT
        assert mapper.queues.most <= ENTRIES - 1

    play("deferred", actions, check)


@given(ACTIONS, st.sampled_from(["strict", "deferred"]))
def test_no_access_outside_of_the_domain_succeeds(actions, mode):
    """Whatever is reached was the domain's when its translation was made."""

    def check(iommu, mapper, twin, now):
        for iova in range(0, 60, 7):  # nothing is ever mapped so low
            assert iommu.dma("nic", iova) is None
        assert iommu.dma("disk", max(twin.mapped, default=0)) is None

    play(mode, actions, check)


@given(
    entries=st.integers(1, 8),
    trace=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 12)), max_size=80),
)
def test_the_iotlb_of_4k_pages_hits_as_a_tlb_does(entries, trace):
    """The same geometry as `mechanism.memory`'s TLB: the same hits, access by access."""
    one = TlbStructure(entries=entries, ways=entries)
    mine, theirs = Iotlb(one), Tlb(TlbGeometry(levels=((one,),)))
    for domain, page in trace:
        hit = mine.look_up(domain, page) is not None
        if not hit:
            mine.fill(domain, page, Translation(page, PageSize.K4, True))
        tag = Tag(vpid=1 + (domain == "b"))
        assert hit == (theirs.access(Entry(tag, PageSize.K4, page)) == 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from(list(PageSize)[:2]))))
def test_tables_agree_with_a_list_of_pages(operations):
    """Two sizes in four regions of 2 MiB: mapped, refused and unmapped as page by page."""
    tables, obvious = RemappingTables(), {}
    for is_map, region, size in operations:
        first, span = region * 512, 512 if size else 1
        if is_map:
            free = not any(first <= page < first + span for page in obvious)
            try:
                tables.map(first, first + 4096 * 512, size=size)
                assert free
                obvious |= {first + n: first + 4096 * 512 + n for n in range(span)}
            except ValueError:
                assert not free
        elif first in obvious:
            found = tables.find(first)
            tables.unmap(first)
            for n in range(512 if found.size else 1):
                del obvious[first + n]
        for page in (first, first + 1, first + 511):
            found = tables.find(page)
            inside = 0 if found is None else page % (512 if found.size else 1)
            assert (None if found is None else found.frame + inside) == obvious.get(page)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=40), st.floats(0, 900))
def test_one_server_never_works_faster_than_one_command_at_a_time(gaps, each):
    queue, now, done = InvalidationQueue(each), 0.0, []
    for gap in gaps:
        now += gap
        done.append(queue.submit(now))
        assert done[-1] >= now + each
    assert done == sorted(done)
    assert done[-1] >= len(gaps) * each
