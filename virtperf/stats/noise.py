"""How much of what differs between points is noise of the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from virtperf.stats.checks import Series


def noise_share(values: Sequence[Series] | NDArray[np.float64]) -> float:
    """Return which share of the variance of point means is Monte-Carlo noise.

    Noise is what is left of the values when the mean of their point and the mean of their
    replication are taken away: what all points of a replication share, under common random
    numbers, makes none of them differ from another. Independent replications share nothing, and
    the estimate is the usual one then [1]_.

    Parameters
    ----------
    values : sequence of sequence of float
        A row per point, at least 2; a value per replication, at least 2, as many for every point.

    Returns
    -------
    float
        In [0, 1]; 0 where points do not differ at all. 0.2 means that a fifth of the variance would
        go away with more replications.

    References
    ----------
    .. [1] H. Scheffe, "The Analysis of Variance", Wiley 1959, chapter 4: the two-way layout.

    Examples
    --------
    >>> noise_share([[1.0, 3.0], [2.0, 4.0], [3.0, 5.0]])
    0.0
    >>> print(f"{noise_share([[1.0, 2.0], [2.0, 4.0], [4.0, 4.0]]):.2f}")
    0.16
    """
    import numpy as np

    try:
        data = np.array([list(row) for row in values], dtype=np.float64)
    except ValueError:
        data = np.empty(0)
    if data.ndim != 2 or min(data.shape) < 2 or not np.isfinite(data).all():
        must = "finite numbers, at least 2 points of 2 replications, as many for each"
        raise ParameterError("noise_share", "values", must, values)
    points, replications = data.shape
    data = data - data.mean()
    means = data.mean(axis=1)
    total = float(means.var(ddof=1))
    if total == 0:
        return 0.0
    rest = data - means[:, None] - data.mean(axis=0)
    residual = float((rest**2).sum()) / ((points - 1) * (replications - 1))
    return float(min(1.0, residual / replications / total))
