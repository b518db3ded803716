"""What a system cannot beat, and what it should not fall below, before any run."""

from collections.abc import Sequence
from dataclasses import dataclass

from virtperf.tables import NONE, SourceRow, System
from virtperf.theory.balanced import balanced
from virtperf.theory.capacity import Resource, capacity, narrowest, resources
from virtperf.theory.demand import demands
from virtperf.theory.itinerary import may_fail, may_lack_credit, think_ticks
from virtperf.theory.tally import Demand
from virtperf.theory.zero_load import light_rate, zero_load
from virtperf.units import TICKS_PER_NS

TICKS_PER_S = TICKS_PER_NS * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What theory says of a system. Times in ns, throughput of all sources together in 1/s.

    Attributes
    ----------
    zero_load_ns : float
        Mean latency of a request that meets no other; sources weighted by their rates alone.
    floor_latency_ns : float
        Sum of the least costs, of the source where it is smallest: no mean latency can be lower.
        Below `zero_load_ns`, as load may save doorbells and wake-ups.
    bottleneck : str
        Resource that limits `max_throughput_per_s`: a station, lock, worker, or ``host``.
    max_throughput_per_s : float
        What the resources carry at the least demands, whatever the load.
    throughput_upper_per_s : float
        Asymptotic bound of this load: also no more than N / (floor latency + think time) of a
        closed source, and the rate of an open one.
    balanced_lower_per_s, balanced_upper_per_s : float or None
        Balanced-job bounds; None where a source is open. They assume a product form: constant
        service times and batches may beat the upper one, blocking and slices the lower.
    latency_lower_ns : float
        Lower bound of the mean latency: the floor, or N / bound - Z if all sources are closed and
        no request fails; Z is the longest of their mean think times.
    saturated : bool
        Whether open sources bring more than a resource can carry: no steady state. Sources whose
        requests are dropped for want of a credit do not count.
    resource : str
        The resource that they saturate; empty if they do not.

    Notes
    -----
    Side paths take no part in the bounds: a run may end before they have been worked off.

    These hold for means in a steady state. A short run with random costs may draw cheap ones and
    beat them by its noise; in one that spans only a few slices the requests that have finished
    are the lucky ones, and their mean latency may lie below `latency_lower_ns`.
    """

    zero_load_ns: float
    floor_latency_ns: float
    bottleneck: str
    max_throughput_per_s: float
    throughput_upper_per_s: float
    balanced_lower_per_s: float | None
    balanced_upper_per_s: float | None
    latency_lower_ns: float
    saturated: bool
    resource: str


def bounds(system: System) -> Bounds:
    """Return the bounds of a system.

    Parameters
    ----------
    system : System

    Returns
    -------
    Bounds
        From mean costs alone; nothing is simulated.
    """
    needs = demands(system)
    rows, rates = upper(system, needs.least)
    free = capacity(rows, [float("inf")] * len(system.sources))
    caps = [light_rate(system, s, need.latency) for s, need in enumerate(needs.least)]
    offered = [
        cap if _is_open(row) and not may_lack_credit(system, row) else 0.0
        for cap, row in zip(caps, system.sources, strict=True)
    ]
    crowded, load = narrowest(rows, offered)
    loads = [zero_load(system, s).latency for s in range(len(system.sources))]
    zero = _mean(loads, [light_rate(system, s, load) for s, load in enumerate(loads)])
    floor = min(need.latency for need in needs.least)
    jobs = balanced(system, needs)
    return Bounds(
        zero_load_ns=zero / TICKS_PER_NS,
        floor_latency_ns=floor / TICKS_PER_NS,
        bottleneck=narrowest(rows, free)[0],
        max_throughput_per_s=sum(free) * TICKS_PER_S,
        throughput_upper_per_s=sum(rates) * TICKS_PER_S,
        balanced_lower_per_s=jobs and jobs.lower * TICKS_PER_S,
        balanced_upper_per_s=jobs and jobs.upper * TICKS_PER_S,
        latency_lower_ns=_latency_lower(system, floor, sum(rates)) / TICKS_PER_NS,
        saturated=load >= 1,
        resource=crowded if load >= 1 else "",
    )


def upper(system: System, least: Sequence[Demand]) -> tuple[list[Resource], tuple[float, ...]]:
    """Return what limits a system, and the greatest throughputs of its sources, per tick."""
    rows = resources(system, least)
    caps = [light_rate(system, s, need.latency) for s, need in enumerate(least)]
    return rows, capacity(rows, caps)


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def _is_open(row: SourceRow) -> bool:
    return row.gap != NONE


def _latency_lower(system: System, floor: float, most: float) -> float:
    """Return max(floor, N / X - Z) by Little's law for closed sources, else the floor.

    With X_s of source s, N = sum X_s (R_s + Z_s), so that the mean R is N / X less a mean of the
    Z_s, whose weights nobody knows; failed requests would take a part of N along.
    """
    if most <= 0 or any(_is_open(row) or may_fail(system, row) for row in system.sources):
        return floor
    customers = sum(row.outstanding for row in system.sources)
    return max(floor, customers / most - max(think_ticks(system, s) for s in system.sources))
