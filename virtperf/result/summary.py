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
_KEYS = ["point", "metric"]


def summary(result: Result, confidence: float) -> pd.DataFrame:
    """Return the table of `Result.summary`."""
    import numpy as np

    if not 0 < confidence < 1:
        raise ParameterError("summary", "confidence", "in (0, 1)", confidence)
    grouped = result.data.groupby(_KEYS, sort=False, observed=True)
    found = grouped["value"].agg(["mean", "std", "count"])
    units = grouped["unit"].first().to_numpy()
    table = found.reset_index().rename(columns={"count": "n"})
    half = half_widths(table.pop("std").to_numpy(), table["n"].to_numpy(), confidence)
    half = np.where(table["point"].isin(result.without_intervals), np.nan, half)
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
