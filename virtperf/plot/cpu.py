"""Figures of CPU techniques: slowdown by workload, time by cause, exits by reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError
from virtperf.plot.cpu_data import (
    BARE,
    CAUSES,
    SHADOWED,
    Rate,
    Slowdown,
    by_cause,
    by_reason,
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
        "hardware": ("#0072B2", "o"),
        SHADOWED: ("#56B4E9", "X"),
    }
)
"""Colour and marker of each technique, the same in every figure."""
_GAP = 1.2  # between workloads, in rows


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
        fontsize=7,
        color="#333333",
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
    used = [name for name in STYLES if any(name in found for found in groups.values())]
    _legend(ax, [_handle(name) for name in used])


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


def _legend(ax: Axes, handles: list[Any], columns: int = 4) -> None:
    ax.legend(
        handles=handles,
        ncols=columns,
        frameon=False,
        fontsize=8.5,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        columnspacing=1.4,
        handletextpad=0.4,
    )


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
        Bars that are longer end here, with a mark and their length in words.
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
    longest = min(cut, max(one.ns / bare for one in prices.values()))
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
    _legend(ax, handles)
    if title:
        rows = -(-len(handles) // 4)
        ax.set_title(title, loc="left", fontsize=10.5, pad=8 + 15 * rows)


def exits_by_reason(
    prices: Mapping[str, Price], *, ax: Axes | None = None, most: int = 6, title: str = ""
) -> Axes:
    """Draw how often a guest stops, by reason and technique, as ``perf kvm stat`` would.

    Parameters
    ----------
    prices : mapping of str to Price
        By technique. One without any exit is named, with no bars.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    most : int
        Reasons of a technique to show; the last bar is the sum of the others.
    title : str
        Line above everything.

    Raises
    ------
    ParameterError
        If there are no prices, or none to show of each.
    """
    if not prices or most < 1:
        rule = "at least one, of which at least one reason is shown"
        raise ParameterError("exits_by_reason", "prices", rule, list(prices))
    rows = [
        (name, rate)
        for name, one in prices.items()
        for rate in (_shortened(by_reason(one), most) or [None])
        if name != BARE
    ]
    groups = len({name for name, _ in rows})
    ax = ax if ax is not None else _axes(8.0, 0.9 + 0.2 * (len(rows) + 0.6 * groups))
    place, ticks, labels = 0.0, [], []
    for name, group in groupby(rows, key=lambda row: row[0]):
        start = place
        for _, rate in group:
            ticks.append(place)
            labels.append(rate.label if rate else "none")
            if rate:
                _rate(ax, place, rate, STYLES[name][0])
            place += 1.0
        _name(ax, (start + place - 1) / 2, name)
        place += 0.6
        ax.axhline(place - 0.8, color="#BBBBBB", linewidth=0.6)
    ax.set_yticks(ticks, labels, fontsize=8)
    _finish_reasons(ax, [rate.per_s for _, rate in rows if rate], place - 0.8, title)
    return ax


def _shortened(rates: list[Rate], most: int) -> list[Rate]:
    rates = [rate for rate in rates if rate.per_s > 0]
    if len(rates) <= most:
        return rates
    rest = rates[most - 1 :]
    total = sum(rate.per_s for rate in rest)
    return [*rates[: most - 1], Rate(reason=f"{len(rest)} others", kind="exits", per_s=total)]


def _rate(ax: Axes, place: float, rate: Rate, colour: str) -> None:
    hatch = "////" if rate.kind == "violations" else ""
    ax.barh(place, rate.per_s, color=colour, height=0.75, hatch=hatch, edgecolor="white")
    ax.annotate(
        digits(rate.per_s),
        (rate.per_s, place),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
    )


def _name(ax: Axes, place: float, name: str) -> None:
    where = ax.get_yaxis_transform()
    ax.text(1.01, place, name, transform=where, va="center", fontsize=9, fontweight="bold")


def _finish_reasons(ax: Axes, rates: list[float], end: float, title: str) -> None:
    ax.set_xscale("log")
    top, low = max(rates, default=10.0), min(rates, default=1.0)
    ax.set_xlim(10.0 ** _floor(low), top * 4)
    ax.set_ylim(end, -0.8)
    ax.set_xlabel("per second of the guest [1/s]")
    _tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_title(title, loc="left", fontsize=10.5)


def _floor(value: float) -> int:
    from math import floor, log10

    return floor(log10(value))
