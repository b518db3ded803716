"""Figures of memory hardware: what translation adds to an access, and what its walks read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError
from virtperf.plot.figures import _axes, _inside, _tidy
from virtperf.result.words import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.plot.memory_data import Walk

GUEST, HOST = "#009E73", "#D55E00"
"""Colours of the dimensions: the guest's own is green, what virtualization adds is warm."""
STYLES: Mapping[str, tuple[str, Any, str]] = MappingProxyType(
    {
        "4K": ("#009E73", "-", "o"),
        "2M": ("#009E73", "--", "s"),
        "4K on 4K": ("#D55E00", "-", "o"),
        "2M on 4K": ("#E69F00", "--", "s"),
        "4K on 2M": ("#CC79A7", "-", "D"),
        "2M on 2M": ("#0072B2", "--", "s"),
    }
)
"""Colour, line and marker by page sizes; dashed where the guest has large pages."""
_OTHER = ("#7F7F7F", "-.", "^")
_APART = 0.042  # of the axis: labels nearer than this would touch


def named(way: str) -> str:
    """Return page sizes in words: ``nested, 4K on 2M``, or ``one dimension, 4K``."""
    return f"nested, {way}" if " on " in way else f"one dimension, {way}"


def footprint_cost(
    table: Mapping[str, Sequence[tuple[int, float]]],
    *,
    marks: Mapping[str, int] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw what translation adds to an access, over how much memory is accessed at random.

    Parameters
    ----------
    table : mapping of str to sequence of (int, float)
        By page sizes: (bytes, cycles per access), as of `memory_data.by_footprint`.
    marks : mapping of label to int, optional
        Numbers of bytes to point out, for example what a TLB reaches.
    title : str
        Line above everything.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Raises
    ------
    ParameterError
        If the table is empty.
    """
    _check("footprint_cost", table)
    ax = ax if ax is not None else _axes(8.4, 4.4)
    top = 1.08 * max(y for points in table.values() for _, y in points)
    for way, points in table.items():
        _line(ax, way, points, named(way))
    ax.set_xscale("log", base=2)
    ax.set_ylim(0, top)
    for label, size in (marks or {}).items():
        ax.axvline(size, color="#888888", linewidth=0.9, zorder=1)
        where = ax.get_xaxis_transform()
        style: dict[str, Any] = {"fontsize": 8, "color": "#555555", "va": "top", "rotation": 90}
        ax.text(size, 0.98, f"{label} ", transform=where, ha="right", **style)
    sizes = sorted({size for points in table.values() for size, _ in points})
    ax.set_xticks(sizes[:: 2 if len(sizes) > 10 else 1])
    ax.xaxis.set_major_formatter(lambda size, _: bytes_in_words(size))
    ax.set_xlabel("memory accessed at random")
    ax.set_ylabel("added by translation [cycles per access]")
    _tidy(ax)
    last = {way: points[-1] for way, points in table.items()}
    ends(ax, [(x, y, digits(y), STYLES.get(way, _OTHER)[0]) for way, (x, y) in last.items()])
    _legend(ax, title)
    return ax


def ends(ax: Axes, at: Sequence[tuple[float, float, str, str]]) -> None:
    """Write beside the last point of each line, moved apart where they would touch.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With all its lines drawn.
    at : sequence of (float, float, str, str)
        The point, what to write, and its colour.
    """
    ax.get_xlim(), ax.get_ylim()  # limits that are still to be found are found now
    from_axes = ax.transAxes.inverted()
    last = -1.0
    for x, y, says, colour in sorted(at, key=lambda one: one[1]):
        right, height = from_axes.transform(ax.transData.transform((x, y)))
        last = max(height, last + _APART)
        where: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        style: dict[str, Any] = {"fontsize": 8.5, "color": colour, "va": "center"}
        ax.annotate(says, (right, last), xytext=(8, 0), **where, **style)


def _line(
    ax: Axes, way: str, points: Sequence[tuple[float, float]], label: str, **more: Any
) -> None:
    colour, line, marker = STYLES.get(way, _OTHER)
    style = {"color": colour, "linestyle": line, "marker": marker} | more
    x, y = zip(*points, strict=True)
    ax.plot(x, y, label=label, markersize=3.8, linewidth=1.5, **style)


def walk_references(
    table: Mapping[str, tuple[Walk, Walk]], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw the table reads of a walk, stacked by dimension, by page sizes: cold, and with caches.

    Parameters
    ----------
    table : mapping of str to (Walk, Walk)
        By page sizes, as of `memory_data.walks`: without a cache, and with walk caches.
    title : str
        Line above everything.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Raises
    ------
    ParameterError
        If the table is empty.
    """
    from matplotlib.patches import Patch

    _check("walk_references", table)
    ax = ax if ax is not None else _axes(8.0, 1.3 + 0.42 * len(table))
    longest = max(cold.reads for cold, _ in table.values())
    for row, (cold, warm) in enumerate(table.values()):
        _bar(ax, row - 0.2, cold, longest, 0.36)
        _bar(ax, row + 0.2, warm, longest, 0.95)
    ax.set_yticks(range(len(table)), [named(way) for way in table], fontsize=9)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(0, 1.06 * longest)
    ax.set_xlabel("table reads per walk; the access to the data is one more")
    _tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    handles = [
        Patch(color=colour, alpha=alpha, label=f"{who}, {caches}")
        for caches, alpha in (("no cache", 0.36), ("walk caches", 0.95))
        for who, colour in (("guest's (or only) tables", GUEST), ("host's tables", HOST))
    ]
    _legend(ax, title, handles=handles, most=2)
    return ax


def _bar(ax: Axes, at: float, walk: Walk, longest: float, alpha: float) -> None:
    style: dict[str, Any] = {"height": 0.38, "alpha": alpha, "edgecolor": "white", "linewidth": 0.6}
    left = 0.0
    for reads, colour in ((walk.guest, GUEST), (walk.host, HOST)):
        ax.barh(at, reads, left=left, color=colour, **style)
        if reads > 0.06 * longest:
            ink = _inside(colour) | {"fontsize": 7.5, "color": "white" if alpha > 0.5 else "black"}
            ax.text(left + reads / 2, at, f"{reads:.3g}", **ink)
        left += reads
    says = f"{left:.3g}"
    ax.text(left + 0.008 * longest, at, says, va="center", fontsize=8.5)


def switch_cost(
    table: Mapping[tuple[str, bool], Sequence[tuple[float, float]]],
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw what translation adds to an access over how often processes switch, with tags and not.

    Parameters
    ----------
    table : mapping of (str, bool) to sequence of (float, float)
        By page sizes and whether there are tags: (switches per million accesses, cycles per
        access), as of `memory_data.by_switch_rate`.
    title : str
        Line above everything.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Raises
    ------
    ParameterError
        If the table is empty.
    """
    _check("switch_cost", table)
    ax = ax if ax is not None else _axes(7.4, 4.0)
    for (way, tags), points in table.items():
        told = f"{named(way)}, {'tags' if tags else 'no tags: a switch flushes'}"
        filled = {"markerfacecolor": "white"} if tags else {}
        _line(ax, way, points, told, linestyle="--" if tags else "-", **filled)
    ax.set_xscale("log")
    ax.set_ylim(0, 1.08 * max(y for points in table.values() for _, y in points))
    ax.xaxis.set_major_formatter(lambda rate, _: f"{rate:,.0f}")
    ax.set_xlabel("process switches per million accesses")
    ax.set_ylabel("added by translation [cycles per access]")
    _tidy(ax)
    _legend(ax, title, most=2)
    return ax


def _check(owner: str, table: Mapping[Any, Any]) -> None:
    if not table or not all(table.values()):
        raise ParameterError(owner, "table", "with at least one line, and points on each", table)


def bytes_in_words(size: float) -> str:
    """Return a number of bytes as 256 KiB, 4 GiB and so on."""
    for unit, shift in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.4g} {unit}"
    return f"{size:.4g} B"


def _legend(ax: Axes, title: str, *, handles: Any = None, most: int = 3) -> None:
    """Write a legend above in columns, and a title over it."""
    handles = handles or ax.get_legend_handles_labels()[0]
    rows = -(-len(handles) // most)
    ax.legend(
        handles=handles,
        ncols=-(-len(handles) // rows),
        frameon=False,
        fontsize=8.5,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        columnspacing=1.4,
    )
    if title:
        ax.set_title(title, loc="left", fontsize=10.5, pad=8 + 15 * rows)
