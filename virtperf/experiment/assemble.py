"""From finished runs to the tables of a Result; keeps no run longer than its point needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from virtperf.experiment import observe
from virtperf.experiment.against_theory import refuse_impossible, refuse_too_quick, theory
from virtperf.experiment.observation import Observation, observed
from virtperf.experiment.observe import Cut
from virtperf.experiment.plan import Point
from virtperf.experiment.samples import QUANTILES
from virtperf.stats import interval
from virtperf.tables import NONE, Histogram, Run
from virtperf.units import TICKS_PER_NS

if TYPE_CHECKING:
    import pandas as pd

OVERLOADED = 0.95  # of the arrivals; a resource this busy may be why fewer end
RESOLVED = 0.02  # a mean counts as resolved when its half-width is at most this share of it


@dataclass(slots=True, kw_only=True)
class Rows:
    """Rows of every table of a result; each list is one table."""

    data: list[tuple[Any, ...]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[Any, ...]] = field(default_factory=list)
    cpu: list[tuple[Any, ...]] = field(default_factory=list)
    cdf: list[tuple[Any, ...]] = field(default_factory=list)
    band: list[tuple[Any, ...]] = field(default_factory=list)
    bounds: list[dict[str, Any]] = field(default_factory=list)
    flags: list[tuple[str, str, str]] = field(default_factory=list)
    nulls: list[tuple[str, str, str]] = field(default_factory=list)


_COLUMNS = {
    "data": ["experiment", "point", "replication", "metric", "value", "unit"],
    "requests": ["point", "group", "account", "ns", "half_width"],
    "cpu": ["point", "account", "ns", "share"],
    "cdf": ["point", "group", "latency_ns", "share"],
    "band": ["point", "corner", "metric", "shift"],
    "flags": ["point", "flag", "says"],
    "nulls": ["point", "metric", "reason"],
}


def frames(rows: Rows) -> dict[str, pd.DataFrame]:
    """Return the rows as tables with their columns, also where there are none."""
    import pandas as pd

    tables = {
        name: pd.DataFrame(getattr(rows, name), columns=columns)
        for name, columns in _COLUMNS.items()
    }
    tables["data"]["value"] = tables["data"]["value"].astype(float)
    return tables | {"points": pd.DataFrame(rows.points), "bounds": pd.DataFrame(rows.bounds)}


def add_point(
    rows: Rows,
    experiment: str,
    point: Point,
    runs: Mapping[int, Run],
    corners: Mapping[str, Run],
) -> None:
    """Add everything that the runs of one point say; raises as `add_observations`."""
    cut = observe.warmup([runs[r] for r in sorted(runs)])
    seen = [observed(point.system, runs[r], cut, r) for r in sorted(runs)]
    at_ends = [observed(point.corners[name], run, cut, 0, name) for name, run in corners.items()]
    add_observations(rows, experiment, point, cut, seen, at_ends)


def add_observations(
    rows: Rows,
    experiment: str,
    point: Point,
    cut: Cut,
    seen: Sequence[Observation],
    corners: Sequence[Observation],
) -> None:
    """Add what the runs of one point said after its cut.

    Raises
    ------
    SimulationError
        If the point does more, or is quicker, than theory allows.
    """
    name = point.label
    if not cut.steady and (says := _overload(point, seen)):
        add_null(rows, experiment, point, "saturated", says)
        return
    silent = _silent_roles(seen)
    for run in seen:
        kept = [row for row in run.metrics if row[0] not in silent]
        rows.data += [(experiment, name, run.replication, *row) for row in kept]
    reasons = {metric: reason for run in reversed(seen) for metric, reason in run.nulls}
    rows.nulls += [(name, metric, reason) for metric, reason in reasons.items()]
    _add_requests(rows, name, seen)
    _add_cpu(rows, point, seen)
    rows.cdf += [(name, *row) for row in _cdf(seen)]
    _add_band(rows, name, seen, corners)
    _add_bounds(rows, point, seen)
    _add_flags(rows, name, cut, seen)
    for corner, resource in point.full_corners.items():
        says = f"{corner} saturates {resource}: the band leaves this end out"
        rows.flags.append((name, "saturated_corner", says))
    rows.points.append(
        {"point": name, **point.levels, "replications": len(seen), "requests": seen[0].finished}
        | {"warmup_cut": cut.requests, "warmup_rule": cut.rule}
        | {"events_per_request": round(point.events, 2)}
    )


def _values(seen: Iterable[Observation]) -> Iterator[tuple[str, float | None]]:
    return ((metric, value) for run in seen for metric, value, _ in run.metrics)


def _silent_roles(seen: Iterable[Observation]) -> set[str]:
    """Return the CPU metrics that are 0 everywhere: accounts of waiting, not of work."""
    totals: dict[str, float] = {}
    for metric, value in _values(seen):
        if metric.startswith("cpu_per_request."):
            totals[metric] = totals.get(metric, 0.0) + (value or 0.0)
    return {metric for metric, total in totals.items() if total == 0}


def _add_requests(rows: Rows, point: str, seen: Iterable[Observation]) -> None:
    tables = [{(group, account): ns for group, account, ns in run.requests} for run in seen]
    keys = dict.fromkeys(key for table in tables for key in table)
    for group, account in keys:
        mean, half = interval([table.get((group, account), 0.0) for table in tables])
        rows.requests.append((point, group, account, mean, half))


def _add_cpu(rows: Rows, point: Point, seen: Sequence[Observation]) -> None:
    totals: dict[str, int] = {}
    for account, ticks in (row for run in seen for row in run.cpu):
        totals[account] = totals.get(account, 0) + ticks
    finished, everything = sum(run.completed for run in seen), sum(totals.values())
    for account in (a for a in point.system.accounts if finished and totals.get(a)):
        ns = totals[account] / finished / TICKS_PER_NS
        rows.cpu.append((point.label, account, ns, totals[account] / everything))


def _cdf(seen: Sequence[Observation]) -> Iterator[tuple[str, float, float]]:
    """Yield (group, latency in ns, share at or below), all replications together."""
    for index, (name, _) in enumerate(seen[0].latencies):
        merged = Histogram().merge(Histogram(run.latencies[index][1]) for run in seen)
        if merged.count:
            yield from ((name, ticks / TICKS_PER_NS, share) for ticks, share in merged.cdf())


def _add_band(
    rows: Rows, point: str, seen: Sequence[Observation], corners: Iterable[Observation]
) -> None:
    """Compare each corner with the central numbers: replication 0, the same cut, the same draws."""
    if seen[0].replication != 0:
        return
    central = {metric: value for metric, value, _ in seen[0].metrics}
    for run in corners:
        for metric, value, _ in run.metrics:
            middle = central.get(metric)
            if value is not None and middle is not None:
                rows.band.append((point, run.corner, metric, value - middle))


def _add_bounds(rows: Rows, point: Point, seen: Sequence[Observation]) -> None:
    reached = [v for metric, v in _values(seen) if metric == "throughput" and v is not None]
    mean = sum(reached) / len(reached)
    refuse_impossible(point, mean, seen)
    refuse_too_quick(point, seen)
    ratio = sum(run.little for run in seen) / len(seen)
    rows.bounds.append(theory(point) | {"throughput": mean, "little": ratio})


def add_null(rows: Rows, experiment: str, point: Point, flag: str, says: str) -> None:
    """Add a point that has no steady state, or no run: every number is null."""
    rows.flags.append((point.label, flag, says))
    for metric, unit in _MAIN.items():
        rows.data.append((experiment, point.label, 0, metric, None, unit))
        rows.nulls.append((point.label, metric, says))
    rows.points.append({"point": point.label, **point.levels, "replications": 0, "requests": 0})
    rows.bounds.append(theory(point))


_MAIN = {f"latency.{name}": "ns" for name in ("mean", *QUANTILES)}
_MAIN |= {"throughput": "1/s", "cpu_per_request.total": "ns"}


def _overload(point: Point, seen: Sequence[Observation]) -> str:
    """Return why runs that did not settle never will: less ends than arrives; "" if they may.

    What theory calls saturated is not run at all. Between its bound and what a system can do in
    truth, with locks that are handed on slowly, say, only a run can tell.
    """
    sources = point.system.sources
    if any(row.gap == NONE for row in sources):
        return ""
    arrive = sum(1e9 / point.system.draws[row.gap].a for row in sources)
    metrics: dict[str, float] = {}
    for metric, value in _values(seen):
        metrics[metric] = metrics.get(metric, 0.0) + (value or 0.0) / len(seen)
    used = {name: value for name, value in metrics.items() if name.startswith("utilization.")}
    busiest = max(used, key=lambda name: used[name])
    if metrics["throughput"] > OVERLOADED * arrive or used[busiest] < OVERLOADED:
        return ""
    return (
        f"saturated: {busiest.removeprefix('utilization.')} is busy all the time; "
        f"{arrive:,.0f}/s arrive, {metrics['throughput']:,.0f}/s finish, and queues grow"
    )


def _add_flags(rows: Rows, point: str, cut: Cut, seen: Iterable[Observation]) -> None:
    if not cut.steady:
        rows.flags.append((point, "no_steady_state", cut.rule))
    means = [v for metric, v in _values(seen) if metric == "latency.mean" and v]
    if len(means) < 2:
        says = "one replication shows no spread: there are no intervals"
        rows.flags.append((point, "single_replication", says))
        return
    mean, half = interval(means)
    if half > RESOLVED * mean:
        says = f"mean not resolved to {RESOLVED:.0%}: its half-width is {half / mean:.1%} of it"
        rows.flags.append((point, "mean_unresolved", says))


def memory_rows(points: Iterable[Point]) -> Iterator[tuple[str, str, str, float, str]]:
    """Yield (point, vm, quantity, value, unit) of the memory of VMs that work."""
    from virtperf.build import memory_use

    for point in points:
        yield from ((point.label, *row) for row in memory_use(point.scenario))


def source_rows(points: Iterable[Point]) -> Iterator[dict[str, Any]]:
    """Yield every number that the points used, once each."""
    from virtperf.build import sources

    seen: dict[tuple[str, Any], None] = {}
    for point in points:
        for name, quantity in (*sources(point.scenario).items(), *_own_numbers(point)):
            if (name, quantity) not in seen:
                seen[name, quantity] = None
                columns = ("value", "unit", "low", "high", "evidence", "checked", "source")
                yield {"name": name, **{key: getattr(quantity, key) for key in columns}}


def _own_numbers(point: Point) -> Iterator[tuple[str, Any]]:
    """Yield the quantities that the scenario itself states."""
    for name, device in point.scenario.device.items():
        yield f"device.{name}.channels", device.channels_quantity
    for index, vm in enumerate(point.scenario.vm):
        for key in ("cpu_user", "cpu_kernel"):
            quantity = getattr(vm.load, key, None)
            if quantity is not None:
                yield f"vm[{index}].load.{key}", quantity
