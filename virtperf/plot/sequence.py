"""The sequence diagram of one request: who has it, what is done, how long each step takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.plot.figures import CAUSES, _axes, cause
from virtperf.result.words import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.theory.way import Leg

_LANE, _ROW, _BOX = 1.9, 0.24, 0.8  # inches; share of a row that a box fills
_MOST = 120  # legs that can be read; two register accesses of a disk are four


def sequence(way: Sequence[Leg], ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw the way of a request downwards, a column for each place, a row for each leg.

    Rows are alike however long a leg takes; its time stands in it, what has passed at the left.

    Parameters
    ----------
    way : sequence of Leg
        As of `theory.way.way`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    title : str
        Line above the columns.

    Raises
    ------
    ParameterError
        If there is no leg, or more than can be read.
    """
    if not 0 < len(way) <= _MOST:
        raise ParameterError("sequence", "way", f"of 1 to {_MOST} legs", len(way))
    lanes = list(dict.fromkeys(leg.where for leg in way))
    ax = ax if ax is not None else _axes(_LANE * len(lanes) + 0.9, _ROW * len(way) + 0.8)
    for row, leg in enumerate(way):
        _leg(ax, row, lanes.index(leg.where), leg)
        if row and way[row - 1].where != leg.where:
            _handed_over(ax, row, lanes.index(way[row - 1].where), lanes.index(leg.where))
    _finish(ax, way, lanes, title)
    return ax


def _leg(ax: Axes, row: int, lane: int, leg: Leg) -> None:
    from matplotlib.patches import Rectangle

    colour = CAUSES[cause(leg.account)][0]
    waits = leg.account.startswith("wait: ")
    corner = (lane - 0.46, row + (1 - _BOX) / 2)
    for fill, alpha in (("white", 1.0), (colour, 0.35 if waits else 0.6)):
        box = Rectangle(corner, 0.92, _BOX, facecolor=fill, alpha=alpha, edgecolor="none")
        ax.add_patch(box)
    says = f"{leg.what.removeprefix('wait: ')}  {quantity(leg.ns, 'ns')}"
    style = "italic" if waits else "normal"
    ax.text(lane, row + 0.5, says, ha="center", va="center", fontsize=7.5, style=style)
    ax.text(
        -0.58,
        row + 0.5,
        quantity(leg.start, "ns"),
        ha="right",
        va="center",
        fontsize=7,
        color="#555555",
    )


def _handed_over(ax: Axes, row: int, before: int, after: int) -> None:
    arrow = {"arrowstyle": "-|>", "color": "#333333", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=(after, row + 0.06), xytext=(before, row - 0.06), arrowprops=arrow)


def _finish(ax: Axes, way: Sequence[Leg], lanes: Sequence[str], title: str) -> None:
    rows, end = len(way), way[-1].start + way[-1].ns
    for lane, _ in enumerate(lanes):
        ax.axvline(lane, color="#BBBBBB", linewidth=0.8, zorder=0)
    ax.text(
        -0.58,
        rows + 0.5,
        quantity(end, "ns"),
        ha="right",
        va="center",
        fontsize=7.5,
        fontweight="bold",
    )
    ax.set_xlim(-1.05, len(lanes) - 0.45)
    ax.set_ylim(rows + 1, -0.2)
    ax.set_xticks(range(len(lanes)), lanes)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)
    if title:
        ax.set_title(title, fontsize=9.5, loc="left", pad=8)
