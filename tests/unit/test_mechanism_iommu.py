"""Direct access without a clock: tables, IOTLB, flush queues, assignment, reach."""

from itertools import pairwise

import pytest

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.mechanism.iommu import (
    Assignments,
    FlushQueues,
    InvalidationQueue,
    Iommu,
    Mapper,
    Pins,
    RemappingTables,
    misdirected,
    reach,
    reach_unprotected,
)
from virtperf.mechanism.iommu.iotlb import Iotlb
from virtperf.mechanism.iommu.traffic import Stream, misses
from virtperf.mechanism.memory.geometry import TlbStructure, structure
from virtperf.mechanism.memory.pages import PageSize

MS = 1e6


def host(entries: int = 64) -> Iommu:
    iommu = Iommu(structure(f"FA{entries}"))
    iommu.add_domain("host")
    iommu.attach("nic", "host")
    return iommu


def test_an_iotlb_is_lru_and_refuses_another_structure():
    with pytest.raises(ParameterError, match=r"Iotlb\.structure must be one that replaces by LRU"):
        Iotlb(TlbStructure(entries=8, ways=4, policy="plru"))


def test_a_walk_of_a_larger_page_is_shorter():
    tables = RemappingTables()
    tables.map(0, 0, size=PageSize.G1)
    tables.map(1 << 18, 512, size=PageSize.M2)
    tables.map(1 << 20, 7)
    assert [tables.reads(page) for page in (5, (1 << 18) + 5, 1 << 20)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("iova", "frame", "size", "field"),
    [(1, 512, PageSize.M2, "iova"), (0, 1, PageSize.M2, "frame"), (-1, 0, PageSize.K4, "iova")],
)
def test_a_page_begins_at_a_multiple_of_its_size(iova, frame, size, field):
    with pytest.raises(ParameterError, match=f"RemappingTables.{field} must be a multiple"):
        RemappingTables().map(iova, frame, size=size)


def test_a_mapped_page_is_not_mapped_over_from_below_or_above():
    tables = RemappingTables()
    tables.map(513, 1)
    with pytest.raises(ParameterError, match="not mapped"):
        tables.map(512, 512, size=PageSize.M2)
    tables.unmap(513)
    tables.map(512, 512, size=PageSize.M2)
    with pytest.raises(ParameterError, match="not mapped"):
        tables.map(513, 1)


def test_the_middle_of_a_larger_page_cannot_be_unmapped():
    tables = RemappingTables()
    tables.map(512, 512, size=PageSize.M2)
    with pytest.raises(ParameterError, match="where a mapped page begins"):
        tables.unmap(513)


def test_a_device_in_no_domain_reaches_nothing():
    iommu = host()
    iommu.domains["host"].map(3, 30)
    iommu.detach("nic")
    assert iommu.dma("nic", 3) is None and iommu.faults == 1
    with pytest.raises(UnknownNameError, match="protection domain"):
        iommu.attach("nic", "hots")


def test_a_page_for_reading_is_not_written():
    iommu = host()
    iommu.domains["host"].map(3, 30, writable=False)
    assert iommu.dma("nic", 3, write=False).frame == 30
    assert iommu.dma("nic", 3) is None


def test_the_iotlb_is_believed_until_it_is_told():
    iommu = host()
    iommu.domains["host"].map(3, 30)
    first, second = iommu.dma("nic", 3), iommu.dma("nic", 3)
    iommu.domains["host"].unmap(3)
    stale = iommu.dma("nic", 3)

    assert [(a.hit, a.reads, a.stale) for a in (first, second, stale)] == [
        (False, 4, False),
        (True, 0, False),
        (True, 0, True),
    ]
    assert iommu.invalidate("host", 3) == 1
    assert iommu.dma("nic", 3) is None


def test_domains_do_not_see_each_others_entries():
    iommu = host()
    iommu.add_domain("guest").map(3, 99)
    iommu.attach("disk", "guest")
    iommu.domains["host"].map(3, 30)
    assert (iommu.dma("nic", 3).frame, iommu.dma("disk", 3).frame) == (30, 99)
    assert iommu.invalidate("guest") == 1
    assert iommu.dma("nic", 3).hit and not iommu.dma("disk", 3).hit


def test_a_queue_of_256_places_is_flushed_once_in_255_unmaps():
    mapper = Mapper(host(), "host", mode="deferred")
    for _ in range(10 * 255 + 1):
        mapper.unmap(mapper.map([1]), now=0.0)
    assert (mapper.queues.by_count, mapper.queues.most) == (10, 255)
    assert mapper.invalidations == 10


def test_at_a_low_rate_the_timer_flushes_and_the_window_is_its_length():
    """One unmap a millisecond: the timer starts with one, and ten are waiting when it goes off."""
    mapper = Mapper(host(), "host", mode="deferred")
    for number in range(100):
        mapper.unmap(mapper.map([1]), now=number * MS)
    queues = mapper.queues

    assert (queues.by_count, queues.by_timer) == (0, 9)  # at 10, 20, ... 90 ms
    assert queues.longest_ns == 10 * MS
    assert queues.exposed_ns / queues.closed == pytest.approx(5.5 * MS, rel=0.02)


def test_a_flush_on_one_cpu_frees_the_entries_of_all():
    mapper = Mapper(host(), "host", mode="deferred", cpus=2, entries=4)
    for cpu in (0, 0, 1, 1, 0):
        mapper.unmap(mapper.map([1], cpu=cpu), cpu=cpu)
    assert mapper.queues.by_count == 0 and len(mapper.queues) == 5
    mapper.unmap(mapper.map([1], cpu=0), cpu=0)
    assert mapper.queues.by_count == 1 and len(mapper.queues) == 1


def test_addresses_come_back_to_the_cpu_that_let_go_of_them():
    mapper = Mapper(host(), "host", mode="strict", cpus=2)
    iova = mapper.map([1], cpu=0)
    mapper.unmap(iova, cpu=0)
    assert mapper.map([1], cpu=1) != iova
    assert mapper.map([1], cpu=0) == iova


def test_deferred_addresses_are_not_used_again_before_the_flush():
    mapper = Mapper(host(), "host", mode="deferred", entries=8)
    seen = []
    for _ in range(7):
        seen.append(mapper.map([1]))
        mapper.unmap(seen[-1])
    assert len(set(seen)) == 7
    mapper.unmap(mapper.map([1]))  # flushes
    assert mapper.map([1]) in seen


@pytest.mark.parametrize(
    ("words", "field"),
    [({"cpus": 0}, "cpus"), ({"entries": 1}, "entries"), ({"timeout_ns": 0.0}, "timeout")],
)
def test_flush_queues_refuse_nonsense(words, field):
    with pytest.raises(ParameterError, match=f"FlushQueues.{field}"):
        FlushQueues(lambda: None, lambda cpu, waiting: None, **words)


def test_what_was_not_mapped_is_not_unmapped():
    mapper = Mapper(host(), "host", mode="strict")
    with pytest.raises(ParameterError, match="one that `map` returned"):
        mapper.unmap(5)
    with pytest.raises(ParameterError, match="at least one"):
        mapper.map([])
    with pytest.raises(ParameterError, match="strict or deferred"):
        Mapper(host(), "host", mode="lazy")


def test_invalidations_of_all_cpus_wait_for_each_other():
    queue = InvalidationQueue(700.0)
    done = [queue.submit(now) for now in (0.0, 0.0, 50.0, 5_000.0)]
    assert done == [700.0, 1_400.0, 2_100.0, 5_700.0]
    assert (queue.busy_ns, queue.waited_ns) == (2_800.0, 700 + 1_400 + 2_050 + 700)
    with pytest.raises(ParameterError, match="at least 5000"):
        queue.submit(0.0)


def test_one_device_has_one_owner():
    devices = Assignments({"ssd0": "1", "ssd1": "2"})
    devices.assign("ssd0", "web")
    with pytest.raises(ParameterError, match="web, which has it"):
        devices.assign("ssd0", "db")
    devices.release("ssd0")
    devices.assign("ssd0", "db")
    with pytest.raises(UnknownNameError, match="device"):
        devices.assign("ssd9", "db")


def test_a_group_goes_to_one_owner_as_a_whole():
    devices = Assignments({"ssd0": "1", "ssd1": "1"})
    devices.assign("ssd0", "web")
    with pytest.raises(ParameterError, match="web, which has ssd0 of its group"):
        devices.assign("ssd1", "host")
    devices.assign("ssd1", "web")


def test_pinned_frames_stay_and_cannot_be_overcommitted_with():
    pins = Pins(100)
    pins.pin(range(60))
    pins.pin([5])
    pins.unpin(range(60))
    assert (pins.pinned, pins.left) == (1, 99)
    assert not pins.movable(5) and pins.movable(6)
    with pytest.raises(ParameterError, match="one that is pinned"):
        pins.unpin([6])


def test_without_an_iommu_all_frames_can_be_reached():
    owners = {frame: "host" if frame < 10 else f"vm{frame // 40}" for frame in range(100)}
    seen = reach_unprotected("vm1", owners)
    assert (seen.own, seen.others, seen.host, seen.foreign) == (40, 50, 10, 60)


def test_a_domain_reaches_its_own_guest_and_nobody_else():
    owners = {frame: "a" if frame < 50 else "b" for frame in range(100)}
    iommu = Iommu(structure("FA64"))
    tables = iommu.add_domain("a")
    for frame in range(50):
        tables.map(frame, frame)
    iommu.attach("nic", "a")
    assert reach(iommu, "nic", "a", owners) == (50, 0, 0, 0)
    assert reach(iommu, "disk", "a", owners) == (0, 0, 0, 0)


def test_a_frame_that_was_unmapped_and_given_away_is_reached_as_stale():
    owners = {0: "a", 1: "a"}
    iommu = Iommu(structure("FA64"))
    iommu.add_domain("a")
    iommu.attach("nic", "a")
    mapper = Mapper(iommu, "a", mode="deferred")
    iova = mapper.map([1])
    iommu.dma("nic", iova)
    mapper.unmap(iova, now=0.0)
    owners[1] = "b"  # the guest has given the page back

    assert reach(iommu, "nic", "a", owners) == (0, 1, 0, 1)
    mapper.advance(10 * MS)
    assert reach(iommu, "nic", "a", owners) == (0, 0, 0, 0)


def test_an_unmodified_guests_dma_goes_astray_without_an_iommu_unless_it_is_mapped_one_to_one():
    assert misdirected({guest: guest + 1000 for guest in range(64)}) == 64
    assert misdirected({guest: guest for guest in range(64)}) == 0


def test_the_iotlb_has_its_knee_where_rings_and_buffers_fill_it():
    """64 entries are 256 KiB of 4 KiB pages; the rings have three or four of them at a time."""
    rates = [misses((Stream(buffers=n),), 64)[0] for n in (16, 32, 96, 256, 1024)]
    assert rates[:2] == [0.0, 0.0]
    assert all(a < b for a, b in pairwise(rates[1:]))
    assert rates[-1] > 0.9


def test_larger_pages_move_the_knee():
    assert misses((Stream(buffers=1024, page=PageSize.M2),), 64) == (0.0,)


def test_devices_that_share_an_iotlb_thrash_it():
    alone, many = (misses((Stream(buffers=8),) * n, 64)[0] for n in (1, 32))
    assert alone == 0.0 and many > 0.9


def test_a_map_per_request_misses_once_for_each_page():
    """Strict: rings stay; deferred: the flush of the domain takes them along."""
    strict, deferred = (misses((Stream(maps=m, pages=4),), 64)[0] for m in ("strict", "deferred"))
    assert strict == 4.0
    assert 4.0 < deferred < 4.1


def test_without_an_iotlb_every_access_walks():
    assert misses((Stream(pages=3),), 0) == (5.0,)
