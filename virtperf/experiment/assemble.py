"""From finished runs to the tables of a Result; keeps no run longer than its point needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from virtperf.experiment import observe
from virtperf.experiment.against_theory import refuse_impossible, refuse_too_quick, theory
from virtperf.experiment.observe import Cut, Window
from virtperf.experiment.plan import Point
from virtperf.experiment.samples import QUANTILES
from virtperf.stats import interval
from virtperf.tables import NONE, Run
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
    """Add everything that the runs of one point say.

    Raises
    ------
    SimulationError
        If the point does more, or is quicker, than theory allows.
    """
    cut = observe.warmup([runs[r] for r in sorted(runs)])
    windows = {r: observe.window(point.system, runs[r], cut) for r in sorted(runs)}
    name = point.label
    values = {r: list(observe.metrics(seen)) for r, seen in windows.items()}
    if not cut.steady and (says := _overload(point, list(values.values()))):
        add_null(rows, experiment, point, "saturated", says)
        return
    silent = _silent_roles(values.values())
    for replication, seen in values.items():
        kept = [row for row in seen if row[0] not in silent]
        rows.data += [(experiment, name, replication, *row) for row in kept]
    _add_nulls(rows, name, values, windows)
    _add_requests(rows, name, windows.values())
    _add_cpu(rows, name, windows.values())
    rows.cdf += [(name, *row) for row in observe.cdf(list(windows.values()))]
    _add_band(rows, point, cut, values, corners)
    _add_bounds(rows, point, values.values(), windows.values())
    _add_flags(rows, name, cut, values)
    for corner, resource in point.full_corners.items():
        says = f"{corner} saturates {resource}: the band leaves this end out"
        rows.flags.append((name, "saturated_corner", says))
    finished = next(iter(runs.values())).snapshots[-1].completed
    rows.points.append(
        {"point": name, **point.levels, "replications": len(runs), "requests": sum(finished)}
        | {"warmup_cut": cut.requests, "warmup_rule": cut.rule}
        | {"events_per_request": round(point.events, 2)}
    )


def _silent_roles(replications: Iterable[list[tuple[str, float | None, str]]]) -> set[str]:
    """Return the CPU metrics that are 0 everywhere: accounts of waiting, not of work."""
    seen: dict[str, float] = {}
    for metric, value, _ in (row for rows in replications for row in rows):
        if metric.startswith("cpu_per_request."):
            seen[metric] = seen.get(metric, 0.0) + (value or 0.0)
    return {metric for metric, total in seen.items() if total == 0}


def _add_nulls(
    rows: Rows,
    point: str,
    values: Mapping[int, list[tuple[str, float | None, str]]],
    windows: Mapping[int, Window],
) -> None:
    reasons: dict[str, str] = {}
    for replication, seen in values.items():
        for metric, value, _ in seen:
            if value is None:
                reasons.setdefault(metric, observe.reason(metric, windows[replication]))
    rows.nulls += [(point, metric, reason) for metric, reason in reasons.items()]


def _add_requests(rows: Rows, point: str, windows: Iterable[Window]) -> None:
    tables = [
        {(group, account): ns for group, account, ns in observe.request_time(seen)}
        for seen in windows
    ]
    keys = dict.fromkeys(key for table in tables for key in table)
    for group, account in keys:
        mean, half = interval([table.get((group, account), 0.0) for table in tables])
        rows.requests.append((point, group, account, mean, half))


def _add_cpu(rows: Rows, point: str, windows: Iterable[Window]) -> None:
    windows = list(windows)
    totals = [sum(column) for column in zip(*map(observe.cpu_ticks, windows), strict=True)]
    finished = sum(seen.completed for seen in windows)
    everything = sum(totals)
    for account, ticks in zip(windows[0].system.accounts, totals, strict=True):
        if ticks and finished:
            ns = ticks / finished / TICKS_PER_NS
            rows.cpu.append((point, account, ns, ticks / everything))


def _add_band(
    rows: Rows,
    point: Point,
    cut: Cut,
    values: Mapping[int, list[tuple[str, float | None, str]]],
    corners: Mapping[str, Run],
) -> None:
    """Compare each corner with the central numbers: replication 0, the same cut, the same draws."""
    if 0 not in values:
        return
    central = {metric: value for metric, value, _ in values[0]}
    for corner, run in corners.items():
        seen = observe.window(point.corners[corner], run, cut)
        for metric, value, _ in observe.metrics(seen):
            middle = central.get(metric)
            if value is not None and middle is not None:
                rows.band.append((point.label, corner, metric, value - middle))


def _add_bounds(
    rows: Rows,
    point: Point,
    values: Iterable[list[tuple[str, float | None, str]]],
    windows: Iterable[Window],
) -> None:
    windows = list(windows)
    reached = [v for seen in values for n, v, _ in seen if n == "throughput" and v is not None]
    mean = sum(reached) / len(reached)
    refuse_impossible(point, mean, windows)
    refuse_too_quick(point, windows)
    ratio = sum(map(observe.little, windows)) / len(windows)
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


def _overload(point: Point, replications: list[list[tuple[str, float | None, str]]]) -> str:
    """Return why runs that did not settle never will: less ends than arrives; "" if they may.

    What theory calls saturated is not run at all. Between its bound and what a system can do in
    truth, with locks that are handed on slowly, say, only a run can tell.
    """
    sources = point.system.sources
    if any(row.gap == NONE for row in sources):
        return ""
    arrive = sum(1e9 / point.system.draws[row.gap].a for row in sources)
    metrics: dict[str, float] = {}
    for row in replications:
        for metric, value, _ in row:
            metrics[metric] = metrics.get(metric, 0.0) + (value or 0.0) / len(replications)
    used = {name: value for name, value in metrics.items() if name.startswith("utilization.")}
    busiest = max(used, key=lambda name: used[name])
    if metrics["throughput"] > OVERLOADED * arrive or used[busiest] < OVERLOADED:
        return ""
    return (
        f"saturated: {busiest.removeprefix('utilization.')} is busy all the time; "
        f"{arrive:,.0f}/s arrive, {metrics['throughput']:,.0f}/s finish, and queues grow"
    )


def _add_flags(
    rows: Rows, point: str, cut: Cut, values: Mapping[int, list[tuple[str, float | None, str]]]
) -> None:
    if not cut.steady:
        rows.flags.append((point, "no_steady_state", cut.rule))
    means = [v for seen in values.values() for m, v, _ in seen if m == "latency.mean" and v]
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
        for at, load in vm.loads_at:
            for key in ("cpu_user", "cpu_kernel"):
                quantity = getattr(load, key, None)
                if quantity is not None:
                    yield f"vm[{index}].{at}.{key}", quantity
