"""What holds of every way a block request can take out of a guest, whatever its steps cost."""

from itertools import pairwise
from typing import Any

import pytest

from virtperf.build import build
from virtperf.scenario import Scenario
from virtperf.sim import run
from virtperf.stats import interval
from virtperf.tables import Run, System
from virtperf.technique import matrix

pytestmark = pytest.mark.laws
PATHS = [disk for disk in matrix.disk_techniques() if disk != "native"]
EACH = ("emulated-ide", "emulated-ahci", "emulated-nvme", "xen-blkfront", *matrix.GIVEN)
BATCHING = [d for d in PATHS if d not in EACH]
BATCHING.remove("vhost-user-blk")  # a core that outruns its guest finds requests one by one
BY_INDEX = ["virtio-main-loop", "virtio", "vhost-blk"]
"""Of which both doorbells follow an index, and whose thread sleeps when it has nothing to do."""
SLOW = {"channels": 4, "service": {"kind": "exponential", "mean": "400us"}}  # 10,000 a second
FAST = {"channels": 64, "service": {"kind": "exponential", "mean": "10us"}}


def paths(disk: str, *, vcpus: int = 1, depth: int = 8, device: Any = None, **more: Any) -> System:
    """Return a VM with a job and a queue on each vCPU, and a pCPU for every thread."""
    vm = {
        "name": "guest",
        "vcpus": vcpus,
        "cpu": {"technique": matrix.default_cpu(disk)},
        "disk": {"technique": disk, "device": "ssd0", **more},
        "load": {"kind": "closed", "jobs": vcpus, "outstanding": depth},
    }
    data = {"platform": "x86-kvm-2020", "host": {"pcpus": 2 * vcpus + 2}, "vm": [vm]}
    return build(
        Scenario.from_dict(data | {"device": {"ssd0": {**(device or FAST), "vfs": 4}}}, name=disk)
    )


def per_request(built: System, result: Run, counter: str) -> float:
    """Return how often a counter moved in the second half of a run, per request."""
    half, end = result.snapshots[len(result.snapshots) // 2], result.snapshots[-1]
    if counter not in built.counters:
        return 0.0
    at = built.counters.index(counter)
    return (end.counters[at] - half.counters[at]) / (sum(end.completed) - sum(half.completed))


def rate(result: Run) -> float:
    """Return requests per second in the second half of a run."""
    half, end = result.snapshots[len(result.snapshots) // 2], result.snapshots[-1]
    return (sum(end.completed) - sum(half.completed)) / (end.time - half.time) * 1e12


@pytest.mark.long
def test_behind_a_slow_device_all_paths_carry_the_same():
    """But one that takes a command at a time; the device's own draws are the same for all."""
    seen = {}
    for disk in ("native", *PATHS):
        if disk != "emulated-ide":
            built = paths(disk, depth=32, device=SLOW)
            runs = [run(built, seed=1, replication=r, requests=3_000) for r in range(5)]
            seen[disk] = interval([rate(one) for one in runs])
    native, half = seen.pop("native")
    assert half < 0.05 * native  # else the test proves nothing
    for disk, (mean, noise) in seen.items():
        assert abs(mean - native) <= half + noise, disk


@pytest.mark.parametrize("disk", BY_INDEX)
def test_kicks_and_interrupts_fall_toward_none_as_load_grows(disk):
    """Without polling: what is suppressed follows from what the busy peer wrote to the ring."""
    no_poll = {"poll": "0us"} if matrix.polls(disk) else {}
    found = []
    for depth in (1, 8, 64):
        built = paths(disk, depth=depth, **no_poll)
        result = run(built, seed=1, replication=0, requests=2_000)
        found.append([per_request(built, result, name) for name in ("kicks", "interrupts")])
    kicks, interrupts = zip(*found, strict=True)

    assert kicks[0] == interrupts[0] == 1
    assert all(a > b for a, b in pairwise(kicks))
    assert all(a > b for a, b in pairwise(interrupts))
    assert kicks[-1] < 0.1
    assert interrupts[-1] < 0.1


@pytest.mark.parametrize("depth", [1, 32])
def test_a_core_that_polls_is_never_kicked(depth):
    built = paths("vhost-user-blk", depth=depth)
    last = run(built, seed=1, replication=0, requests=500).snapshots[-1]
    counts = dict(zip(built.counters, last.counters, strict=True))
    assert counts["kicks"] == counts["exits.kick"] == 0


def test_a_polling_core_is_busy_all_the_time_and_never_changes_hands():
    built = paths("vhost-user-blk", depth=4)
    last = run(built, seed=1, replication=0, requests=500).snapshots[-1]
    spent = dict(zip(built.accounts, map(sum, zip(*last.cpu, strict=True)), strict=True))
    on_core = [ticks for name, ticks in spent.items() if name.startswith("polling core")]
    assert sum(on_core) == last.time


def test_shadow_doorbells_ring_only_whom_their_index_asks_for():
    """The same driver with plain doorbells rings for every submission."""
    rung = {}
    for disk in ("emulated-nvme-iothread", "emulated-nvme-dbbuf"):
        built = paths(disk, depth=32)
        result = run(built, seed=1, replication=0, requests=2_000)
        rung[disk] = per_request(built, result, "kicks")
    assert rung["emulated-nvme-iothread"] == pytest.approx(1, abs=0.05)  # of those under way
    assert rung["emulated-nvme-dbbuf"] < 0.1  # its thread sleeps now and then, and asks


NVME = [f"emulated-nvme{path}" for path in ("", "-ioeventfd", "-iothread", "-dbbuf")]


def submitting(disk: str, how: str, depth: int):
    """Return one job on a path that submits its requests each or together, and a run of it."""
    built = paths(disk, depth=depth, submission=how)
    return built, run(built, seed=1, replication=0, requests=2_000)


@pytest.mark.parametrize("disk", NVME[:3])
def test_who_submits_together_rings_once_for_all(disk):
    """Of 32 under way a plug holds 16. By index, who is quicker decides."""
    counter = "exits.io" if disk == "emulated-nvme" else "exits.kick"
    each, batch = (per_request(*submitting(disk, how, 32), counter) for how in ("each", "batch"))
    assert each >= 1
    assert 1 / 16 <= batch < 0.5


@pytest.mark.parametrize("disk", [*NVME, "virtio"])
def test_alone_a_batch_is_a_request(disk):
    each, batch = (submitting(disk, how, 1)[1] for how in ("each", "batch"))
    assert each.snapshots[-1].time == batch.snapshots[-1].time


@pytest.mark.parametrize("how", ["each", "batch"])
@pytest.mark.parametrize("disk", NVME[:2])
def test_a_handler_writes_the_completion_doorbell_once(disk, how):
    """Each interrupt's handler writes one, or another one for what came while it wrote."""
    built, result = submitting(disk, how, 32)
    heads = per_request(built, result, "exits.io" if disk == NVME[0] else "exits.kick")
    rung = 0.0 if disk == NVME[0] else per_request(built, result, "kicks")
    if disk == NVME[1]:
        assert 0 < heads - rung < 0.9  # of submissions there is one each without a batch
    elif how == "batch":
        assert heads < 0.5


@pytest.mark.parametrize("disk", BATCHING)
def test_all_of_a_batch_have_one_interrupt(disk):
    """A thread that takes 32 at a time need not tell of each.

    A guest that is trapped submits more slowly than the main loop completes, which so has no batch;
    a device of one's own tells of each; Dom0 has a thread of its own for each queue, which is told
    of one completion after the other.
    """
    built = paths(disk, depth=32)
    result = run(built, seed=1, replication=0, requests=2_000)
    assert per_request(built, result, "interrupts") < 0.5


@pytest.mark.parametrize(
    ("disk", "field"),
    [("virtio", "iothreads"), ("vhost-blk", "workers"), ("emulated-nvme-dbbuf", "iothreads")],
)
def test_threads_multiply_what_queues_can_carry(disk, field):
    """A thread is the bottleneck, and threads share nothing; the guest's own CPUs come close."""
    light = {"cpu_user": "0us", "cpu_kernel": "1us"}
    carried = []
    for threads in (1, 2, 4):
        scenario = Scenario.load("block-paths").with_all(
            {"vm.disk.technique": disk, f"vm.disk.{field}": threads, "host.pcpus": 10}
            | {f"vm.load.{name}": value for name, value in light.items()}
        )
        result = run(build(scenario), seed=1, replication=0, requests=6_000)
        carried.append(rate(result))
    assert carried[1] == pytest.approx(2 * carried[0], rel=0.1)
    assert carried[2] == pytest.approx(4 * carried[0], rel=0.1)


def test_the_main_loop_is_one_thread_whatever_there_is_of_queues():
    light = {"vm.load.cpu_user": "0us", "vm.load.cpu_kernel": "1us"}
    scenario = Scenario.load("block-paths").with_all(
        {"vm.disk.technique": "virtio-main-loop", "host.pcpus": 10} | light
    )
    four = run(build(scenario), seed=1, replication=0, requests=6_000)
    one = scenario.with_all({"vm.vcpus": 1, "vm.load.jobs": 1, "vm.load.outstanding": 128})
    alone = run(build(one), seed=1, replication=0, requests=6_000)
    assert rate(four) == pytest.approx(rate(alone), rel=0.1)  # batches differ
