"""Figures of I/O paths: latency against throughput, and who pays for a request."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError
from virtperf.plot.figures import _axes, _line, _tidy, short
from virtperf.result.payers import PAYERS, payers
from virtperf.result.words import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.result import Result

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "guest": "#009E73",
        "exits": "#D55E00",
        "emulation on vCPUs": "#E69F00",
        "host threads": "#7F7F7F",
        "driver domain": "#CC79A7",
        "polling, useful": "#56B4E9",
        "polling, wasted": "#F0E442",
        "switching": "#0072B2",
    }
)


def latency_throughput(
    result: Result, along: str, metric: str = "latency.mean", ax: Axes | None = None
) -> Axes:
    """Draw latency against throughput as `along` grows, a line per path.

    Parameters
    ----------
    result : Result
        Of a design with the factor `along`, such as the requests in flight, and others.
    along : str
        Factor that moves along a line; its levels stand beside the points of the first line.
    metric : str
        Latency to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Raises
    ------
    ParameterError
        If the result does not vary `along`.
    """
    factors = list(result.provenance.get("factors", []))
    if along not in factors:
        must = f"one of {', '.join(factors)}" if factors else "a factor; this result varies none"
        raise ParameterError("plot", "along", must, along)
    ax = ax if ax is not None else _axes(5.0, 3.6)
    lines: dict[str, list[tuple[Any, float, float, float, float]]] = {}
    for row in result.points.to_dict("records"):
        point = str(row["point"])
        name = " ".join(str(row[f]) for f in factors if f != along) or result.labels[0]
        (x, dx), (y, dy) = result.value(point, "throughput"), result.value(point, metric)
        lines.setdefault(name, []).append((row[along], x / 1e3, dx / 1e3, y / 1e3, dy / 1e3))
    for index, (name, points) in enumerate(lines.items()):
        levels, xs, dxs, ys, dys = zip(*points, strict=True)
        ax.errorbar(xs, ys, xerr=dxs, yerr=dys, label=name, **_line(index))
        if not index:
            for level, x, y in zip(levels, xs, ys, strict=True):
                ax.annotate(
                    str(level), (x, y), xytext=(3, -9), textcoords="offset points", fontsize=7.5
                )
    ax.set_xlim(left=0)
    ax.set_yscale("log")
    ax.set_xlabel("throughput [1,000/s]")
    ax.set_ylabel(f"{metric.replace('latency.', '')} of latency [us]")
    ax.set_title(f"small numbers: {along}", fontsize=8, loc="right", color="#555555")
    _tidy(ax)
    ax.legend(frameon=False, fontsize=8)
    return ax


def payer_stack(result: Result, ax: Axes | None = None) -> Axes:
    """Draw the CPU time of a request, one bar per point, stacked by who pays.

    Parameters
    ----------
    result : Result
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Raises
    ------
    ParameterError
        If no point has CPU time.
    """
    table = payers(result)
    if not table["total"].sum():
        raise ParameterError("plot", "result", "one in which a CPU worked", result.labels)
    ax = ax if ax is not None else _axes(6.4, 0.36 * len(table) + 1.3)
    left = [0.0] * len(table)
    for who in PAYERS:
        widths = [float(ns) / 1e3 for ns in table[who]]
        if any(widths):
            ax.barh(range(len(table)), widths, left=left, color=COLOURS[who], label=who)
            left = [a + b for a, b in zip(left, widths, strict=True)]
    for row, total in enumerate(left):
        ax.text(total, row, f" {digits(total)}", va="center", fontsize=8)
    ax.set_yticks(range(len(table)), [short(str(point)) for point in table["point"]])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlabel("CPU time per request [us]")
    _tidy(ax)
    ax.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(-0.1, 1.0))
    return ax
