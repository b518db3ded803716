"""Intervals of independent values, and of pairs that met the same draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.stats.checks import checked, level

if TYPE_CHECKING:
    from virtperf.stats.checks import Series


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

    level("interval", confidence)
    data = checked("interval", "values", values, least=1)
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

    Examples
    --------
    >>> mean, half_width = paired([10.0, 20.0, 30.0], [11.0, 21.5, 30.5])
    >>> print(f"{mean:.0f} +- {half_width:.2f}")
    1 +- 1.24
    """
    before, after = checked("paired", "a", a), checked("paired", "b", b)
    if len(before) != len(after):
        raise ParameterError("paired", "b", f"as long as a ({len(before)})", len(after))
    return interval(after - before, confidence)
