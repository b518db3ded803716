"""The tornado diagram: how far each number moves an output, the strongest on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtperf.plot.figures import COLOURS, _axes, _tidy
from virtperf.plot.response import NAMES, UNITS
from virtperf.result import unit_of
from virtperf.result.words import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.experiment.sensitivity import Sensitivity

MOST = 12  # bars; what moves less is counted
GREY = "#DDDDDD"
LOW, HIGH = COLOURS[6], COLOURS[1]  # light blue, vermilion: told apart by all, and in grey
DUST = 1e-6  # of a move: a half-width below is rounding


def tornado(found: Sensitivity, ax: Axes | None = None, *, most: int = MOST) -> Axes:
    """Draw the moves of an output, one number at a time.

    Parameters
    ----------
    found : Sensitivity
        Of the method ``one-at-a-time``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    most : int
        Bars at most.

    Returns
    -------
    matplotlib.axes.Axes
        The output at both ends of each range, whiskers for the noise of the difference, a line
        where nothing moves, grey for its own noise, and the share of each in the band.
    """
    shown = [address for address, one in found.shares.items() if one.swing][:most]
    ax = ax if ax is not None else _axes(7.6, 1.5 + 0.42 * max(1, len(shown)))
    unit, factor = UNITS.get(unit_of(found.output), (unit_of(found.output), 1.0))
    here, noise = found.value * factor, found.half_width * factor
    ax.axvspan(here - noise, here + noise, color=GREY, linewidth=0, zorder=0)
    for row, address in enumerate(shown):
        move = found.moves[address]
        both = [(*move.low, LOW), (*move.high, HIGH)]
        for moved, half, colour in sorted(both, key=lambda one: -abs(one[0])):  # none is hidden
            ax.barh(row, moved * factor, left=here, height=0.62, color=colour)
            if half > DUST * abs(moved):
                end, reach = here + moved * factor, half * factor
                ax.errorbar(end, row, xerr=reach, color="black", capsize=3, elinewidth=1.0)
    ax.axvline(here, color="black", linewidth=1.0)
    _finish(ax, found, shown, unit)
    return ax


def _finish(ax: Axes, found: Sensitivity, shown: list[str], unit: str) -> None:
    names = [f"{address.removeprefix('platform.')}\n{found.told(address)}" for address in shown]
    ax.set_yticks(range(len(shown)), names, fontsize=8.5)
    ax.invert_yaxis()
    ax.margins(x=0.08)
    for row, address in enumerate(shown):
        share = found.shares[address].share
        says = f"{share:.0%}" if share >= 0.005 else "< 1%"
        ax.annotate(says, (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    ax.annotate(
        "share", (1.01, 1.0), xycoords="axes fraction", va="bottom", fontsize=8.5, color="#555555"
    )
    what = NAMES.get(found.output, found.output)
    ax.set_xlabel(f"{what} [{unit}]" if unit else what)
    _tidy(ax)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    _legend(ax)
    if left := _left_out(found, shown):
        ax.annotate(left, (0, -48), xycoords="axes points", fontsize=8, color="#555555", va="top")


def _legend(ax: Axes) -> None:
    from matplotlib.patches import Patch

    words = {LOW: "at the low end of its range", HIGH: "at the high end", GREY: "simulation noise"}
    handles = [Patch(color=colour, label=says) for colour, says in words.items()]
    ax.legend(
        handles=handles,
        frameon=False,
        fontsize=8.5,
        ncols=3,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
    )


def _left_out(found: Sensitivity, shown: list[str]) -> str:
    """Return what has no bar: numbers that move less, or at an end without a steady state."""
    lost = [address for address in found.moves if address not in found.shares]
    less = len(found.moves) - len(shown) - len(lost)
    moves = "moves" if less == 1 else "move"
    says = [f"{count(less, 'number')} {moves} it less, or not at all"] if less else []
    if lost:
        says.append(f"no steady state at an end of {', '.join(lost)}")
    return "; ".join(says)
