"""Shapes that must come out of the paths, and were not put in: who is faster, and where it ties."""

from itertools import pairwise

import pytest

from tests.systems import DISKS, SLEEPLESS, system
from virtperf.sim import run
from virtperf.stats import interval
from virtperf.tables import Run, System

pytestmark = pytest.mark.laws
PLATFORM = "x86-kvm-2020"
FAST = dict(channels=32, service={"kind": "exponential", "mean": "10us"})  # 3.2 million IOPS
SLOW = dict(channels=5, service={"kind": "exponential", "mean": "136us"})
MEDIUM = dict(channels=32, service={"kind": "exponential", "mean": "80us"})
WARM = 512  # twice what 8 VMs have outstanding


def throughput(result: Run) -> float:
    """Return requests per second after the first `WARM`."""
    skip = WARM // result.batch
    ends = result.ends[skip - 1 :]
    return (len(ends) - 1) * result.batch / (ends[-1] - ends[0]) * 1e12


def cpu(built: System, result: Run, *, polling: bool = True) -> float:
    """Return busy CPU time per request, in ns."""
    left_out = {"idle"} if polling else {"idle", *(a for a in built.accounts if "polling" in a)}
    last = result.snapshots[-1]
    spent = sum(
        ticks
        for row in last.cpu
        for name, ticks in zip(built.accounts, row, strict=True)
        if name not in left_out
    )
    return spent / sum(last.completed) / 1000


def once(disk: str, *, requests: int = 1500, replication: int = 0, **words) -> tuple[System, Run]:
    built = system(disk, platform=PLATFORM, **words)
    return built, run(built, seed=1, replication=replication, requests=requests)


@pytest.mark.parametrize("device", [FAST, SLOW, MEDIUM], ids=["fast", "slow", "medium"])
def test_at_depth_one_each_path_costs_what_it_exits(device):
    iops = {disk: throughput(once(disk, requests=1000, **device)[1]) for disk in DISKS}
    order = ("emulated-ide", "emulated-ahci", "emulated-nvme", "native")
    assert all(iops[a] < iops[b] for a, b in pairwise(order))
    assert iops["emulated-ide"] < iops["virtio"] < iops["native"]


def test_a_device_faster_than_every_path_shows_the_paths():
    iops = {disk: throughput(once(disk, outstanding=32, **FAST)[1]) for disk in DISKS}
    order = ("emulated-ide", "emulated-ahci", "emulated-nvme", "virtio", "native")
    assert all(iops[a] < iops[b] for a, b in pairwise(order))


@pytest.fixture(scope="module")
def crowd() -> dict[str, list[tuple[System, Run]]]:
    """Return five replications of eight VMs on one slow disk, per technique."""
    words = dict(outstanding=32, vms=8, **SLOW)
    disks = [disk for disk in DISKS if disk not in SLEEPLESS]  # eight cores that poll need eight
    return {disk: [once(disk, replication=r, **words) for r in range(5)] for disk in disks}


@pytest.mark.slow
def test_a_slow_disk_under_load_makes_all_equally_fast(crowd):
    """But IDE, which takes one command at a time: eight of them let channels idle at times."""
    found = {
        disk: interval([throughput(result) for _, result in runs]) for disk, runs in crowd.items()
    }
    ide, ide_half = found.pop("emulated-ide")
    for mean, half_width in found.values():
        assert half_width < 0.05 * mean  # else the test proves nothing
        assert all(abs(mean - other) <= half_width + half for other, half in found.values())
        assert ide + ide_half < mean - half_width


@pytest.mark.slow
def test_a_slow_disk_under_load_shows_the_paths_in_cpu_time(crowd):
    """Polling is left out: it fills time nobody else wants, and there is plenty behind this disk.

    With it, virtio burns more than emulated NVMe here: a matter of its poll window, not its path.
    """
    order = ("native", "virtio", "emulated-nvme", "emulated-ahci", "emulated-ide")
    for a, b in pairwise(order):
        for one, other in zip(crowd[a], crowd[b], strict=True):
            assert cpu(*one, polling=False) < cpu(*other, polling=False)


@pytest.mark.slow
def test_without_a_poll_window_virtio_needs_less_cpu_than_any_emulation(crowd):
    runs = [
        once("virtio", replication=r, outstanding=32, vms=8, poll="0us", **SLOW) for r in (0, 1)
    ]
    for r, (built, result) in enumerate(runs):
        assert cpu(*crowd["native"][r]) < cpu(built, result) < cpu(*crowd["emulated-nvme"][r])


def test_kicks_per_request_fall_as_the_queue_deepens():
    """Without polling: a thread that polls asks for hardly any kick at any depth."""
    kicks = []
    for depth in (1, 4, 16, 64):
        built, result = once("virtio", outstanding=depth, poll="0us", **MEDIUM)
        last = result.snapshots[-1]
        kicks.append(last.counters[built.counters.index("kicks")] / sum(last.completed))
    assert kicks[0] == pytest.approx(1.0, abs=0.01)
    assert all(a > b for a, b in pairwise(kicks))


@pytest.mark.parametrize("depth", [4, 16, 64])
def test_polling_saves_kicks_at_every_depth(depth):
    counts = []
    for poll in ("0us", None):
        built, result = once("virtio", outstanding=depth, poll=poll, **MEDIUM)
        counts.append(result.snapshots[-1].counters[built.counters.index("kicks")])
    assert counts[1] < counts[0]
