"""The claims of IOMMUs: what maps of their own cost a stream of packets, and disks without end.

The stream is one core that does nothing else: its packets' work, two buffers mapped before and
unmapped after, each by the parts that `technique.io.dma` makes of the published totals. The disks
are eight on two sockets, each socket's behind an IOMMU with one queue of invalidations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from virtperf.validation.claim import Claim, Estimate

if TYPE_CHECKING:
    from virtperf.mechanism.iommu.traffic import Exposure
    from virtperf.path import Path
    from virtperf.scenario import Scenario
    from virtperf.validation.given import Given

SERVER = "x86-kvm-2020"
Way = Literal["none", "strict", "strict+", "defer", "defer+"]
WAYS: tuple[Way, ...] = ("strict", "strict+", "defer", "defer+", "none")
PACKETS, READS = 20_000, 80_000
DISKS = (
    "frequency iova_alloc iommu_map iommu_unmap iova_queue iotlb_invalidation iotlb_miss slice "
    "thread_switch submit_share"
)
STREAM = tuple(f"malka15.{name}" for name in ["none", "buffers", "frequency", "invalidation"])
TOTALS = {way: tuple(f"malka15.{way}.{part}" for part in ("map", "unmap")) for way in WAYS[:-1]}
QUEUE = ("malka15.queue", "malka15.timeout")
GRACE_FACTS = ("passthrough", "sockets", "disks", "cores", "depth", "channels", "cpu")
GRACE = tuple(f"grace25.{name}" for name in GRACE_FACTS)
GRACE_INPUTS = (*GRACE, *(f"{SERVER}.{name}" for name in DISKS.split()))
QUEUED = f"{SERVER}.iova_queue"  # what strict unmaps do not


# -- a stream of packets on one core ----------------------------------------------------------


def packets(given: Given, way: Way) -> float:
    """Return the packets per second of one core, simulated."""
    from virtperf.assembly import Assembly
    from virtperf.experiment.engines import choose, run_one
    from virtperf.path import end, work
    from virtperf.technique.io.dma import INVALIDATIONS

    before, after = _parts(given, way)
    times = given.count("malka15.buffers")
    base = work("vcpu", given["malka15.none"] * _cycle(given), "packet")
    assembly = Assembly("stream")
    assembly.worker("cpu", "vcpu")
    assembly.station(INVALIDATIONS, 1, called=INVALIDATIONS)
    path = (base, *before * times, *after * times, end())
    names = {"vcpu": "cpu", "handler": "cpu"}
    assembly.source("packets", {"packet": (1.0, path)}, to="cpu", outstanding=1, names=names)
    system = assembly.system()
    run = run_one(system, 1, 0, PACKETS, choose(None, [system])[0])
    return PACKETS / run.snapshots[-1].time * 1e12


def _parts(given: Given, way: Way) -> tuple[Path, Path]:
    """Return what a buffer's map and unmap are made of."""
    from virtperf.params import ParameterSet, Quantity
    from virtperf.technique.costs import Costs
    from virtperf.technique.io.dma import Dma, maps

    if way == "none":
        return (), ()
    deferred = way.startswith("defer")
    mapped, unmapped = (given[name] for name in TOTALS[way])
    shared = open_(given, way).per_flush if deferred else 1.0
    invalidation = given["malka15.invalidation"]
    rest = unmapped - invalidation / shared
    cycles = {"iova_alloc": 0.0, "iommu_map": mapped, "iommu_unmap": rest, "iova_queue": 0.0}
    cycles["iotlb_invalidation"] = invalidation
    numbers = ParameterSet(
        "malka15",
        {
            name: Quantity(
                value=value * _cycle(given),
                unit="ns",
                source="malka15, table 1",
                evidence="published",
                checked="recalled-medium",
            )
            for name, value in cycles.items()
        },
    )
    mode: Literal["deferred", "strict"] = "deferred" if deferred else "strict"
    found = maps(Dma(mode=mode, per_flush=shared, full=True), Costs(numbers))
    return found.before, found.after


def open_(given: Given, way: Way, slower: float = 1.0) -> Exposure:
    """Return a run of the flush queue at the rate of the stream, or a slower one."""
    from virtperf.mechanism.iommu.traffic import exposure

    per_packet = given["malka15.none"] + given.count("malka15.buffers") * sum(
        given[name] for name in TOTALS[way]
    )
    gap = per_packet * _cycle(given) / given.count("malka15.buffers") * slower
    return exposure(gap, 1, given.count("malka15.queue") + 1, given["malka15.timeout"])


def _cycle(given: Given) -> float:
    """Return a cycle in ns."""
    return 1e9 / given["malka15.frequency"]


def _strict_ratio(given: Given) -> Estimate:
    return Estimate(packets(given, "strict") / packets(given, "none"))


def _amortised(given: Given) -> Estimate:
    """Return an unmap's share of a flush, in cycles."""
    return Estimate(given["malka15.invalidation"] / open_(given, "defer").per_flush)


# -- eight disks on two sockets ----------------------------------------------------------------


def disks(given: Given, mode: str, each: int | None = None) -> Scenario:
    """Return as many disks on each socket's IOMMU as there were, or `each`, all read at once."""
    from virtperf.scenario import Scenario

    sockets, all_ = given.count("grace25.sockets"), given.count("grace25.disks")
    each = all_ // sockets if each is None else each
    cores = given.count("grace25.cores") // all_
    channels = given.count("grace25.channels")
    service = channels / (given["grace25.passthrough"] / all_) * 1e9
    work = {"unit": "ns", "source": "half of grace25.cpu", "evidence": "assumed", "checked": "own"}
    half = {"value": given["grace25.cpu"] / 2, **work}
    load = {"kind": "closed", "jobs": cores, "outstanding": given.count("grace25.depth")}
    vms, devices = [], {}
    for number in range(sockets * each):
        device = f"ssd{number}"
        devices[device] = {
            "channels": channels,
            "service": {"kind": "exponential", "mean": service},
            "iommu": f"smmu{number % sockets}",
        }
        vms.append(
            {
                "name": f"readers{number}",
                "vcpus": cores,
                "cpu": {"technique": "direct"},
                "disk": {"technique": "native", "device": device, "iommu": mode},
                "load": {**load, "cpu_user": half, "cpu_kernel": half},
            }
        )
    host = {"pcpus": sockets * each * cores}
    return Scenario.from_dict(
        {"platform": SERVER, "host": host, "vm": vms, "device": devices}, name=f"grace-{mode}"
    )


def reads(given: Given, mode: str, each: int | None = None) -> float:
    """Return the reads per second of all disks under a mode of the IOMMU, simulated."""
    from dataclasses import replace

    from virtperf import catalog
    from virtperf.build import build
    from virtperf.experiment.engines import choose, run_one

    scenario = disks(given, mode, each)
    given.system(scenario)  # all it reads is declared
    numbers = catalog.platform(SERVER)
    if mode == "strict":
        own = replace(
            numbers["iotlb_invalidation"],
            value=given["grace25.invalidation"],
            unit="ns",
            low=None,
            high=None,
        )
        numbers = numbers.replace(iotlb_invalidation=own)
    system = build(scenario, numbers)
    run = run_one(system, 1, 0, READS, choose(None, [system])[0])
    half = len(run.snapshots) // 2
    first, last = run.snapshots[half], run.snapshots[-1]
    return (sum(last.completed) - sum(first.completed)) / (last.time - first.time) * 1e12


def _lazy_over_none(given: Given) -> Estimate:
    return Estimate(reads(given, "deferred") / reads(given, "static"))


IOMMU_CLAIMS = (
    Claim(
        says="a map for each buffer, strictly invalidated, leaves a stream a tenth of its packets",
        outcome="malka15.strict_ratio",
        inputs=(*STREAM, *TOTALS["strict"]),
        predict=_strict_ratio,
        tolerance=0.1,
        why="the totals are recalled, the ratio is of two rounded figures for the worst stream",
    ),
    Claim(
        says="a deferred flush, shared by those it is for, costs an unmap about nine cycles",
        outcome="malka15.amortised",
        inputs=(*STREAM, *TOTALS["defer"], *QUEUE),
        predict=_amortised,
        within=(8.0, 10.0),
        why="the queue's length and the cost of an invalidation give it, to a cycle up or down",
    ),
    Claim(
        says="eight disks give as much under deferred invalidation as without translation",
        outcome="grace25.lazy_ratio",
        inputs=GRACE_INPUTS,
        predict=_lazy_over_none,
        tolerance=0.03,
        why="a ratio on one machine whose disks are the limit, and rounded to a hundredth",
        slow=True,
    ),
    Claim(
        says="strict invalidation holds eight disks to what two queues of invalidations carry",
        outcome="grace25.strict",
        inputs=(*(one for one in GRACE_INPUTS if one != QUEUED), "grace25.invalidation"),
        predict=lambda given: Estimate(reads(given, "strict")),
        tolerance=0.1,
        why="the time of an invalidation was fitted to this figure; what is claimed is that one "
        "server per socket holds all",
        kind="calibrated",
        slow=True,
    ),
)
