"""What changes in a model must change in its results, and nothing else may."""

from dataclasses import replace

import pytest

from tests.systems import DISKS, PLATFORMS, scaled, scenario, system
from virtperf import catalog
from virtperf.build import build
from virtperf.params import ParameterSet
from virtperf.scenario import Scenario
from virtperf.sim import run
from virtperf.tables import NO_POLL, System
from virtperf.theory import zero_load

pytestmark = pytest.mark.laws
VIRTUAL = [disk for disk in DISKS if disk != "native"]
OF_THE_GUEST = {"native_user", "native_kernel", "submit_share", "frequency", "apicv", "slice"}
NOISY = {"kind": "exponential", "mean": "20us"}


def costless(platform: str, *, posted: bool = True) -> ParameterSet:
    """Return a platform on which only the guest's own work and the device take time."""
    numbers = catalog.platform(platform)
    free = scaled(platform, {name: 0.0 for name in numbers if name not in OF_THE_GUEST})
    return free.replace(apicv=replace(numbers["apicv"], value=float(posted)))


def free(disk: str, outstanding: int, *, posted: bool = True) -> System:
    """Return two VMs on one device, whose path costs nothing."""
    words = dict(numbers=costless("x86-kvm-2020", posted=posted), poll="0us", channels=8)
    return system(disk, outstanding=outstanding, service=NOISY, vms=2, pcpus=4, **words)


@pytest.mark.parametrize("posted", [True, False])
@pytest.mark.parametrize("outstanding", [1, 32])
@pytest.mark.parametrize("disk", VIRTUAL)
def test_what_costs_nothing_is_native(disk, outstanding, posted):
    if disk == "emulated-ide" and outstanding > 1:
        pytest.skip("takes one command at a time, whatever it costs")
    path, native = (
        run(free(d, outstanding, posted=posted), seed=1, replication=0, requests=1000)
        for d in (disk, "native")
    )
    mine, theirs = path.snapshots[-1], native.snapshots[-1]

    assert (mine.time, mine.residence, path.in_flight) == (
        theirs.time,
        theirs.residence,
        native.in_flight,
    )
    assert (path.ends, path.sums) == (native.ends, native.sums)
    assert [[h.counts for h in row] for row in path.histograms] == [
        [h.counts for h in row] for row in native.histograms
    ]


def test_one_command_at_a_time_is_depth_1_for_the_device():
    """IDE at depth 32: the device sees what it sees at depth 1, all else is waiting for a slot."""
    deep, alone = (
        run(free("emulated-ide", depth), seed=1, replication=0, requests=1000) for depth in (32, 1)
    )
    device, slots = deep.snapshots[-1].busy[0], deep.snapshots[-1].busy[1]

    assert device <= 2 * deep.snapshots[-1].time  # one per VM
    assert slots <= deep.snapshots[-1].time
    assert deep.snapshots[-1].residence[0] > 20 * alone.snapshots[-1].residence[0]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("disk", DISKS)
def test_a_costlier_exit_moves_latency_by_the_exits_on_the_way(disk, platform):
    """All exits of a lone request are on its way, the one of HLT when its vCPU is woken."""
    words = dict(poll="0us", service={"kind": "deterministic", "value": "90us"})
    dear = scaled(platform, {"exit_hardware": 2})
    costs = [system(disk, numbers=numbers, **words) for numbers in (scaled(platform, {}), dear)]
    plain, doubled = map(zero_load, costs)
    exits = sum(count for name, count in plain.counters.items() if name.startswith("exits."))
    change = round((dear.ns("exit_hardware") - dear.ns("exit_hardware") / 2) * 1000)

    assert (exits == 0) == (disk == "native")
    assert doubled.latency - plain.latency == exits * change
    assert run_latency(costs[1]) - run_latency(costs[0]) == exits * change
    assert doubled.counters == plain.counters


def run_latency(built: System) -> int:
    """Return the latency of the 41st request."""
    totals = [
        sum(run(built, seed=1, replication=0, requests=n).snapshots[-1].residence) for n in (40, 41)
    ]
    return totals[1] - totals[0]


@pytest.mark.parametrize("poll", ["0us", "50us"])
@pytest.mark.parametrize("disk", VIRTUAL)
def test_a_platform_three_times_slower_gives_latencies_three_times_longer(disk, poll):
    times = {n for n, q in catalog.platform("toy").items() if q.dimension == "duration"}
    slow = scaled("toy", dict.fromkeys(times, 3))
    words = dict(vms=3, outstanding=5, pcpus=2, channels=2)
    one = system(disk, poll=poll, slice_="100us", **words)
    longer = {"kind": "deterministic", "value": "60us"}
    poll3 = f"{3 * int(poll[:-2])}us"
    three = system(disk, numbers=slow, service=longer, poll=poll3, slice_="300us", **words)
    a, b = (run(built, seed=1, replication=0, requests=300) for built in (one, three))

    assert [3 * end for end in a.ends] == list(b.ends)
    assert [3 * total for total in a.sums] == list(b.sums)
    assert a.snapshots[-1].counters == b.snapshots[-1].counters
    assert 3 * a.in_flight == b.in_flight


@pytest.mark.parametrize("disk", DISKS)
def test_a_device_and_a_thread_nobody_uses_change_nothing(disk):
    plain = scenario(disk, vms=2, outstanding=6, pcpus=2, channels=2, slice_="20us", service=NOISY)
    tables = plain.to_dict()
    spare = {"spare": tables["device"]["ssd0"]}
    more = Scenario.from_dict(tables | {"device": spare | tables["device"]}, name=disk)
    a, b, c = (
        run(built, seed=1, replication=0, requests=400)
        for built in (build(plain), build(more), with_idle_worker(build(plain)))
    )
    assert (a.ends, a.sums, a.in_flight, a.events) == (b.ends, b.sums, b.in_flight, b.events)
    assert (a.ends, a.sums, a.in_flight, a.events) == (c.ends, c.sums, c.in_flight, c.events)
    assert a.snapshots[-1].counters == b.snapshots[-1].counters == c.snapshots[-1].counters
    assert a.snapshots[-1].cpu == c.snapshots[-1].cpu


def with_idle_worker(built: System) -> System:
    """Return the system with a copy of its last worker that nobody rings."""
    model = built.workers[-1]
    index = len(built.workers)
    inbox = replace(built.inboxes[model.inbox], name="nobody", worker=index)
    worker = replace(model, name="nobody", inbox=len(built.inboxes), interrupt=-1, poll=NO_POLL)
    return replace(built, workers=(*built.workers, worker), inboxes=(*built.inboxes, inbox))


@pytest.mark.parametrize("disk", DISKS)
def test_the_seed_and_the_replication_matter_and_nothing_else_does(disk):
    built = system(disk, vms=2, outstanding=4, service=NOISY)
    a, again, other, seeded = (
        run(built, seed=seed, replication=replication, requests=300)
        for seed, replication in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    assert (a.ends, a.sums, a.snapshots) == (again.ends, again.sums, again.snapshots)
    assert len({a.ends, other.ends, seeded.ends}) == 3
