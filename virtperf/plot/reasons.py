"""The figure of why guests stop: exits, hypercalls, callouts and helpers by reason."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from math import floor, log10
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.plot.cpu import STYLES
from virtperf.plot.cpu_data import BARE, NO_STOPS, Rate, by_reason
from virtperf.plot.figures import _axes, _tidy
from virtperf.result.words import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.technique.cpu.price import Price

_NOTES = {"violations": "hatched: must stop, and does not", "batched": "pale: in a batch, no stop"}


def exits_by_reason(
    prices: Mapping[str, Price], *, ax: Axes | None = None, most: int = 6, title: str = ""
) -> Axes:
    """Draw how often a guest stops, by reason and technique, as ``perf kvm stat`` would.

    What stops nothing stands among them, drawn otherwise: what should have trapped and did not, and
    updates in a batch.

    Parameters
    ----------
    prices : mapping of str to Price
        By technique. One without any exit is named, with no bars.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    most : int
        Reasons of a technique to show; the last bar is the sum of the other stops. What stops
        nothing is not added to it, and shown besides.
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
        if name != BARE
        for rate in _shortened(by_reason(one), most)
    ]
    groups = len({name for name, _ in rows})
    ax = ax if ax is not None else _axes(8.0, 0.9 + 0.2 * (len(rows) + 0.6 * groups))
    place, ticks, labels = 0.0, [], []
    for name, group in groupby(rows, key=lambda row: row[0]):
        start = place
        for _, rate in group:
            ticks.append(place)
            labels.append(rate.label)
            if rate.per_s:
                _rate(ax, place, rate, STYLES[name][0])
            place += 1.0
        _name(ax, (start + place - 1) / 2, name)
        place += 0.6
        ax.axhline(place - 0.8, color="#BBBBBB", linewidth=0.6)
    ax.set_yticks(ticks, labels, fontsize=8)
    _finish_reasons(ax, [rate for _, rate in rows if rate.per_s], place - 0.8)
    ax.set_title(title, loc="left", fontsize=10.5)
    return ax


def _shortened(rates: list[Rate], most: int) -> list[Rate]:
    """Return the first of the rates and the sum of the rest; of none, one that says so."""
    rates = [rate for rate in rates if rate.per_s > 0]
    if not rates:
        return [Rate(reason="none", kind="exits", per_s=0.0)]
    if len(rates) <= most:
        return rates
    shown, rest = rates[: most - 1], rates[most - 1 :]
    shown += [rate for rate in rest if rate.kind in NO_STOPS]
    rest = [rate for rate in rest if rate.kind not in NO_STOPS]
    if len(rest) < 2:
        return shown + rest
    total = sum(rate.per_s for rate in rest)
    return [*shown, Rate(reason=f"{len(rest)} others", kind="exits", per_s=total)]


def _rate(ax: Axes, place: float, rate: Rate, colour: str) -> None:
    hatch = "////" if rate.kind == "violations" else ""
    paint = _pale(colour) if rate.kind == "batched" else colour
    ax.barh(place, rate.per_s, color=paint, height=0.75, hatch=hatch, edgecolor="white")
    ax.annotate(
        digits(rate.per_s),
        (rate.per_s, place),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
    )


def _pale(colour: str) -> tuple[float, ...]:
    """Return a colour mixed with white; a transparent bar would show the grid behind it."""
    from matplotlib.colors import to_rgb

    return tuple(1 - 0.4 * (1 - part) for part in to_rgb(colour))


def _name(ax: Axes, place: float, name: str) -> None:
    where = ax.get_yaxis_transform()
    ax.text(1.01, place, name, transform=where, va="center", fontsize=9, fontweight="bold")


def _finish_reasons(ax: Axes, rates: list[Rate], end: float) -> None:
    ax.set_xscale("log")
    each, kinds = [rate.per_s for rate in rates], {rate.kind for rate in rates}
    top, low = max(each, default=10.0), min(each, default=1.0)
    ax.set_xlim(10.0 ** floor(log10(low)), top * 4)
    ax.set_ylim(end, -0.8)
    notes = [says for kind, says in _NOTES.items() if kind in kinds]
    ax.set_xlabel(
        "\n".join(["stops per second of the guest's run [1/s]", "; ".join(notes)]).rstrip()
    )
    _tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
