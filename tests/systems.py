"""Systems that several tests share: textbook queues, and scenarios made of a few words."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from virtperf import catalog
from virtperf.assembly import Assembly
from virtperf.build import build
from virtperf.dist import Distribution, Exponential
from virtperf.params import ParameterSet
from virtperf.path import Step, end, serve
from virtperf.scenario import Scenario
from virtperf.tables import Run, System
from virtperf.technique import matrix

EXCLUSIVE = ("passthrough",)  # a device of which has one owner
DISKS = tuple(disk for disk in matrix.disk_techniques() if disk not in EXCLUSIVE)
PLATFORMS = ("toy", "x86-kvm-2020", "zen1-kvm-guest")
WITH_SIDE_PATHS = ("emulated-nvme-ioeventfd", "emulated-nvme-iothread")
"""Disks whose thread is told of more than requests: theory's walk is of one request alone."""
SLEEPLESS = ("vhost-user-blk",)
"""Disks one of whose threads never gives up its pCPU; theory's walk needs one for each."""
SERVICE_NS = 1_000.0  # mean service of the textbook queues


def scenario(
    disk: str = "virtio",
    *,
    vms: int = 1,
    outstanding: int = 1,
    pcpus: int = 4,
    platform: str = "toy",
    service: Mapping[str, Any] | None = None,
    channels: int = 32,
    poll: str | None = None,
    slice_: str | None = None,
    policy: str = "round-robin",
    load: Mapping[str, Any] | None = None,
    halts: Mapping[str, Any] | None = None,
) -> Scenario:
    """Return equal VMs on one device; `load` replaces the closed load of `outstanding`.

    `halts` says how halts are polled for, if they are, where the CPU technique has a host.
    """
    host: dict[str, Any] = {"pcpus": pcpus, "policy": policy}
    if slice_ is not None:
        host["slice"] = slice_
    path: dict[str, Any] = {"technique": disk, "device": "ssd0"}
    if poll is not None and disk == "virtio":
        path["poll"] = poll
    vm = {
        "name": "web",
        "count": vms,
        "cpu": {"technique": matrix.default_cpu(disk)},
        "disk": path,
        "load": dict(load or {"kind": "closed", "outstanding": outstanding}),
    }
    if matrix.default_cpu(disk) not in matrix.HOSTLESS:
        vm |= halts or {}
    device = {
        "channels": channels,
        "service": dict(service or {"kind": "deterministic", "value": "20us"}),
    }
    if disk == "sriov":
        device["vfs"] = 64
    data = {"platform": platform, "host": host, "vm": [vm], "device": {"ssd0": device}}
    return Scenario.from_dict(data, name=disk)


def system(disk: str = "virtio", *, numbers: ParameterSet | None = None, **words: Any) -> System:
    """Return `scenario(disk, **words)` built on its platform, or on `numbers`."""
    return build(scenario(disk, **words), numbers)


def scaled(platform: str, factors: Mapping[str, float]) -> ParameterSet:
    """Return a platform some of whose numbers are multiplied by `factors`."""
    numbers = catalog.platform(platform)
    return numbers.replace(**{name: numbers[name].scaled(by) for name, by in factors.items()})


def station_queue(service: Distribution, *, load: float, servers: int = 1) -> System:
    """Return Poisson arrivals at `servers` servers."""
    assembly = Assembly("queue")
    assembly.station("server", servers)
    path = (serve("server", service, "device", purpose="service"), end())
    gap = Exponential(service.mean / (load * servers))
    assembly.source("arrivals", {"job": (1.0, path)}, gap=gap)
    return assembly.system()


def worker_queue(*, load: float) -> System:
    """Return Poisson arrivals at a thread that has one pCPU to itself."""
    assembly = Assembly("worker")
    assembly.worker("thread", "thread")
    cost = Exponential(SERVICE_NS)
    job = work_of("thread", cost)
    assembly.source(
        "arrivals", {"job": (1.0, (job, end()))}, to="thread", gap=Exponential(SERVICE_NS / load)
    )
    return assembly.system()


def tandem(first_ns: float, second_ns: float, *, customers: int) -> System:
    """Return customers that circulate between two single servers."""
    assembly = Assembly("tandem")
    assembly.station("first", 1)
    assembly.station("second", 1)
    path = (
        serve("first", Exponential(first_ns), "first", purpose="first"),
        serve("second", Exponential(second_ns), "second", purpose="second"),
        end(),
    )
    assembly.source("customers", {"job": (1.0, path)}, outstanding=customers)
    return assembly.system()


def work_of(where: str, cost: Distribution, *, purpose: str = "work") -> Step:
    """Return a step of work whose length is drawn."""
    return Step(kind="work", where=where, cost=cost, account=f"{where}: work", purpose=purpose)


def latency(run: Run) -> float:
    """Return the mean latency of a whole run, in ticks."""
    last = run.snapshots[-1]
    return sum(last.residence) / sum(last.completed)


def booked(run: Run, built: System) -> Counter[str]:
    """Return account to ticks of all finished requests."""
    total: Counter[str] = Counter()
    for row in run.snapshots[-1].requests:
        total.update(dict(zip(built.accounts, row, strict=True)))
    return +total
