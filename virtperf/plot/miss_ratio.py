"""The figure of miss ratios: how much a TLB of each size, or of each associativity, misses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.plot.figures import COLOURS, LINES, _axes, _tidy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLUMNS = ("stream", "entries", "misses", "lookups")


def miss_ratio_curve(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    marks: Mapping[str, int] | None = None,
    title: str = "",
) -> Axes:
    """Draw the share of accesses that miss against a TLB's entries, one line per stream.

    A line holds its value to the next row of its stream. Its last value, dotted on, is what first
    touches alone miss: no TLB of the page size misses less.

    Parameters
    ----------
    table : DataFrame
        Columns ``stream, entries, misses, lookups``, as of `virtperf.mmu.curve.MissCurve.frame`.
        The last row of a stream must be of a TLB large enough for it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    marks : mapping of label to int, optional
        Numbers of entries to point out, for example of a processor's TLBs.
    title : str
        Line above everything.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on; both are logarithmic.

    Raises
    ------
    ParameterError
        If a column is missing, there is no row, or a number cannot be drawn.
    """
    _check(table)
    ax = ax if ax is not None else _axes(8.0, 4.2)
    streams = list(dict.fromkeys(table["stream"]))
    top = max(int(table["entries"].max()), *(marks or {"": 1}).values()) * 2.0
    for at, name in enumerate(streams):
        rows = table[table["stream"] == name].sort_values("entries")
        colour, line = COLOURS[at % len(COLOURS)], LINES[at // len(COLOURS) % len(LINES)]
        sizes, ratios = rows["entries"].to_list(), (rows["misses"] / rows["lookups"]).to_list()
        ax.step(
            sizes, ratios, where="post", color=colour, linestyle=line, linewidth=1.6, label=name
        )
        ax.plot([sizes[-1], top], [ratios[-1]] * 2, linestyle=":", linewidth=1.2, color=colour)
        ax.plot(sizes[-1:], ratios[-1:], marker="o", markersize=3.5, color=colour)
    _finish(ax, top, float((table["misses"] / table["lookups"]).min()), marks or {})
    columns = min(4, len(streams))
    above = 8 + 15 * -(-len(streams) // columns)
    ax.legend(ncols=columns, frameon=False, fontsize=8.5, loc="lower left", bbox_to_anchor=(0, 1.0))
    ax.set_title(title, loc="left", fontsize=10.5, pad=above + 6)
    return ax


def _check(table: pd.DataFrame) -> None:
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        must = f"with the columns {', '.join(_COLUMNS)}"
        raise ParameterError("miss_ratio_curve", "table", must, list(table.columns))
    if not len(table):
        raise ParameterError("miss_ratio_curve", "table", "of at least one row", 0)
    for name in _COLUMNS[1:]:  # a logarithm has no place for 0
        least = table[name].min()
        if not least >= 1:
            raise ParameterError("miss_ratio_curve", f"table[{name!r}]", "at least 1", float(least))


def _finish(ax: Axes, top: float, least: float, marks: Mapping[str, int]) -> None:
    from matplotlib.ticker import FuncFormatter

    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlim(1, top)
    ax.set_ylim(least / 4, 1.3)  # marks have their names below
    ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{100 * ratio:g} %"))
    ax.set_xlabel("entries of a fully associative LRU TLB; dotted: first touches only")
    ax.set_ylabel("accesses that miss")
    _tidy(ax)
    for label, entries in marks.items():
        ax.axvline(entries, color="#888888", linewidth=0.9)
        where = ax.get_xaxis_transform()
        ax.text(entries, 0.02, f" {label}", transform=where, fontsize=8, color="#555555")
