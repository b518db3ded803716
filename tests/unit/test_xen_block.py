"""Xen's split block driver and its driver domain: paths, placement, words of a scenario."""

import pytest

from tests.systems import scenario, system
from virtperf import catalog, fast, sim
from virtperf.build import build
from virtperf.errors import ScenarioError
from virtperf.scenario import Scenario
from virtperf.tables import System
from virtperf.technique.costs import Costs
from virtperf.technique.io.grants import Grants
from virtperf.technique.io.xen_block import ring_entries
from virtperf.theory import zero_load

WORDS = {"seed": 1, "replication": 0}
TOY = Costs(catalog.platform("toy"), catalog.devices())


def blkfront(changes=None, **words) -> Scenario:
    return scenario("xen-blkfront", **words).with_all(changes or {})


def counted(built: System, run) -> dict[str, int]:
    return dict(zip(built.counters, run.snapshots[-1].counters, strict=True))


# -- rings and grants ---------------------------------------------------------------------------


@pytest.mark.parametrize(("pages", "entries"), [(1, 32), (2, 64), (16, 512), (64, 2048)])
def test_a_ring_holds_a_power_of_two_of_its_entries(pages, entries):
    assert ring_entries(pages, TOY) == entries


def test_a_request_of_many_pages_lists_them_in_one_more():
    few, many = (Grants("map", pages * 4096, direct=11, others=0, costs=TOY) for pages in (11, 12))
    assert (few.named, many.named) == (11, 13)


@pytest.mark.parametrize(
    ("grants", "calls", "copies"), [("map", 2, 0), ("copy", 1, 0), ("persistent", 0, 1)]
)
def test_each_kind_of_grant_costs_whom_it_should(grants, calls, copies):
    """Toy: 3 us a hypercall, 1 us a page copied by the guest."""
    load = zero_load(build(blkfront({"vm.disk.grants": grants})))

    assert load.counters.get("dom0-hypercalls.grant_table_op", 0) == calls
    assert load.breakdown.get("vcpu: copy to and from granted pages", 0) == copies * 1e6
    assert ("dom0: grants" in load.breakdown) == (grants == "map")


def test_a_lone_request_sends_an_event_each_way_and_interrupts_xen_once():
    counters = zero_load(system("xen-blkfront")).counters
    assert counters["exits.event_channel_op"] == counters["kicks"] == 1
    assert counters["dom0-hypercalls.event_channel_op"] == counters["interrupts"] == 1
    assert counters["pirqs"] == 1


def test_a_paravirtual_guest_sends_its_event_by_hypercall():
    changes = {"vm.guest": "ported", "vm.cpu": "paravirtual"}
    counters = zero_load(build(blkfront(changes))).counters
    assert counters["hypercalls.event_channel_op"] == 1
    assert not any(name.startswith("exits.") for name in counters)


def test_a_busy_ring_needs_fewer_events_than_it_has_requests():
    built = build(blkfront(outstanding=32, platform="x86-kvm-2020"))
    run = fast.run(built, **WORDS, requests=2_000)
    counters = counted(built, run)
    assert counters["kicks"] < 0.5 * sum(run.snapshots[-1].completed)
    assert counters["interrupts"] <= sum(run.snapshots[-1].completed)


# -- Dom0 ---------------------------------------------------------------------------------------


def test_dom0_has_a_vcpu_per_pcpu_unless_told_and_rings_are_dealt_to_them():
    built = build(blkfront({"vm.vcpus": 3}, vms=2, pcpus=4))
    dom0 = [row for row in built.workers if row.role == "dom0"]
    assert [row.name for row in dom0] == [f"dom0.vcpu{n}" for n in range(4)]
    tasks = [row for row in built.inboxes if row.name.endswith("blkback")]
    assert [built.workers[row.worker].name[-1] for row in tasks] == list("012301")


def test_a_flush_reaches_only_vcpus_that_run():
    """One guest's thread is alone on Dom0; with four, the others of Dom0 run most of the time."""
    per_request = []
    for vms in (1, 4):
        words = dict(vms=vms, outstanding=32, pcpus=12, platform="x86-kvm-2020")
        changes = {"vm.disk.grants": "map", "host.dom0": {"vcpus": 8}}
        built = build(blkfront(changes, **words))
        run = fast.run(built, **WORDS, requests=4_000)
        per_request.append(counted(built, run)["flush_ipis"] / 4_000)
    assert per_request[0] == 0
    assert 1 < per_request[1] < 3.1  # of 7; a few flushes are of requests that are under way


@pytest.mark.parametrize("grants", ["map", "copy", "persistent"])
def test_both_engines_agree_on_guests_that_share_dom0(grants):
    changes = {
        "vm.disk.grants": grants,
        "vm.vcpus": 2,
        "vm.load.jobs": 3,
        "host.policy": "credit",
        "host.dom0": {"vcpus": 2, "weight": 512},
    }
    service = {"kind": "exponential", "mean": "5us"}
    words = dict(vms=3, outstanding=16, pcpus=3, platform="x86-kvm-2020", service=service)
    built = build(blkfront(changes, **words))
    a, b = (engine.run(built, **WORDS, requests=1_500) for engine in (sim, fast))
    assert (a.ends, a.sums, a.in_flight) == (b.ends, b.sums, b.in_flight)
    assert a.snapshots[-1].counters == b.snapshots[-1].counters
    assert a.snapshots[-1].cpu == b.snapshots[-1].cpu


def throughput(given: Scenario) -> float:
    run = fast.run(build(given), **WORDS, requests=8_000)
    ends = run.ends[len(run.ends) // 4 :]
    return (len(ends) - 1) * run.batch / (ends[-1] - ends[0])


def test_one_dom0_of_one_vcpu_serves_no_more_guests_than_one_can():
    """With eight guests it is the same Dom0: twice the throughput of one guest takes two vCPUs."""
    words = dict(outstanding=32, pcpus=16, platform="x86-kvm-2020")
    one, many = (
        throughput(blkfront({"host.dom0": {"vcpus": 1}}, vms=vms, **words)) for vms in (1, 8)
    )
    wide = throughput(blkfront({"host.dom0": {"vcpus": 8}}, vms=8, **words))
    assert many < 1.2 * one
    assert wide > 3 * many


def test_a_dom0_that_does_not_run_must_be_scheduled_first():
    """One pCPU, and a guest that computes on it beside the one with the disk."""
    given = Scenario.load("starved-backend").with_all(
        {"host.pcpus": 1, "vm[0].disk.technique": "xen-blkfront", "host.dom0": {"vcpus": 1}}
    )
    built = build(given)
    run = fast.run(built, **WORDS, requests=3_000)
    last = run.snapshots[-1]
    disk = [row for row, name in zip(last.requests, built.groups, strict=True) if "disk" in name]
    waits = sum(row[built.accounts.index("wait: CPU for dom0")] for row in disk)
    assert waits > 0


# -- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"vm.disk.ring_pages": 3}, r"vm\[0\]\.disk\.ring_pages must be a power of two, got 3"),
        ({"vm.load.size": "1MiB"}, r"load\.size must be at most 128KiB under xen-blkfront"),
        ({"host.dom0": {"affinity": [9]}, "host.policy": "credit"}, r"host\.dom0\.affinity must"),
        ({"host.dom0": {"weight": 9}}, r"host\.dom0\.weight must be left out under round-robin"),
        (
            {"host.dom0": {"vcpus": 1, "cap": 2.0}, "host.policy": "credit"},
            r"host\.dom0\.cap must be at most vcpus \(1\)",
        ),
        ({"vm.cpu": "binary-translation"}, "a split driver calls Xen"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes, says):
    with pytest.raises(ScenarioError, match=says):
        blkfront(changes)


def test_words_of_a_split_driver_are_for_split_drivers():
    for field, value in (("ring_pages", 2), ("grants", "map")):
        with pytest.raises(ScenarioError, match=rf"disk\.{field} must be left out unless"):
            scenario("virtio").with_(f"vm.disk.{field}", value)


def test_another_technique_leaves_the_words_of_a_split_driver_behind():
    given = blkfront({"vm.disk.ring_pages": 4, "vm.disk.grants": "copy"})
    disk = given.with_("vm.disk", "virtio").vm[0].disk
    assert (disk.ring_pages, disk.grants) == (None, None)


def test_the_shipped_scenario_shows_dom0_saturated():
    """Twice the guests make no more requests, for Dom0's two vCPUs were busy before."""
    given = Scenario.load("xen-block")
    few, many = (throughput(given.with_("vm.count", count)) for count in (4, 8))
    assert many < 1.1 * few
