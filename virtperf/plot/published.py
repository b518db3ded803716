"""The figure of a reproduction: predictions over published values, with what is accepted."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError
from virtperf.plot.figures import _axes, _tidy
from virtperf.result.words import digits

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MET, MISSED, FITTED, ACCEPTED = "#0072B2", "#D55E00", "#7F7F7F", "#DCE6EE"
MARKERS = {"read": "o", "recalled": "D", "derived": "s"}
TICKS = (0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 5, 10, 20)
WIDE = 62  # characters of a claim on a line
_NEEDED = (
    "says published predicted noise unit accepts_low accepts_high verdict kind how".split()  # noqa: SIM905
)


def published(table: pd.DataFrame, ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw each prediction over its published value, and the range that is accepted.

    Parameters
    ----------
    table : DataFrame
        One row per claim, as of `virtperf.validation.table`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    title : str
        Line above everything.

    Returns
    -------
    matplotlib.axes.Axes
        A logarithmic axis of ratios: 1 is as published. A bar is the noise of the prediction, a
        filled circle a figure that was read in its source, an open diamond one that is recalled.

    Raises
    ------
    ParameterError
        If a column is missing, or there is no row.
    """
    if missing := [name for name in _NEEDED if name not in table.columns]:
        raise ParameterError("published", "table", f"with {', '.join(missing)}", "none")
    if not len(table):
        raise ParameterError("published", "table", "of at least one row", 0)
    ax = ax if ax is not None else _axes(9.2, 1.2 + 0.52 * len(table))
    rows: list[Any] = table.to_dict("records")
    ratios = [row["predicted"] / row["published"] for row in rows]
    low, high = min(0.7, 0.85 * min(ratios)), max(1.45, 1.18 * max(ratios))
    for at, (row, ratio) in enumerate(zip(rows, ratios, strict=True)):
        ends = (row[f"accepts_{end}"] / row["published"] for end in ("low", "high"))
        left, right = (min(max(end, low), high) for end in ends)
        ax.barh(at, right - left, left=left, height=0.62, color=ACCEPTED, zorder=1)
        noise = row["noise"] / row["published"]
        ax.errorbar(ratio, at, xerr=noise, **_point(row))
        _numbers(ax, at, row)
    ax.axvline(1, color="#555555", linewidth=1, zorder=2)
    _finish(ax, rows, low, high)
    _key(ax, rows, title)
    return ax


def _point(row: dict[str, Any]) -> dict[str, Any]:
    kind = str(row["how"]).split("-")[0]
    fitted = row["kind"] == "calibrated"
    colour = FITTED if fitted else MET if row["verdict"] == "met" else MISSED
    style = {"marker": MARKERS.get(kind, "s"), "color": colour, "markersize": 6.5, "capsize": 3}
    return {**style, "markerfacecolor": colour if kind == "read" else "white", "zorder": 3}


def _numbers(ax: Axes, at: float, row: dict[str, Any]) -> None:
    """Write the two values right of the axis, in columns, both in the scale of the first."""
    factor, unit = _scale(row["published"], row["unit"])
    published, predicted = (_plain(row[name] / factor) for name in ("published", "predicted"))
    _column(ax, at, published, f"{predicted} {unit}")


def _column(ax: Axes, at: float, published: str, predicted: str, **style: Any) -> None:
    where = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
    more: Any = {**where, "fontsize": 8.5, "annotation_clip": False, **style}
    ax.annotate(published, (1, at), xytext=(62, 0), ha="right", **more)
    ax.annotate(predicted, (1, at), xytext=(78, 0), ha="left", **more)


def _scale(value: float, unit: str) -> tuple[float, str]:
    """Return the factor and the unit in which a value is read: rates in thousands or more."""
    short = unit.removeprefix("1")
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if unit in ("1/s", "bit/s", "B/s") and abs(value) >= factor:
            return factor, f"{prefix}{short}"
    return 1.0, short


def _plain(value: float) -> str:
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else digits(value)


def _finish(ax: Axes, rows: list[dict[str, Any]], low: float, high: float) -> None:
    names = [textwrap.fill(str(row["says"]), WIDE) for row in rows]
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.set_xlim(low, high)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks(range(len(rows)), names, fontsize=8.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel("predicted over published")
    _tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    _column(ax, -0.62, "published", "predicted", color="#555555")


def _key(ax: Axes, rows: list[dict[str, Any]], title: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    points = [_point(row) for row in rows]
    handles: list[Any] = [Patch(color=ACCEPTED, label="accepted")]
    for colour, says in ((MET, "met"), (MISSED, "missed"), (FITTED, "calibrated")):
        if any(point["color"] == colour for point in points):
            handles.append(Line2D([], [], color=colour, linewidth=5, label=says))
    for kind, marker in MARKERS.items():
        if any(point["marker"] == marker for point in points):
            filled = "#333333" if kind == "read" else "white"
            style: dict[str, Any] = {"marker": marker, "color": "#333333"}
            style["markerfacecolor"] = filled
            handles.append(Line2D([], [], linestyle="", label=kind, **style))
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.legend(
        handles=handles,
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
        loc="outside upper left",
        title=title,
        title_fontsize=10.5,
        alignment="left",
    )
