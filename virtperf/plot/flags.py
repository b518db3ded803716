"""The figure of an interrupt flag under several monitors: believed, held, and where they part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from virtperf.mechanism.flag_outcome import Outcome, Violation
    from virtperf.mechanism.flag_program import Op

_LANE = -0.75  # interrupts stand below the flag
_LINE = 0.5  # between violations named below one another
_BAD = "#D55E00"
# The monitor's line is thin and drawn over the guest's wide one: where they agree, both are seen.
_BELIEVED: dict[str, Any] = {"color": "#56B4E9", "linewidth": 5.0, "solid_joinstyle": "miter"}
_MONITOR: dict[str, Any] = {"color": "black", "linewidth": 1.5, "linestyle": (0, (4, 2))}
_APART: dict[str, Any] = {"facecolor": "#F8DCCB", "edgecolor": "none"}
_WAITS: dict[str, Any] = {"color": "#7F7F7F", "linewidth": 1.5, "linestyle": "-"}
_ARRIVES: dict[str, Any] = {"marker": 7, "color": "#7F7F7F", "markersize": 9}  # tip on the lane
_DELIVERED: dict[str, Any] = {"marker": 6, "color": "black", "markersize": 9}
_RING: dict[str, Any] = {
    "marker": "o",
    "markersize": 21,
    "markerfacecolor": "none",
    "markeredgecolor": _BAD,
    "markeredgewidth": 1.8,
}


def interrupt_flags(
    outcomes: Sequence[Outcome], ops: Sequence[Op] = (), *, title: str = ""
) -> Figure:
    """Draw a guest's interrupt flag over time, one panel per monitor.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of one program, a monitor each.
    ops : sequence of Op, optional
        That program, to be written above the first panel.
    title : str
        Line above everything.

    Returns
    -------
    matplotlib.figure.Figure
        Its panels share the time axis, in instructions.

    Raises
    ------
    ParameterError
        If there are no outcomes, or they are of an empty program or of different lengths.

    Examples
    --------
    >>> from virtperf.mechanism.interrupts import example_popf, run
    >>> ops, arrivals = example_popf()
    >>> figure = interrupt_flags([run(ops, "native", arrivals)], ops)
    >>> figure.axes[0].get_xlabel()
    'time [instructions]'
    """
    end = _length(outcomes, ops)
    below = [0.45 + _LINE * len(_named(outcome)) for outcome in outcomes]
    figure, panels = _panels([1.35 - _LANE + space for space in below])
    for ax, outcome, space in zip(panels, outcomes, below, strict=True):
        _flag(ax, outcome)
        _interrupts(ax, outcome, end)
        _violations(ax, outcome, end)
        _finish(ax, outcome, end, _LANE - space)
    for ax in panels[:-1]:  # one time axis is enough
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(axis="x", length=0)
    _instructions(panels[0], ops)
    panels[-1].set_xlabel("time [instructions]")
    _legend(figure, any(outcome.violations for outcome in outcomes))
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _length(outcomes: Sequence[Outcome], ops: Sequence[Op]) -> int:
    """Return how many instructions the program has, or refuse what is not one program."""
    lengths = {outcome.flags[-1].time for outcome in outcomes}
    if ops:
        lengths.add(sum(op.count for op in ops))
    if len(lengths) != 1 or 0 in lengths:
        must = "of one program, which does something"
        raise ParameterError("interrupt_flags", "outcomes", must, f"lengths {sorted(lengths)}")
    return lengths.pop()


def _named(outcome: Outcome) -> dict[str, list[Violation]]:
    """Return violations by what is written of them, so that none is written twice."""
    named: dict[str, list[Violation]] = {}
    for one in outcome.violations:
        # "POPF at 4" counts places in the program, and the axis instructions: a WORK is several.
        cause = one.cause.partition(" at ")[0]
        name = f"{one.kind.replace('-', ' ')}: the monitor did not see {cause}"
        named.setdefault(name, []).append(one)
    return named


def _panels(heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        len(heights),
        sharex=True,
        squeeze=False,
        figsize=(8.0, 1.3 + 0.5 * sum(heights)),
        height_ratios=list(heights),
        layout="constrained",
    )
    return figure, list(axes[:, 0])


def _flag(ax: Axes, outcome: Outcome) -> None:
    """Draw both flags as steps, and shade where they differ."""
    for now, then in pairwise(outcome.flags):
        if now.believed != now.monitor:
            ax.fill_between([now.time, then.time], 0, 1, **_APART)
    times = [flags.time for flags in outcome.flags]
    ax.step(times, [flags.believed for flags in outcome.flags], where="post", **_BELIEVED)
    ax.step(times, [flags.monitor for flags in outcome.flags], where="post", **_MONITOR)


def _interrupts(ax: Axes, outcome: Outcome, end: int) -> None:
    """Mark where interrupts arrived and were delivered, with a line while they waited."""
    got = dict(outcome.deliveries)
    for interrupt, time in enumerate(outcome.arrivals):
        ax.plot([time, got.get(interrupt, end)], [_LANE, _LANE], **_WAITS)
        _mark(ax, time, _ARRIVES, zorder=3)
        if interrupt in got:
            _mark(ax, got[interrupt], _DELIVERED, zorder=3)


def _mark(ax: Axes, time: int, style: dict[str, Any], zorder: int) -> None:
    ax.plot(time, _LANE, linestyle="none", zorder=zorder, clip_on=False, **style)


def _violations(ax: Axes, outcome: Outcome, end: int) -> None:
    """Ring each violation, and name each kind below the first of its kind."""
    for row, (name, found) in enumerate(_named(outcome).items(), start=1):
        for one in found:
            _mark(ax, one.time, _RING, zorder=4)
        share = found[0].time / end
        side = "left" if share < 0.3 else "right" if share > 0.7 else "center"
        count = f"{len(found)} times " if len(found) > 1 else ""
        ax.annotate(
            count + name,
            (found[0].time, _LANE - 0.25 - _LINE * row),
            xytext=({"left": -10, "center": 0, "right": 10}[side], 0),  # flush with the ring
            textcoords="offset points",
            ha=side,
            va="center",
            color=_BAD,
            fontsize=9,
            bbox={"color": "white", "pad": 1.0},  # the grid does not cross the words
        )


def _finish(ax: Axes, outcome: Outcome, end: int, bottom: float) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(0, end)
    ax.set_ylim(bottom, 1.35)
    ax.set_yticks([1, 0, _LANE], ["enabled", "masked", "interrupt"], fontsize=8.5)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=24, integer=True))
    ax.set_title(outcome.monitor, loc="left", fontsize=10, fontweight="bold")
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="#E5E5E5", linewidth=0.7)
    ax.set_axisbelow(True)


def _instructions(ax: Axes, ops: Sequence[Op]) -> None:
    """Write each instruction above the time it takes."""
    if not ops:
        return
    ends = list(accumulate(op.count for op in ops))
    middles = [end - op.count / 2 for op, end in zip(ops, ends, strict=True)]
    crowded = ends[-1] > 20
    above = ax.secondary_xaxis("top")
    above.set_xticks(middles, [str(op) for op in ops], fontsize=8, rotation=90 if crowded else 0)
    above.tick_params(length=0, pad=1)
    above.spines["top"].set_visible(False)


def _legend(figure: Figure, violated: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    arrives, delivered = _ARRIVES | {"marker": "v"}, _DELIVERED | {"marker": "^"}
    handles: list[Any] = [
        Line2D([], [], label="flag as the guest believes it", **_BELIEVED),
        Line2D([], [], label="flag as monitor or processor has it", **_MONITOR),
        Line2D([], [], linestyle="none", label="interrupt arrives", **arrives),
        Line2D([], [], linestyle="none", label="interrupt is delivered", **delivered),
    ]
    if violated:
        ring = _RING | {"markersize": 10}
        handles += [
            Patch(label="the flags differ", **_APART),
            Line2D([], [], linestyle="none", label="violation", **ring),
        ]
    figure.legend(handles=handles, ncols=3, frameon=False, fontsize=8.5, loc="outside lower center")
