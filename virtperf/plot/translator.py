"""Figures of translators: what the start costs over the length of a run, and a small code cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError
from virtperf.plot.figures import _axes, _tidy
from virtperf.plot.translator_data import (
    WarmUp,
    break_even,
    thrash_table,
    warm_up_of,
)
from virtperf.result.words import digits, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.params import ParameterSet

SHARES = (0.1, 1.0)
_APART = 3.0  # two lines nearer than this are one to the eye
_DASHES = ("-", "--", (0, (1, 1.5)))
_INK = {"interpreter": "#4D4D4D", "dbt": "#A8437A", "static": "#E6D820"}


def warm_up(
    platform: ParameterSet,
    workload: ParameterSet,
    *,
    shares: Sequence[float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the slowdown of a run from its start on, over how long it is, for three emulators.

    Parameters
    ----------
    platform, workload : ParameterSet
    shares : sequence of float, optional
        Executed shares of the image, besides the workload's own, for dynamic translation: static
        translation takes the whole image at any share. By default those of `SHARES` that are far
        from the workload's own.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Slowdown against the bare machine, over the run's length there, both logarithmic; circles
        where two lines cross.
    """
    ax = ax if ax is not None else _axes(8.0, 4.6)
    own = workload["footprint"].value / workload["image"].value
    if shares is None:
        shares = [share for share in SHARES if max(share / own, own / share) > _APART]
    lines = {share: warm_up_of(platform, workload, "dbt", share) for share in (own, *shares)}
    static = warm_up_of(platform, workload, "static")
    interpreter = warm_up_of(platform, workload, "interpreter")
    top = 60 * max(interpreter.settled, lines[own].settled)
    first = lines[own].start / lines[own].bare / top
    last = max(static.start / static.unit, break_even(static, interpreter) or 0.0, 1.0)
    units = _spread(first, 100 * last)
    _line(ax, units, interpreter, "interpreter", "-")
    _line(ax, units, static, "static", "-", width=5.0)  # dynamic translation is drawn over it
    for (share, one), dash in zip(lines.items(), _DASHES, strict=False):
        _line(ax, units, one, "dbt", dash, f"dbt, {digits(100 * share, 2)}% of the image executed")
    _crossings(ax, interpreter, lines[own], static)
    _finish(ax, units, top, lines[own], static)
    _title(ax, f"{workload.name} on {platform.name}", lines[own], static)
    return ax


def _spread(first: float, last: float) -> list[float]:
    import numpy as np

    return [float(x) for x in np.logspace(np.log10(first), np.log10(last), 400)]


def _line(
    ax: Axes,
    units: Sequence[float],
    one: WarmUp,
    name: str,
    dash: Any,
    label: str = "",
    width: float = 1.8,
) -> None:
    x = [number * one.bare / 1e9 for number in units]
    y = [one.slowdown(number) for number in units]
    ax.plot(x, y, linestyle=dash, color=_INK[name], linewidth=width, label=label or name)


def _crossings(ax: Axes, interpreter: WarmUp, dynamic: WarmUp, static: WarmUp) -> None:
    """Mark and name where lines cross, and say it where two never do."""
    pairs = [
        (dynamic, interpreter, "dynamic beats the interpreter", -8),
        (static, interpreter, "static beats the interpreter", 8),
        (static, dynamic, "static beats dynamic", -8),
    ]
    for one, other, says, side in pairs:
        units = break_even(one, other)
        if not units:
            continue
        at, y = units * one.bare, one.slowdown(units)
        unit, length = scale(at)
        ax.plot(at / 1e9, y, "o", color="black", markersize=7, markerfacecolor="white", zorder=5)
        ax.annotate(
            f"{says}\nfrom {digits(at / length, 2)} {unit} on",
            (at / 1e9, y),
            xytext=(side, side),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="bottom" if side > 0 else "top",
            fontsize=8.5,
            bbox={"color": "white", "alpha": 0.85, "pad": 1.0},
        )


def _finish(ax: Axes, units: Sequence[float], top: float, dynamic: WarmUp, static: WarmUp) -> None:
    bare = static.bare / 1e9
    ax.set(xscale="log", yscale="log")
    ax.set_ylim(0.7 * min(dynamic.settled, static.settled), top)
    ax.set_xlim(units[0] * bare, units[-1] * bare)
    ax.set_xlabel("length of the run on the bare machine")
    ax.set_ylabel("slowdown from the start on, bare machine = 1")
    _plain(ax.yaxis)
    _times(ax.xaxis)
    _tidy(ax)
    ax.legend(frameon=False, fontsize=8.5, loc="upper right")


def _title(ax: Axes, title: str, dynamic: WarmUp, static: WarmUp) -> None:
    """Say what is drawn, and of two lines that do not cross, how far apart they end."""
    if break_even(static, dynamic) is None:
        slower = static.settled / dynamic.settled - 1
        title += (
            f": static never overtakes dynamic, in the long run it is {slower:.1%} slower"
            if slower > 5e-4
            else ": static and dynamic meet in the long run"
        )
    ax.set_title(title, loc="left", fontsize=10)


def _times(axis: Any) -> None:
    """Write 10 us, 1 ms instead of powers of ten of a second."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _time(value)))
    axis.set_minor_locator(NullLocator())


def _time(seconds: float) -> str:
    unit, length = scale(seconds * 1e9)
    return f"{seconds * 1e9 / length:,.3g} {unit}"


def _plain(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())


def thrash(
    table: Mapping[int, Sequence[tuple[float, float]]] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw how often a block of a loop is translated again, over footprint to code cache.

    Parameters
    ----------
    table : mapping of int to sequence of (float, float), optional
        By visits of a block per pass: (footprint over cache, retranslations per executed block),
        as `translator_data.thrash_table` counts them, which is the default.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Raises
    ------
    ParameterError
        If the table is empty.
    """
    table = table if table is not None else thrash_table()
    if not table:
        raise ParameterError("thrash", "table", "with at least one line", table)
    ax = ax if ax is not None else _axes(7.0, 4.0)
    colours = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")
    for (visits, points), colour, marker in zip(table.items(), colours, "osD^", strict=False):
        x, y = zip(*points, strict=True)
        ax.plot(x, y, marker=marker, color=colour, markersize=4.5, linewidth=1.2)
        says = "each block once a pass" if visits == 1 else f"each block {visits} times a pass"
        ax.annotate(
            says,
            (x[-1], y[-1]),
            xytext=(0, 7),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color=colour,
        )
    ax.axvline(1.0, color="black", linewidth=0.8, linestyle=(0, (4, 2)))
    ax.set_ylim(-0.03, 1.15)
    ax.set_xlabel("translated code of the loop / size of the code cache")
    ax.set_ylabel("retranslations per executed block")
    ax.set_title(
        "A cache that is emptied when full: a loop one block too large loses all of it",
        loc="left",
        fontsize=10,
    )
    _tidy(ax)
    return ax
