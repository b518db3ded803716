"""Comparing points that met the same draws: what it saves, and many points with one baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.stats.checks import checked, level
from virtperf.stats.intervals import paired
from virtperf.stats.multiple import holm

if TYPE_CHECKING:
    from virtperf.stats.checks import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """A difference under common random numbers, and what these saved.

    Attributes
    ----------
    difference, half_width : float
        Of ``b - a``, replication by replication.
    independent_half_width : float
        Welch's, of the same values as if no draws were shared.
    half_widths : float
        How many times as wide the interval would be without common random numbers; below 1 they
        have done harm.
    replications : float
        How many times as many replications the same interval would take: the ratio of variances.
    """

    difference: float
    half_width: float
    independent_half_width: float
    half_widths: float
    replications: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One point against the baseline.

    Attributes
    ----------
    difference, half_width : float
        Of point less baseline, with the interval of this comparison alone.
    simultaneous_half_width : float
        For all comparisons to be covered at once, by Bonferroni: one that leaves 0 out is
        significant, but Holm's test, which is sharper, may be so too where 0 is in.
    p_value, p_adjusted : float
        Of the paired t-test, alone, and for the whole set by Holm's method.
    significant : bool
        Whether the point differs from the baseline, over the whole set.
    """

    difference: float
    half_width: float
    simultaneous_half_width: float
    p_value: float
    p_adjusted: float
    significant: bool


def crn_saving(a: Series, b: Series, confidence: float = 0.95) -> Saving:
    """Return the difference of two points and what common random numbers saved.

    Parameters
    ----------
    a, b : sequence of float
        One value per replication, at least 2; equal positions saw the same draws.
    confidence : float
        Coverage, in (0, 1).

    References
    ----------
    .. [1] B. L. Welch, "The generalization of Student's problem when several different population
       variances are involved", Biometrika 34, 1947.

    Examples
    --------
    >>> found = crn_saving([10.0, 14.0, 9.0, 15.0], [11.1, 15.0, 10.0, 15.9])
    >>> print(f"{found.difference:.1f} +- {found.half_width:.2f}")
    1.0 +- 0.13
    >>> print(f"+- {found.independent_half_width:.2f}, or {found.replications:.0f} times the runs")
    +- 5.05, or 2551 times the runs
    """
    from scipy.special import stdtrit

    difference, half_width = paired(a, b, confidence)
    before = checked("crn_saving", "a", a, least=2)
    after = checked("crn_saving", "b", b, least=2)
    count = len(before)
    parts = [float(data.var(ddof=1)) / count for data in (before, after)]
    together = sum(parts)
    apart = 0.0
    if together > 0:
        degrees = together**2 / sum(part**2 / (count - 1) for part in parts)
        apart = float(stdtrit(degrees, (1 + confidence) / 2)) * math.sqrt(together)
    variance = float((after - before).var(ddof=1)) / count
    return Saving(
        difference=difference,
        half_width=half_width,
        independent_half_width=apart,
        half_widths=_ratio(apart, half_width),
        replications=_ratio(together, variance),
    )


def against_baseline(
    baseline: Series, points: Mapping[str, Series], confidence: float = 0.95
) -> dict[str, Against]:
    """Compare every point with one baseline, honestly for the whole set.

    Parameters
    ----------
    baseline : sequence of float
        One value per replication, at least 2.
    points : mapping of point to sequence of float
        As long; equal positions saw the same draws.
    confidence : float
        That no point is called different which is not, in (0, 1).

    References
    ----------
    .. [1] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
       of Statistics 6(2), 1979.

    Examples
    --------
    >>> base = [10.0, 14.0, 9.0, 15.0]
    >>> points = {"a": [11.1, 15.0, 10.0, 15.9], "b": [10.5, 13.0, 9.8, 15.1]}
    >>> found = against_baseline(base, points)
    >>> [(name, one.significant) for name, one in found.items()]
    [('a', True), ('b', False)]
    """
    level("against_baseline", confidence)
    if not points:
        raise ParameterError("against_baseline", "points", "at least one", dict(points))
    all_at_once = 1 - (1 - confidence) / len(points)
    raw = {name: _p_value(baseline, values, name) for name, values in points.items()}
    adjusted = dict(zip(raw, holm(list(raw.values())), strict=True))
    found = {}
    for name, values in points.items():
        difference, half_width = paired(baseline, values, confidence)
        found[name] = Against(
            difference=difference,
            half_width=half_width,
            simultaneous_half_width=paired(baseline, values, all_at_once)[1],
            p_value=raw[name],
            p_adjusted=adjusted[name],
            significant=adjusted[name] <= 1 - confidence,
        )
    return found


def _p_value(baseline: Series, values: Series, name: str) -> float:
    """Return the two-sided p-value of the paired t-test."""
    from scipy.special import stdtr

    before = checked("against_baseline", "baseline", baseline, least=2)
    after = checked("against_baseline", name, values, least=2)
    if len(before) != len(after):
        must = f"as long as the baseline ({len(before)})"
        raise ParameterError("against_baseline", name, must, len(after))
    moved = after - before
    error = float(moved.std(ddof=1)) / math.sqrt(len(moved))
    if error == 0:
        return 1.0 if moved[0] == 0 else 0.0
    return float(2 * stdtr(len(moved) - 1, -abs(float(moved.mean())) / error))


def _ratio(one: float, other: float) -> float:
    if other:
        return one / other
    return math.inf if one else 1.0
