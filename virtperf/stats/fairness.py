"""How evenly something is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtperf.stats.checks import Series


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
