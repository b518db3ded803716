"""Figures of CPU techniques: slowdown by workload, time by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError
from virtperf.plot.cpu_data import (
    BARE,
    CAUSES,
    SHADOWED,
    Slowdown,
    by_cause,
    slowdowns,
)
from virtperf.plot.figures import _axes, _inside, _tidy
from virtperf.result.words import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.params import ParameterSet
    from virtperf.technique.cpu.price import Price

STYLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "direct": ("#000000", "|"),
        "interpreter": ("#7F7F7F", "s"),
        "dbt": ("#CC79A7", "D"),
        "static": ("#F0E442", "d"),
        "trap-emulate": ("#D55E00", "^"),
        "binary-translation": ("#E69F00", "v"),
        "paravirtual": ("#009E73", "P"),
        SHADOWED: ("#56B4E9", "X"),  # the three of hardware are blue, the last one nearly black
        "hardware": ("#0072B2", "o"),
        "nested-hardware": ("#12264F", "p"),
    }
)
"""Colour and marker of each technique, the same in every figure, in the order of rows."""
_GAP = 1.2  # between workloads, in rows
_SPARED = 1.25  # a bar that is hardly too long is not cut: the axis grows


def slowdown(
    platform: ParameterSet,
    workloads: Sequence[ParameterSet],
    techniques: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the slowdown against the bare machine, by workload and technique.

    Parameters
    ----------
    platform : ParameterSet
    workloads : sequence of ParameterSet
        A group each.
    techniques : sequence of str, optional
        Such as ``"dbt"`` or ``"hardware+shadow"``; all that the machine can have by default. Those
        the platform has no numbers for are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Points on a logarithmic axis, with the parameter band of `cpu_data.Slowdown` as a bar.

    Raises
    ------
    ParameterError
        If there is no workload.
    """
    if not workloads:
        raise ParameterError("slowdown", "workloads", "at least one", list(workloads))
    groups = {one.name: slowdowns(platform, one, techniques) for one in workloads}
    for found in groups.values():
        found.pop(BARE, None)  # it is the line at 1
    rows = sum(len(found) + _GAP for found in groups.values())
    ax = ax if ax is not None else _axes(8.0, 1.4 + 0.145 * rows)
    row, ticks = 0.0, []
    for found in groups.values():
        for offset, (name, one) in enumerate(found.items()):
            _point(ax, row + offset, name, one)
        ticks.append(row + (len(found) - 1) / 2)
        row += len(found) + _GAP
        ax.axhline(row - (1 + _GAP) / 2, color="#BBBBBB", linewidth=0.6)
    ax.axvline(1.0, color="black", linewidth=1.0, zorder=1)
    _finish_slowdown(ax, ticks, groups, row - (1 + _GAP) / 2)
    used = [name for name in STYLES if any(name in found for found in groups.values())]
    _legend(ax, [_handle(name) for name in used], platform.name, most=5)
    return ax


def _point(ax: Axes, row: float, name: str, one: Slowdown) -> None:
    colour, marker = STYLES[name]
    ax.plot([one.low, one.high], [row, row], color="#555555", linewidth=0.9, zorder=2)
    style: dict[str, Any] = {"markeredgecolor": "black", "markeredgewidth": 0.4, "markersize": 6}
    ax.plot(one.value, row, marker, color=colour, zorder=3, **style)
    says = digits(one.value) if one.value >= 1.995 else f"{one.value:.2f}"
    ax.annotate(
        says,
        (max(one.high, one.value), row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color="#333333",
        bbox={"color": "white", "pad": 0.5} if one.value < 1 else None,  # on the line at 1
    )


def _finish_slowdown(
    ax: Axes, ticks: list[float], groups: Mapping[str, Mapping[str, Slowdown]], end: float
) -> None:
    every = [one for found in groups.values() for one in found.values()]
    ax.set_xscale("log")
    ax.set_xlim(min(0.93, *(one.low * 0.93 for one in every)), max(o.high for o in every) * 1.5)
    _plain_log(ax)
    ax.set_ylim(end, -1.0)
    ax.set_yticks(ticks, list(groups), fontsize=9)
    ax.set_xlabel("slowdown: time of a unit of work, bare machine = 1")
    _tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")


def _plain_log(ax: Axes) -> None:
    """Write 1, 2, 5, 10 instead of powers of ten, as many as there is room for."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = ax.get_xlim()
    subs = (1.0, 2.0, 5.0) if high / low < 2000 else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(subs=subs))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def _handle(name: str) -> Any:
    from matplotlib.lines import Line2D

    colour, marker = STYLES[name]
    edge: dict[str, Any] = {"markeredgecolor": "black", "markeredgewidth": 0.4, "markersize": 7}
    return Line2D([], [], linestyle="none", color=colour, marker=marker, label=name, **edge)


def _legend(ax: Axes, handles: list[Any], title: str, most: int = 4) -> None:
    """Write a legend above, in as few rows as `most` columns allow, and a title over it."""
    rows = -(-len(handles) // most)
    ax.legend(
        handles=handles,
        ncols=-(-len(handles) // rows),
        frameon=False,
        fontsize=8.5,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        columnspacing=1.4,
        handletextpad=0.4,
    )
    if title:
        ax.set_title(title, loc="left", fontsize=10.5, pad=8 + 15 * rows)


def time_by_cause(
    prices: Mapping[str, Price], *, ax: Axes | None = None, cut: float = 8.0, title: str = ""
) -> Axes:
    """Draw where the time of a unit of work goes, one bar per technique, stacked by cause.

    Parameters
    ----------
    prices : mapping of str to Price
        By technique; ``"direct"`` must be among them, its bar is 1 long.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    cut : float
        Bars that are longer by more than a quarter end here, with a mark; their number is bold.
    title : str
        Line above the bars.

    Raises
    ------
    ParameterError
        If there is no ``"direct"``, or `cut` leaves no bar.
    """
    if BARE not in prices:
        raise ParameterError("time_by_cause", "prices", "with a price of direct", list(prices))
    if not cut > 0:
        raise ParameterError("time_by_cause", "cut", "positive", cut)
    ax = ax if ax is not None else _axes(8.0, 1.5 + 0.36 * len(prices))
    bare = prices[BARE].ns
    totals = [one.ns / bare for one in prices.values()]
    cut = max(cut, *(one for one in totals if one <= _SPARED * cut))
    longest = min(cut, max(totals))
    for row, one in enumerate(prices.values()):
        _bar(ax, row, {name: ns / bare for name, ns in by_cause(one).items()}, cut, longest)
    ax.axvline(1.0, color="black", linewidth=1.0)
    ax.set_yticks(range(len(prices)), list(prices), fontsize=9)
    ax.invert_yaxis()
    ax.set_xlim(0, longest * 1.1)
    ax.set_xlabel("time of a unit of work, bare machine = 1")
    _tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    _finish_causes(ax, prices, title)
    return ax


def _bar(ax: Axes, row: int, causes: Mapping[str, float], cut: float, longest: float) -> None:
    left, total = 0.0, sum(causes.values())
    for name, share in causes.items():
        colour = CAUSES[name][0]
        width = min(share, cut - left)
        if width <= 0:
            break
        ax.barh(row, width, left=left, color=colour, edgecolor="white", linewidth=0.5, height=0.72)
        if width > 0.06 * longest:
            ink = "white" if colour == "#0072B2" else _inside(colour)["color"]
            style = _inside(colour) | {"fontsize": 7.5, "color": ink}
            ax.text(left + width / 2, row, f"{digits(share, 2)}", **style)
        left += width
    if total > cut:  # two white strokes through the bar
        for at in (0.970, 0.982):
            x = [cut * (at - 0.006), cut * (at + 0.006)]
            ax.plot(x, [row + 0.5, row - 0.5], color="white", linewidth=2.2)
    says = digits(total) if total >= 1.995 else f"{total:.2f}"
    weight = "bold" if total > cut else "normal"
    ax.text(left + 0.01 * longest, row, says, va="center", fontsize=8.5, fontweight=weight)


def _finish_causes(ax: Axes, prices: Mapping[str, Price], title: str) -> None:
    from matplotlib.patches import Patch

    used = {name for one in prices.values() for name in by_cause(one)}
    handles = [Patch(color=CAUSES[name][0], label=name) for name in CAUSES if name in used]
    _legend(ax, handles, title)
