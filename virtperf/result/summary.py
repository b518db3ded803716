"""Means and intervals of every metric at every point, whole columns at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from virtperf.result import Result

SUMMARY = ("point", "metric", "unit", "mean", "ci_low", "ci_high", "n")
RESOLUTION = 1 / 64  # of the histograms that quantiles come from: narrower is not seen
_KEYS = ["point", "metric"]


def without_interval(data: pd.DataFrame) -> list[tuple[str, str]]:
    """Return point and metric of the quantiles in `data` that `rough` gives no interval."""
    table = data.groupby(_KEYS, sort=False, observed=True)["value"].agg(["mean", "std", "count"])
    table = table.reset_index()
    half = half_widths(table["std"].to_numpy(), table["count"].to_numpy(), 0.95)
    rows = table[rough(table, half)]
    return [(str(p), str(m)) for p, m in zip(rows["point"], rows["metric"], strict=True)]


def summary(result: Result, confidence: float) -> pd.DataFrame:
    """Return the table of `Result.summary`."""
    import numpy as np

    if not 0 < confidence < 1:
        raise ParameterError("summary", "confidence", "in (0, 1)", confidence)
    grouped = result.data.groupby(_KEYS, sort=False, observed=True)
    found = grouped["value"].agg(["mean", "std", "count"])
    units = grouped["unit"].first().to_numpy()
    table = found.reset_index().rename(columns={"count": "n"})
    half = half_widths(table["std"].to_numpy(), table["n"].to_numpy(), confidence)
    without = table["point"].isin(result.without_intervals).to_numpy() | rough(table, half)
    half = np.where(without, np.nan, half)
    table = table.assign(unit=units, ci_low=table["mean"] - half, ci_high=table["mean"] + half)
    table = _with_band(table[list(SUMMARY)], result.band)
    rank = {point: index for index, point in enumerate(result.labels)}
    order = table["point"].map(rank).to_numpy(dtype=float).argsort(kind="stable")
    return table.iloc[order].reset_index(drop=True)


def half_widths(spread: Any, n: Any, confidence: float) -> NDArray[np.float64]:
    """Return Student-t half-widths of means of `n` values; NaN where one value shows no spread."""
    import numpy as np
    from scipy.special import stdtrit

    counts, place = np.unique(n, return_inverse=True)  # few, and the quantile is slow
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = stdtrit(counts - 1.0, (1 + confidence) / 2) / np.sqrt(counts)
        found: NDArray[np.float64] = np.where(n > 1, spread * factors[place], np.nan)
    return found


def rough(table: pd.DataFrame, half: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows are quantiles whose bias may be over half of their half-width.

    Long latencies come in crowds, and a run that meets few of them places its quantile too low
    more often than too high: in a tail that falls exponentially by ``1/scale``, replications that
    stray by ``spread`` are off by ``spread^2 / (2 scale)`` on average, to second order. More
    replications narrow the interval and leave that as it is; longer runs cure it. The scale is
    taken between the quantile and the one below it.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``point metric mean std``.
    half : array
        Half-width of each row.
    """
    import numpy as np

    found = np.zeros(len(table), dtype=bool)
    for metric in table["metric"].unique():
        family, _, rest = str(metric).partition(".")
        name, dot, group = rest.partition(".")
        if name not in _TAIL:
            continue
        rows = np.flatnonzero(table["metric"] == metric)
        below, factor = _TAIL[name]
        lower = table[table["metric"] == f"{family}.{below}{dot}{group}"]
        under = table["point"].iloc[rows].map(dict(zip(lower["point"], lower["mean"], strict=True)))
        mean, spread = (table[column].to_numpy()[rows] for column in ("mean", "std"))
        scale = (mean - under.to_numpy(dtype=float)) / np.log(factor)
        found[rows] = (half[rows] > RESOLUTION * mean) & (spread**2 > half[rows] * scale)
    return found


_TAIL = {"p95": ("p50", 10), "p99": ("p95", 5)}
"""For a quantile the one below it, beyond which there are so many times as many requests."""


def _with_band(table: pd.DataFrame, band: pd.DataFrame) -> pd.DataFrame:
    """Add the ends of the band: the mean, and where it moves when numbers do."""
    if band.empty:
        return table.assign(band_low=float("nan"), band_high=float("nan"))
    moves = band.groupby(_KEYS, sort=False, observed=True)["shift"].agg(["min", "max"])
    ends = table[_KEYS].merge(moves.reset_index(), on=_KEYS, how="left")
    low, high = (ends[end].to_numpy() for end in ("min", "max"))
    return table.assign(
        band_low=table["mean"] + low.clip(max=0.0), band_high=table["mean"] + high.clip(min=0.0)
    )
