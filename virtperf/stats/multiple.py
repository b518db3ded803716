"""Many comparisons at once: p-values that stay honest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.stats.checks import checked

if TYPE_CHECKING:
    from virtperf.stats.checks import Series


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
    data = checked("holm", "p_values", p_values)
    adjusted, floor = [0.0] * len(data), 0.0
    for rank, index in enumerate(data.argsort(kind="stable")):
        p = float(data[index])
        if not 0 <= p <= 1:
            raise ParameterError("holm", "p_values", "in [0, 1]", p)
        floor = max(floor, min(1.0, (len(data) - rank) * p))
        adjusted[index] = floor
    return adjusted
