"""Balanced-job bounds of a built system, one source at a time."""

from math import inf

from virtperf.rules.siblings import ALONE
from virtperf.tables import NONE, Poll, PollKind, StationKind, System
from virtperf.theory.capacity import POOL, capacity, resources
from virtperf.theory.demand import Demands
from virtperf.theory.formulas import Centre, Range, balanced_job_bounds
from virtperf.theory.itinerary import think_ticks
from virtperf.theory.tally import Demand


def balanced(system: System, needs: Demands) -> Range | None:
    """Return bounds of the throughput of all sources together, in requests per tick.

    Upper: each source alone, at its least demands, then no more than the resources carry. Lower:
    at its most demands, with a switch before each stay at a worker and everybody else's requests
    in front of it at the resource that hurts most; locks, credits and a pool with fewer pCPUs than
    workers count as further centres, and there each stay also waits for a poll window to end.

    Parameters
    ----------
    system : System
    needs : Demands

    Returns
    -------
    Range or None
        None where a source is open: its requests are not limited in number.
    """
    if any(row.gap != NONE for row in system.sources):
        return None
    caps = []
    for row, need in zip(system.sources, needs.least, strict=True):
        centres = list(_centres(system, need).values())
        think = think_ticks(system, row)
        jobs = balanced_job_bounds(row.outstanding, think, centres).upper
        caps.append(min(jobs, row.outstanding / max(1.0, need.latency + think)))
    rates = [_lower(system, s, needs.most) for s in range(len(system.sources))]
    return Range(lower=sum(rates), upper=sum(capacity(resources(system, needs.least), caps)))


def _lower(system: System, source: int, most: tuple[Demand, ...]) -> float:
    row, need = system.sources[source], most[source]
    centres = _crowded(system, need)
    stays = sum(need.visits[name] for name in need.workers)
    away = think_ticks(system, row) + need.delay + stays * system.pool.switch
    if _contended(system):
        away += stays * max(_poll(system, worker.poll) for worker in system.workers)
    alone = balanced_job_bounds(row.outstanding, away, list(centres.values())).lower
    behind = sum(
        other.outstanding * _worst(centres, _crowded(system, theirs))
        for other, theirs in zip(system.sources, most, strict=True)
        if other is not row
    )
    slowest = (system.pool.sharing or ALONE) / ALONE
    return _per(row.outstanding, (row.outstanding / alone + behind) * slowest)


def _poll(system: System, row: Poll) -> int:
    """Return how long a poll keeps others from its pCPU; one without end has slices."""
    return system.pool.slice if row.kind == PollKind.ENDLESS else row.most


def _per(count: float, ticks: float) -> float:
    return count / ticks if ticks > 0 else inf


def _worst(ours: dict[str, Centre], theirs: dict[str, Centre]) -> float:
    """Return the longest that one of their requests can be in front of ours."""
    common = ours.keys() & theirs.keys()
    times = (max(ours[k].demand, theirs[k].demand) / ours[k].servers for k in common)
    return max(times, default=0.0)


def _centres(system: System, need: Demand) -> dict[str, Centre]:
    """Return the places where a request is served, one after the other."""
    stations = {
        row.name: Centre(need.stations[row.name], row.servers)
        for row in system.stations
        if row.kind == StationKind.SERVERS and row.name in need.stations
    }
    return stations | {name: Centre(demand) for name, demand in need.workers.items()}


def _crowded(system: System, need: Demand) -> dict[str, Centre]:
    """Return the centres, and what a request may wait for besides.

    Locks, credits, pCPUs, and the side paths of others.
    """
    centres = {
        name: Centre(demand + need.aside.get(name, 0.0), servers)
        for name, (demand, servers) in _centres(system, need).items()
    }
    for row in system.stations:
        if row.kind != StationKind.SERVERS and row.name in need.stations:
            centres[row.name] = Centre(need.stations[row.name], row.servers)
    if _contended(system):
        asides = sum(need.aside.get(row.name, 0.0) for row in system.workers)
        centres[POOL] = Centre(sum(need.workers.values()) + asides, system.pool.pcpus)
    return centres


def _contended(system: System) -> bool:
    """Whether a worker may have to wait for a pCPU."""
    return system.pool.pcpus < len(system.workers)
