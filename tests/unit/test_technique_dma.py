"""What DMA adds to a request's path, summed up by hand on the toy platform; times in us."""

import pytest

from tests.systems import scaled
from virtperf import catalog
from virtperf.build import on_iommu, sources
from virtperf.build.site import Site
from virtperf.path import Choice, Spawn, Step, Transition
from virtperf.scenario import Scenario
from virtperf.technique.costs import Costs
from virtperf.technique.io.dma import BIG_LOCK, INVALIDATIONS, WALKS, Dma, maps

COSTS = Costs(scaled("toy", {}), catalog.devices(), catalog.iommus())


def us(path):
    return sum(step.cost.mean for step in path if isinstance(step, Step)) / 1e3


def kinds(path):
    return [part.kind if isinstance(part, Step) else type(part).__name__ for part in path]


def test_no_iommu_and_a_static_map_add_nothing_where_the_iotlb_hits():
    for mode in ("none", "static"):
        added = maps(Dma(mode=mode), COSTS)
        assert (added.before, added.walks, added.after, added.locks) == ((), (), (), ())


def test_misses_are_walks_at_the_iommu():
    (walk,) = maps(Dma(mode="static", misses=1.5), COSTS).walks
    assert (walk.kind, walk.where, walk.cost.mean) == ("serve", WALKS, 1500.0)


def test_strict_maps_and_unmaps_and_spins_for_the_invalidation_with_interrupts_off():
    """0.1 for an address, 1 for the map, 1 for the unmap, 2 for the invalidation."""
    added = maps(Dma(mode="strict"), COSTS)
    unmap, invalidation = added.after

    assert us(added.before) == pytest.approx(1.1)
    assert (us(added.after), unmap.where) == (3.0, "handler")
    assert (invalidation.where, invalidation.hold, invalidation.masked) == (
        INVALIDATIONS,
        "spin",
        True,
    )


def test_further_pages_cost_an_entry_each_and_beyond_32_the_tree_is_asked():
    """0.1 for each further page; addresses of 33 pages are 1 instead of 0.1."""
    one, many, most = (maps(Dma(mode="strict", pages=n), COSTS) for n in (1, 32, 33))
    assert us(many.before) - us(one.before) == pytest.approx(3.1)
    assert us(many.after) - us(one.after) == pytest.approx(3.1)
    assert us(most.before) - us(many.before) == pytest.approx(0.1 + 0.9)


def test_a_full_queue_is_flushed_by_one_request_in_so_many():
    added = maps(Dma(mode="deferred", per_flush=255.0, full=True), COSTS)
    unmap, choice = added.after

    assert unmap.cost.mean == 2000.0  # the unmap and its entry in the queue
    assert isinstance(choice, Choice)
    (once, (flush,)), (else_, nothing) = choice.branches
    assert once == pytest.approx(1 / 255) and once + else_ == pytest.approx(1.0)
    assert (flush.where, nothing) == (INVALIDATIONS, ())


def test_a_flush_by_timer_is_nobodys_latency():
    """At the lowest rates each unmap has a flush of its own, on the CPU that takes interrupts."""
    (_, spawn) = maps(Dma(mode="deferred", per_flush=1.0), COSTS).after
    assert isinstance(spawn, Spawn)
    assert (spawn.to, kinds(spawn.path)) == ("handler.interrupt", ["serve", "end"])


@pytest.mark.parametrize("mode", ["viommu-strict", "viommu-deferred"])
def test_an_emulated_iommu_is_told_by_an_exit_to_user_space_under_the_big_lock(mode):
    added = maps(Dma(mode=mode, per_flush=10.0, full=True), COSTS)
    told = ["Transition", "lock", "work", "unlock"]

    assert kinds(added.before) == ["work", *told]
    assert added.before[1] == Transition(name="exit", reason="viommu", to="user", where="vcpu")
    assert added.locks == (BIG_LOCK,)
    last = added.after[1:]
    times = 1
    if mode == "viommu-deferred":
        times, last = 10, last[0].branches[0][1]
    assert kinds(last) == ["Transition", "lock", "work", "serve", "unlock"]
    assert last[0].where == "handler"
    assert last[2].cost.mean == times * 2000.0  # each page of the flush is unmapped


def scenario(**words):
    data = Scenario.load("iommu-modes").to_dict()
    data["platform"] = "toy"
    data["vm"][0]["disk"] |= words.pop("disk", {})
    data["vm"][0]["load"] |= words.pop("load", {})
    data["device"]["nvme"] |= words.pop("device", {})
    return Scenario.from_dict(data)


def dma(given):
    return on_iommu.dma_of(Site(given, catalog.platform("toy")), given.vm[0].on_disks[0])


def test_misses_follow_the_buffers_and_the_pages_that_map_them():
    """32 requests under way fit 64 entries; 1,024 do not, unless 2 MiB pages hold them."""
    small = {"vm.memory.host_page": "4KiB"}
    base = scenario()
    assert dma(base).misses == 0.0
    assert dma(base.with_all(small)).misses < 0.1
    many = base.with_("vm.disk.buffers", "4MiB")
    assert dma(many).misses == 0.0
    assert dma(many.with_all(small)).misses > 0.9


def test_rates_of_closed_and_open_loads():
    """Toy: 5 of CPU and 40 of device; two vCPUs could do 400,000, the 32 under way 711,111."""
    site = Site(scenario(), catalog.platform("toy"))
    closed, device = site.scenario.vm[0].on_disks[0], site.scenario.device["nvme"]
    assert on_iommu.rate_of(site, closed, device) == pytest.approx(400_000)
    few = scenario(load={"outstanding": 1}).vm[0].on_disks[0]
    assert on_iommu.rate_of(site, few, device) == pytest.approx(2 / 45e-6)
    data = scenario().to_dict()
    data["vm"][0]["load"] = {"kind": "open", "rate": "1000/s", "jobs": 2}
    paced = Scenario.from_dict(data).vm[0].on_disks[0]
    assert on_iommu.rate_of(site, paced, device) == pytest.approx(1000)


def test_how_many_share_a_flush_comes_from_the_rate():
    """400,000 a second fill two queues before the timer; a thousand wait for it, ten together."""
    quick = dma(scenario(disk={"iommu": "viommu-deferred"}))
    assert quick.full and 255 < quick.per_flush <= 510
    data = scenario(disk={"iommu": "viommu-deferred"}).to_dict()
    data["vm"][0]["load"] = {"kind": "open", "rate": "1000/s"}
    slow = dma(Scenario.from_dict(data))
    assert not slow.full and 9 < slow.per_flush < 12


def test_the_numbers_of_an_iommu_are_cited_only_where_they_are_used():
    named = set(sources(scenario(disk={"iommu": "viommu-strict"})))
    assert {"vfio_map", "iotlb_invalidation", "iotlb_entries"} <= named
    assert not {"vfio_map", "iotlb_invalidation"} & set(sources(scenario()))
