"""Figures of memory techniques: faults turn by turn, and the memory of the hypervisor's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from virtperf.plot.figures import _axes, _tidy
from virtperf.plot.memory import _check, bytes_in_words, ends
from virtperf.plot.paging_data import STAYING, leaving

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.plot.paging_data import Slice

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "true fault": "#56B4E9",
        "hidden fault: missing": "#D55E00",
        "hidden fault: first write": "#E69F00",
        "write of a protected table": "#F0E442",
        "hypercall about tables": "#CC79A7",
        "violation": "#0072B2",
    }
)
"""A colour for each kind of `paging_data.KINDS`."""
LINES: Mapping[str, tuple[str, Any, str]] = MappingProxyType(
    {
        "shadow": ("#E69F00", "-", "s"),
        "nested, 4K": ("#D55E00", "-", "o"),
        "nested, 2M": ("#0072B2", "-", "D"),
        "nested, 1G": ("#56B4E9", "-", "^"),
    }
)
_BOUND = ("#888888", (0, (4, 2)), None)
_PALE = 0.35


def faults_over_time(table: Mapping[str, Sequence[Slice]], *, title: str = "") -> Axes:
    """Draw the faults of each turn of a process, stacked by kind, one panel per technique.

    Parameters
    ----------
    table : mapping of str to sequence of Slice
        By technique, as of `paging_data.faults`.
    title : str
        Line above everything.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel; all have the same axes. Pale is what does not leave the guest.

    Raises
    ------
    ParameterError
        If the table is empty.
    """
    _check("faults_over_time", table)
    panels = _panels(len(table))
    top = max(one.total for slices in table.values() for one in slices)
    for ax, (technique, slices) in zip(panels, table.items(), strict=True):
        _stack(ax, technique, slices)
        out = leaving(technique, slices)
        says = f"{technique}: {out:,} leave the guest"
        ax.set_title(says, loc="left", fontsize=9.5, pad=3)
        ax.set_ylim(0, 1.05 * top)
        _tidy(ax)
        ax.grid(visible=False, axis="x")
    slices = next(iter(table.values()))
    panels[-1].set_xticks(range(len(slices)), [one.process for one in slices], fontsize=8.5)
    panels[-1].set_xlim(-0.7, len(slices) - 0.3)
    panels[-1].set_xlabel("turns of the guest's processes, by name: each switch loads CR3")
    middle = 0.5 if len(panels) % 2 else 1.1  # of a panel, or between two
    panels[len(panels) // 2].set_ylabel("faults and calls in the turn", y=middle)
    _key(panels[0], table, title)
    return panels[0]


def _panels(number: int) -> list[Axes]:
    first = _axes(8.4, 1.0 + 1.35 * number)
    figure = first.get_figure(root=True)
    assert figure is not None
    first.remove()
    return list(figure.subplots(number, 1, sharex=True, squeeze=False)[:, 0])


def _stack(ax: Axes, technique: str, slices: Sequence[Slice]) -> None:
    bottom = [0] * len(slices)
    for kind, colour in COLOURS.items():
        heights = [one.faults.get(kind, 0) for one in slices]
        alpha = _PALE if kind in STAYING.get(technique, ()) else 1.0
        style: dict[str, Any] = {"color": colour, "alpha": alpha, "edgecolor": "white"}
        ax.bar(range(len(slices)), heights, bottom=bottom, width=0.8, linewidth=0.4, **style)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]


def _key(ax: Axes, table: Mapping[str, Sequence[Slice]], title: str) -> None:
    from matplotlib.patches import Patch

    slices = [one for each in table.values() for one in each]
    used = [kind for kind in COLOURS if any(one.faults.get(kind) for one in slices)]
    handles = [Patch(color=COLOURS[kind], label=kind) for kind in used]
    if any(STAYING.get(technique) for technique in table):
        handles.append(Patch(color=COLOURS["true fault"], alpha=_PALE, label="stays in the guest"))
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.legend(
        handles=handles,
        ncols=4,
        frameon=False,
        fontsize=8.5,
        loc="outside upper left",
        title=title,
        title_fontsize=10.5,
        alignment="left",
    )


def table_memory(
    table: Mapping[str, Sequence[tuple[int, int]]],
    bounds: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the memory of the hypervisor's tables over the guest's, by technique and page size.

    Parameters
    ----------
    table, bounds : mapping of str to sequence of (int, int)
        (bytes of the guest, bytes of tables), as of `paging_data.tables` and, dashed, `bounds`.
    title : str
        Line above everything.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Both axes are logarithmic.

    Raises
    ------
    ParameterError
        If the table is empty.
    """
    _check("table_memory", table)
    ax = ax if ax is not None else _axes(8.0, 4.4)
    shadows, last = 0, []
    for name, points in table.items():
        colour, line, marker = LINES.get(name, LINES["shadow"])
        if name not in LINES:  # one line of the same colour for each number of processes
            line, shadows = ("-", "--", "-.", ":")[shadows % 4], shadows + 1
        last.append(_one(ax, name, points, (colour, line, marker)))
    for name, points in (bounds or {}).items():
        last.append(_one(ax, name, points, _BOUND))
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_xticks([size for size, _ in next(iter(table.values()))][::2])
    ax.set_yticks([1 << shift for shift in range(13, 37, 3)])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda size, _: bytes_in_words(size))
    ax.set_xlabel("memory of the guest, all of it in use")
    ax.set_ylabel("memory of the hypervisor's tables")
    _tidy(ax)
    ax.set_title(title, loc="left", fontsize=10.5)
    ends(ax, last)
    return ax


def _one(
    ax: Axes, name: str, points: Sequence[tuple[int, int]], style: Any
) -> tuple[int, int, str, str]:
    """Draw a line; return its last point, its name and its colour."""
    colour, line, marker = style
    x, y = zip(*points, strict=True)
    ax.plot(x, y, color=colour, linestyle=line, marker=marker, markersize=3.8, linewidth=1.5)
    return x[-1], y[-1], name, colour
