"""Output analysis as pure functions: warm-up, intervals, comparison under common random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Series = Sequence[float] | NDArray[np.float64]

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
    """
    import numpy as np

    values = _checked("mser5", "series", series)
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


def jain(values: Series) -> float:
    """Return Jain's fairness index [1]_: 1 if all get the same, 1/n if one of n gets all.

    Parameters
    ----------
    values : sequence of float
        What each gets, at least one; where nobody gets anything, all get the same.

    References
    ----------
    .. [1] R. Jain, D. Chiu and W. Hawe, "A quantitative measure of fairness and discrimination
       for resource allocation in shared computer systems", DEC-TR-301, 1984.

    Examples
    --------
    >>> jain([2.0, 2.0]), jain([2.0, 0.0]), jain([3.0, 1.0])
    (1.0, 0.5, 0.8)
    """
    squares = sum(value * value for value in values)
    return float(sum(values) ** 2 / (len(values) * squares)) if squares else 1.0


def interval(values: Series, confidence: float = 0.95) -> tuple[float, float]:
    """Return the mean and the Student-t confidence half-width of independent values.

    Parameters
    ----------
    values : sequence of float
        One value per replication, at least one.
    confidence : float
        Coverage, in (0, 1).

    Returns
    -------
    mean, half_width : float
        The half-width of a single value is NaN, because one run shows no spread.

    Examples
    --------
    >>> mean, half_width = interval([9.0, 10.0, 11.0])
    >>> print(f"{mean:.0f} +- {half_width:.2f}")
    10 +- 2.48
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise ParameterError("interval", "confidence", "in (0, 1)", confidence)
    data = _checked("interval", "values", values)
    if len(data) == 0:
        raise ParameterError("interval", "values", "at least one value", values)
    if len(data) == 1:
        return float(data[0]), float("nan")
    error = float(data.std(ddof=1)) / len(data) ** 0.5
    return float(data.mean()), float(stdtrit(len(data) - 1, (1 + confidence) / 2)) * error


def paired(a: Series, b: Series, confidence: float = 0.95) -> tuple[float, float]:
    """Return the mean of ``b - a`` and its half-width, under common random numbers.

    Parameters
    ----------
    a, b : sequence of float
        One value per replication; equal positions saw the same draws.
    confidence : float
        Coverage, in (0, 1).
    """
    before, after = _checked("paired", "a", a), _checked("paired", "b", b)
    if len(before) != len(after):
        raise ParameterError("paired", "b", f"as long as a ({len(before)})", len(after))
    return interval(after - before, confidence)


def holm(p_values: Series) -> list[float]:
    """Adjust p-values for the number of comparisons, by Holm's step-down method.

    Parameters
    ----------
    p_values : sequence of float
        One per comparison, in [0, 1].

    Returns
    -------
    list of float
        Adjusted values in the order given; reject those below the level of the whole set.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    data = _checked("holm", "p_values", p_values)
    adjusted, floor = [0.0] * len(data), 0.0
    for rank, index in enumerate(data.argsort(kind="stable")):
        p = float(data[index])
        if not 0 <= p <= 1:
            raise ParameterError("holm", "p_values", "in [0, 1]", p)
        floor = max(floor, min(1.0, (len(data) - rank) * p))
        adjusted[index] = floor
    return adjusted


def _checked(owner: str, field: str, values: Series) -> NDArray[np.float64]:
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or not np.isfinite(data).all():
        raise ParameterError(owner, field, "a list of finite numbers", values)
    return data
