"""The Gantt figure of a timeline: who was on which pCPU, what each worker did, who told whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.plot.figures import CAUSES, cause
from virtperf.tables import NONE, Arrow, Span, Timeline
from virtperf.units import TICKS_PER_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    Colour = Callable[[str], str]

STATES = {  # asleep is left empty; what pCPUs show too has the colour it has there
    "running": "#5A5A5A",
    "interrupt": "#000000",
    "polling": "#F0E442",
    "switching": "#0072B2",
    "ready": "#F4B6A6",
    "blocked": "#D0D0D0",
}

_US = 1000 * TICKS_PER_NS
_HEIGHT = 0.72
_TRACKS = 24  # more cannot be read


def gantt(
    timeline: Timeline,
    ax: Axes | None = None,
    *,
    start_ns: float | None = None,
    end_ns: float | None = None,
    title: str = "",
) -> Axes:
    """Draw a window of a timeline: pCPUs above, workers below, an arrow per doorbell.

    Parameters
    ----------
    timeline : Timeline
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    start_ns, end_ns : float, optional
        Window; by default the last 200 us of the recording.
    title : str
        Line above the tracks.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on, in microseconds.

    Raises
    ------
    ParameterError
        If the window is empty or lies outside of the recording.
    """
    end = timeline.time if end_ns is None else round(end_ns * TICKS_PER_NS)
    start = max(0, end - 200 * _US) if start_ns is None else round(start_ns * TICKS_PER_NS)
    if not 0 <= start < end <= timeline.time:
        must = f"a window within 0 to {timeline.time / TICKS_PER_NS:g} ns"
        raise ParameterError("gantt", "start_ns", must, (start_ns, end_ns))
    tracks = min(len(timeline.pcpus) + len(timeline.workers), _TRACKS)
    ax = ax if ax is not None else _axes(10.0, 1.9 + 0.42 * tracks)
    rows = _Rows(timeline, start, end)
    rows.draw(ax)
    ax.set_title(title, loc="left", fontsize=10)
    return ax


class _Rows:
    """The tracks of one window: pCPUs first, then those workers that do something in it."""

    def __init__(self, timeline: Timeline, start: int, end: int) -> None:
        self.timeline, self.start, self.end = timeline, start, end
        self.pcpus = [self._cut(spans) for spans in timeline.pcpus]
        states = [self._cut(spans) for spans in timeline.states]
        awake = [w for w, spans in enumerate(states) if any(s.name in STATES for s in spans)]
        self.states = {w: states[w] for w in awake[: _TRACKS - len(self.pcpus)]}
        self.row_of = {w: len(self.pcpus) + 0.5 + n for n, w in enumerate(self.states)}

    def _cut(self, spans: Iterable[Span]) -> list[Span]:
        return [span for span in spans if span.start < self.end and span.end > self.start]

    def draw(self, ax: Axes) -> None:
        for row, spans in enumerate(self.pcpus):
            self._bars(ax, row, [s for s in spans if s.worker != NONE], _colour)
        for w, spans in self.states.items():
            self._bars(ax, self.row_of[w], [s for s in spans if s.name in STATES], _state)
        for arrow in self.timeline.arrows:
            self._arrow(ax, arrow)
        names = [f"pCPU {n}" for n in range(len(self.pcpus))]
        names += [self.timeline.workers[w] for w in self.states]
        ax.set_yticks([*range(len(self.pcpus)), *self.row_of.values()], names, fontsize=8.5)
        ax.set_xlim(0, (self.end - self.start) / _US)
        ax.set_ylim(len(names) + 0.1, -0.6)
        ax.set_xlabel(f"time since {self.start / _US:,.1f} us [us]")
        for side in ("top", "right", "left"):
            ax.spines[side].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", color="#E5E5E5", linewidth=0.7)
        ax.set_axisbelow(True)
        self._legends(ax)

    def _bars(self, ax: Axes, row: float, spans: Sequence[Span], colour: Colour) -> None:
        places = [
            (
                max(0, s.start - self.start) / _US,
                (min(s.end, self.end) - max(s.start, self.start)) / _US,
            )
            for s in spans
        ]
        paints = [colour(span.name) for span in spans]
        ax.broken_barh(
            places,
            (row - _HEIGHT / 2, _HEIGHT),
            facecolors=paints,
            edgecolor="white",
            linewidth=0.4,
        )

    def _arrow(self, ax: Axes, arrow: Arrow) -> None:
        """Draw an arrow between two workers; a device's comes from just above its consumer."""
        inside = self.start <= arrow.start and arrow.end <= self.end
        if not inside or arrow.consumer not in self.row_of:
            return
        row = self.row_of[arrow.consumer]
        tail = self.row_of.get(arrow.sender, row - 0.75)
        if tail == row:
            return
        side = _HEIGHT / 2 if tail > row else -_HEIGHT / 2
        head = ((arrow.end - self.start) / _US, row + side)
        foot = ((arrow.start - self.start) / _US, tail - (side if arrow.sender != NONE else 0))
        ax.annotate(
            "",
            xy=head,
            xytext=foot,
            arrowprops=dict(
                arrowstyle="-|>",
                color="black" if arrow.sender != NONE else "#0072B2",
                linewidth=0.8,
                shrinkA=0,
                shrinkB=0,
                mutation_scale=7,
            ),
        )

    def _legends(self, ax: Axes) -> None:
        """Put what colours mean below: causes of the pCPUs' time, states of the workers."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        on_pcpu = {_family(s.name) for spans in self.pcpus for s in spans if s.worker != NONE}
        causes = [Patch(color=_FAMILIES[n], label=n) for n in _FAMILIES if n in on_pcpu]
        seen = {span.name for spans in self.states.values() for span in spans}
        states = [Patch(color=STATES[n], label=n) for n in STATES if n in seen]
        arrows = [
            Line2D([], [], color="black", marker=">", markersize=5, label="rung by a worker"),
            Line2D([], [], color="#0072B2", marker=">", markersize=5, label="rung by a device"),
        ]
        common = {"ncols": 6, "frameon": False, "fontsize": 8.5, "alignment": "left"}
        common["title_fontsize"] = 8.5
        figure = ax.get_figure(root=True)
        assert figure is not None, "axes to draw on are in a figure"
        figure.legend(handles=causes, title="pCPUs: why", loc="outside lower left", **common)
        common["ncols"] = 8
        workers = "workers: what; arrows: from a doorbell's ring until its request is taken up"
        figure.legend(handles=[*states, *arrows], title=workers, loc="outside upper left", **common)


_FAMILIES = {name: colour for name, (colour, _) in CAUSES.items()} | {
    "polling, spinning": "#F0E442"
}


def _family(account: str) -> str:
    """Return the cause of a pCPU's time; what is burnt in waiting is a cause of its own."""
    if account.endswith((" polling", ": spinning")):
        return "polling, spinning"
    return cause(account)


def _colour(account: str) -> str:
    return _FAMILIES[_family(account)]


def _state(name: str) -> str:
    return STATES[name]


def _axes(width: float, height: float) -> Axes:
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]
