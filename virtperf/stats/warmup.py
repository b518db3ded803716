"""Where the warm-up of a run ends: MSER-5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtperf.stats.checks import checked

if TYPE_CHECKING:
    from virtperf.stats.checks import Series

_BATCH = 5


def mser5(series: Series) -> int | None:
    """Find where the warm-up ends by MSER-5.

    Observations are averaged in batches of 5; the cut is the one that makes the standard error of
    the rest smallest, searched in the first half only.

    Parameters
    ----------
    series : sequence of float
        Observations in order, for example the average over replications.

    Returns
    -------
    int or None
        How many observations to drop, a multiple of 5; None if the best cut lies at the bound of
        the search: the run shows no steady state (or has fewer than 10 observations).

    References
    ----------
    .. [1] K. P. White, M. J. Cobb, S. C. Spratt, "A comparison of five steady-state truncation
       heuristics for simulation", Winter Simulation Conference 2000.

    Examples
    --------
    >>> mser5([9.0] * 5 + [1.0, 2.0] * 20)
    5
    """
    import numpy as np

    values = checked("mser5", "series", series)
    count = len(values) // _BATCH
    if count < 2:
        return None
    means = values[: count * _BATCH].reshape(count, _BATCH).mean(axis=1)
    means -= np.median(means)  # cancellation otherwise; and a constant series becomes exactly 0
    bound = count // 2
    left = count - np.arange(bound + 1)
    totals = means[::-1].cumsum()[::-1][: bound + 1]
    squares = (means**2)[::-1].cumsum()[::-1][: bound + 1]
    cut = int(np.argmin((squares - totals**2 / left) / left**2))
    return None if cut == bound else cut * _BATCH
