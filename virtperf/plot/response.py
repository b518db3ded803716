"""The figure of a response: a metric against one factor, a line for each level of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError
from virtperf.plot.figures import _axes, _legend_above, _line, _tidy
from virtperf.plot.memory import bytes_in_words, ends
from virtperf.units import parse

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from virtperf.result import Result

UNITS = {"ns": ("us", 1e-3), "1/s": ("1,000/s", 1e-3)}
_LONG = ("ms", 1e-6)  # of times from 10 ms on
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "latency.p50": "median latency",
        "latency.p95": "95th percentile of latency",
        "latency.p99": "99th percentile of latency",
        "latency.mean": "mean latency",
        "throughput": "requests",
        "cpu_per_request.total": "CPU time per request",
        "vm.count": "virtual machines",
        "vm.vcpus": "vCPUs",
        "vm.load.outstanding": "requests in flight",
        "vm.disk.iothreads": "I/O threads",
        "vm.working_set": "working set of a vCPU",
        "host.slice": "slice",
        "host.pcpus": "pCPUs",
    }
)
"""Metrics and factors in words."""
NOTHING: Mapping[str, str] = MappingProxyType({})


def response(
    result: Result,
    x: str,
    metric: str,
    ax: Axes | None = None,
    *,
    over: Mapping[str, Any] | None = None,
    names: Mapping[str, str] = NOTHING,
    log: str = "",
    direct: bool = False,
    title: str = "",
) -> Axes:
    """Draw a metric against a factor, one line per technique, with its intervals.

    Parameters
    ----------
    result : Result
        Of a design with the factor `x`. Factors that move in step with it name no lines.
    x : str
        Factor on the abscissa, for example ``"vm.count"``; times and sizes are read with their
        units.
    metric : str
        Metric to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    over : mapping, optional
        Baseline, such as ``{"vm.disk": "native"}``: drawn is the ratio to it, replication by
        replication.
    names : mapping of str to str
        What metrics, factors and lines (their levels, with blanks between) are called.
    log : str
        Which axes are logarithmic: ``"x"``, ``"y"`` or ``"xy"``.
    direct : bool
        Whether each line has its name at its end, not in a legend.
    title : str
        Line above.

    Raises
    ------
    ParameterError
        If the result does not vary `x`.
    """
    factors = list(result.provenance.get("factors", []))
    if x not in factors:
        must = f"one of {', '.join(factors)}" if factors else "a factor; this result varies none"
        raise ParameterError("plot", "x", must, x)
    ax = ax if ax is not None else _axes(*((6.4, 3.8) if direct else (4.6, 3.4)))
    table = result.summary() if over is None else _ratios(result, metric, over, x)
    table = table.merge(result.points[["point", *factors]], on="point")
    table = table[(table["metric"] == metric) & table["mean"].notna()]
    unit, scale = _scale(table)
    said, at = {**NAMES, **names}, []
    places, ticks = _places(list(dict.fromkeys(table[x])))
    for index, (line, rows) in enumerate(_lines(table, x, factors)):
        half = (rows["ci_high"] - rows["mean"]).fillna(0.0) * scale
        xs, ys = [places[level] for level in rows[x]], rows["mean"] * scale
        ax.errorbar(xs, ys, yerr=half, label=said.get(line, line), **_line(index))
        at.append((xs[-1], float(ys.iloc[-1]), said.get(line, line), _line(index)["color"]))
    what = said.get(metric, metric)
    ax.set_xlabel(said.get(x, x))
    ax.set_ylabel(what if over is not None or not unit else f"{what} [{unit}]")
    _finish(ax, ticks, log)
    if direct:
        ends(ax, at)
        ax.set_title(title, loc="left", fontsize=10)
    else:
        _legend_above(ax)
    return ax


def _ratios(result: Result, metric: str, over: Mapping[str, Any], x: str) -> pd.DataFrame:
    """Return the ratios; a baseline that is a level of `x` is a point of each line, at 1."""
    import pandas as pd

    table = result.relative(metric, over)
    if x not in over:
        return table
    at = result.points
    for factor, level in over.items():
        at = at[at[factor].astype(str) == str(level)]
    base = pd.DataFrame({"point": at["point"], "metric": metric, "unit": "1", "mean": 1.0})
    table = pd.concat([table, base.assign(ci_low=1.0, ci_high=1.0)], ignore_index=True)
    order = {point: rank for rank, point in enumerate(result.labels)}
    return table.sort_values("point", key=lambda names: names.map(order), ignore_index=True)


def _lines(table: pd.DataFrame, x: str, factors: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return each line's name and rows, by the factors that do not just follow `x`."""
    others = [
        factor
        for factor in factors
        if factor != x and table.groupby(x, sort=False)[factor].nunique().max() > 1
    ]
    if not others:
        return [("", table)]
    groups = table.groupby(others, sort=False)
    return [(" ".join(map(str, levels)), rows) for levels, rows in groups]


def _scale(table: pd.DataFrame) -> tuple[str, float]:
    """Return the unit of the ordinate, and what values are multiplied by."""
    unit = str(table["unit"].iloc[0])
    if unit == "ns" and table["mean"].max() >= 1e7:
        return _LONG
    return UNITS.get(unit, ("" if unit == "1" else unit, 1.0))


def _places(levels: Sequence[Any]) -> tuple[dict[Any, float], dict[float, str]]:
    """Return where each level is on the axis, and what is written there."""
    for dimension in ("duration", "size"):
        try:
            places = {level: parse(str(level), dimension) for level in levels}
        except ParameterError:
            continue
        return places, {place: _apart(str(level)) for level, place in places.items()}
    if any(isinstance(level, str) for level in levels):
        places = {level: float(number) for number, level in enumerate(levels)}
        return places, {place: str(level) for level, place in places.items()}
    large = min(levels) >= 2**20  # of bytes
    say = bytes_in_words if large else "{:,.6g}".format
    return {level: float(level) for level in levels}, {float(one): say(one) for one in levels}


def _apart(quantity: str) -> str:
    """Return a quantity with a blank before its unit."""
    unit = quantity.lstrip("0123456789. ")
    return f"{quantity.removesuffix(unit).strip()} {unit}"


def _finish(ax: Axes, ticks: Mapping[float, str], log: str) -> None:
    if "x" in log:
        ax.set_xscale("log")
        ax.minorticks_off()
    if "y" in log:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    else:
        ax.set_ylim(bottom=0)
    ax.set_xticks(list(ticks), list(ticks.values()))
    _tidy(ax)
