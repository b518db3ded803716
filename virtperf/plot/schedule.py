"""The figure of schedules: who had each pCPU, one row for each pCPU under each policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.plot.figures import COLOURS
from virtperf.tables import NONE
from virtperf.units import TICKS_PER_NS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.tables import Timeline

_MS = 1_000_000 * TICKS_PER_NS
_HEIGHT = 0.62
_MOST = 24  # rows that can be read
_KEPT_IDLE = {"idle: cap": "idle for a cap", "idle: gang": "idle for a gang"}
_KEPT_IDLE["idle: affinity"] = "idle for an affinity"
_PALE = "#F0F0F0"


def schedules(
    timelines: Mapping[str, Timeline],
    ax: Axes | None = None,
    *,
    start_ns: float = 0.0,
    end_ns: float | None = None,
    title: str = "",
) -> Axes:
    """Draw who ran where and when, and what kept a pCPU idle though somebody waited.

    Parameters
    ----------
    timelines : mapping of label to Timeline
        Recordings of the same workers, for example under several policies.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    start_ns, end_ns : float, optional
        Window; all that every recording has by default.
    title : str
        Line above the rows.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on, in milliseconds.

    Raises
    ------
    ParameterError
        If the window is empty, lies outside of a recording, or there is more than can be read.
    """
    rows = [(label, p) for label, one in timelines.items() for p in range(len(one.pcpus))]
    if not 0 < len(rows) <= _MOST:
        raise ParameterError("schedules", "timelines", f"of 1 to {_MOST} pCPUs in all", len(rows))
    shortest = min(one.time for one in timelines.values())
    start = round(start_ns * TICKS_PER_NS)
    end = shortest if end_ns is None else round(end_ns * TICKS_PER_NS)
    if not 0 <= start < end <= shortest:
        must = f"a window within 0 to {shortest / TICKS_PER_NS:g} ns"
        raise ParameterError("schedules", "end_ns", must, end_ns)
    ax = ax if ax is not None else _axes(9.5, 1.3 + 0.42 * len(rows))
    names = list(dict.fromkeys(name for one in timelines.values() for name in one.workers))
    paints = {name: COLOURS[1:][i % (len(COLOURS) - 1)] for i, name in enumerate(names)}
    drawn: set[str] = set()
    for row, (label, p) in enumerate(rows):
        drawn |= _row(ax, row, timelines[label], p, (start, end), paints)
    several = any(len(one.pcpus) > 1 for one in timelines.values())
    marks = [f"{label}, pCPU {p}" if several else label for label, p in rows]
    ax.set_yticks(range(len(rows)), marks, fontsize=8.5)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0, (end - start) / _MS)
    ax.set_xlabel("time [ms]" if start == 0 else f"time since {start / _MS:g} ms [ms]")
    ax.set_title(title, loc="left", fontsize=10)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    _legend(ax, {name: paints.get(name, _PALE) for name in (*names, *_KEPT_IDLE) if name in drawn})
    return ax


def _row(
    ax: Axes,
    row: int,
    timeline: Timeline,
    pcpu: int,
    window: tuple[int, int],
    paints: Mapping[str, str],
) -> set[str]:
    """Draw one pCPU; return the names of what is seen there."""
    start, end = window
    bars: dict[str, list[tuple[float, float]]] = {}
    for span in timeline.pcpus[pcpu]:
        if span.end <= start or span.start >= end:
            continue
        name = span.name if span.worker == NONE else timeline.workers[span.worker]
        if span.worker == NONE and name not in _KEPT_IDLE:
            continue
        left, right = max(span.start, start), min(span.end, end)
        bars.setdefault(name, []).append(((left - start) / _MS, (right - left) / _MS))
    for name, places in bars.items():
        kept = name in _KEPT_IDLE
        ax.broken_barh(
            places,
            (row - _HEIGHT / 2, _HEIGHT),
            facecolor=_PALE if kept else paints[name],
            edgecolor="#9A9A9A" if kept else "none",
            hatch="////" if kept else None,
            linewidth=0,
        )
    return set(bars)


def _legend(ax: Axes, paints: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(
            facecolor=paint,
            edgecolor="#9A9A9A" if name in _KEPT_IDLE else "none",
            hatch="////" if name in _KEPT_IDLE else None,
            label=_KEPT_IDLE.get(name, name),
        )
        for name, paint in paints.items()
    ]
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=8.5,
        borderaxespad=0.0,
    )


def _axes(width: float, height: float) -> Axes:
    from matplotlib import pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    made: Axes = ax
    return made
