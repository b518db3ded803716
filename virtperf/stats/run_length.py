"""Whether runs are long beside the memory of what they simulate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from virtperf.stats.batch_means import von_neumann_ratio, von_neumann_spread
from virtperf.stats.checks import checked

if TYPE_CHECKING:
    from virtperf.stats.checks import Series

PARTS = 20  # of a run: more, and shorter, would be correlated in runs that are long enough
SIGNIFICANCE = 0.01  # one point of a hundred that is long enough loses its interval


def memory(series: Series) -> float:
    """Return how alike neighbouring twentieths of one run are: von Neumann's statistic.

    It is about the lag-1 correlation of their means: 0 where they are independent, and close to 1
    where the run is short beside the time that the system takes to forget its state.

    Parameters
    ----------
    series : sequence of float
        Observations in order, warm-up removed.

    Returns
    -------
    float
        NaN for fewer than 20 observations.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(1).normal(5.0, 1.0, 1000)
    >>> abs(memory(noise)) < 0.5, memory(np.cumsum(noise - 5.0)) > 0.5
    (True, True)
    """
    data = checked("memory", "series", series)
    length = len(data) // PARTS
    if not length:
        return math.nan
    return von_neumann_ratio(data[-PARTS * length :].reshape(PARTS, length).mean(axis=1))


def too_short(memories: Series) -> bool:
    """Return whether replications are too short for an interval of their means to be believed.

    The interval takes the mean of a run to be normal and without bias. Both are so where a run is
    many independent stretches, and neither where it is few: a long busy period then decides the
    mean, most runs have met none, and what the start has left behind has not gone. So the
    twentieths of all runs are tested together for correlation, against positive one and at 1 %
    [1]_; ten to thirty batches are the robust choice [2]_.

    Parameters
    ----------
    memories : sequence of float
        `memory` of every replication.

    Notes
    -----
    Correlation of about 0.16 is found in half of all cases by ten replications. A system that
    forgets exponentially shows that if a run lasts less than some 80 times its time constant; what
    no run has met, such as an event once in many runs, no test of the runs can find.

    References
    ----------
    .. [1] J. von Neumann, "Distribution of the ratio of the mean square successive difference to
       the variance", Annals of Mathematical Statistics 12(4), 1941.
    .. [2] B. Schmeiser, "Batch size effects in the analysis of simulation output", Operations
       Research 30(3), 1982.

    Examples
    --------
    >>> too_short([0.2, -0.1, 0.1, 0.0]), too_short([0.5, 0.6, 0.4, 0.7])
    (False, True)
    """
    known = [value for value in memories if not math.isnan(value)]
    return bool(known) and sum(known) / len(known) > limit(len(known))


def limit(runs: int) -> float:
    """Return the mean `memory` of so many runs beyond which they are too short."""
    from scipy.special import ndtri

    return float(ndtri(1 - SIGNIFICANCE)) * von_neumann_spread(PARTS) / math.sqrt(runs)
