"""Sobol indices: which share of an output's variance is due to which factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.stats.checks import level
from virtperf.stats.noise import noise_share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from virtperf.stats.checks import Series

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A share of the variance with its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sobol:
    """The indices of one output.

    Attributes
    ----------
    first : mapping of factor to Index
        Share of the variance that a factor takes away when it is fixed, by itself.
    total : mapping of factor to Index
        Share that is left when all others are fixed: by itself and with others.
    variance : float
        Of the output over the sample.
    noise : float or None
        Share of `variance` that is noise of the simulation; the total index of a factor without
        any effect is about this large. None without replications.
    """

    first: dict[str, Index]
    total: dict[str, Index]
    variance: float
    noise: float | None

    def resolved(self, factor: str) -> bool:
        """Return whether the total index of a factor stands out of the noise."""
        return self.total[factor].low > (self.noise or 0.0)


def sobol_indices(
    values: Series | Sequence[Series],
    factors: Sequence[str],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 1,
) -> Sobol:
    """Estimate first-order and total Sobol indices from the answers at a Saltelli design.

    The estimators are Saltelli's of 2010 for the first order and Jansen's for the total [1]_ [2]_,
    the same as in `scipy.stats.sobol_indices`, whose bootstrap cannot be seeded. Intervals are
    percentiles over resampled base samples [3]_.

    Parameters
    ----------
    values : sequence of float, or of sequences of float
        An answer per point of `virtperf.design.saltelli`, in its order; or a value per replication
        of each, from which the share of noise is estimated, too.
    factors : sequence of str
        As in the design.
    confidence : float
        Coverage of the intervals, in (0, 1).
    resamples, seed : int
        Of the bootstrap.

    References
    ----------
    .. [1] A. Saltelli et al., "Variance based sensitivity analysis of model output. Design and
       estimator for the total sensitivity index", Computer Physics Communications 181, 2010.
    .. [2] M. J. W. Jansen, "Analysis of variance designs for model output", Computer Physics
       Communications 117, 1999.
    .. [3] G. E. B. Archer, A. Saltelli, I. M. Sobol, "Sensitivity measures, ANOVA-like techniques
       and the use of bootstrap", J. Statistical Computation and Simulation 58, 1997.

    Examples
    --------
    >>> from virtperf.design import saltelli
    >>> design = saltelli({"a": "0.0..1.0", "b": "0.0..1.0"}, n=256)
    >>> found = sobol_indices([3 * p["a"] + p["b"] for p in design], ["a", "b"])
    >>> print(f"{found.first['a'].value:.2f} {found.total['b'].value:.2f}")
    0.90 0.10
    """
    import numpy as np

    level("sobol_indices", confidence)
    if resamples < 100:
        raise ParameterError("sobol_indices", "resamples", "at least 100", resamples)
    a, b, mixed, noise = _read(values, len(factors))
    picked = np.random.default_rng(seed).integers(len(a), size=(resamples, len(a)))
    variance, again = _variance(a, b), _variance(a, b, picked)
    tail = (1 - confidence) / 2

    def index(at: Array, over: Array) -> Index:
        low, high = np.quantile(over, [tail, 1 - tail])
        return Index(value=float(at), low=float(low), high=float(high))

    first, total = {}, {}
    for name, ab in zip(factors, mixed, strict=True):
        first[name] = index(_first(a, b, ab) / variance, _first(a, b, ab, picked) / again)
        total[name] = index(_total(a, ab) / variance, _total(a, ab, picked) / again)
    told = float(variance) if np.ptp([a, b]) else 0.0
    return Sobol(first=first, total=total, variance=told, noise=noise)


def _first(a: Array, b: Array, ab: Array, picked: NDArray[np.int64] | None = None) -> Array:
    """Return Saltelli's estimate of the variance of the mean given one factor, per resample."""
    return _mean(b * (ab - a), picked)


def _total(a: Array, ab: Array, picked: NDArray[np.int64] | None = None) -> Array:
    """Return Jansen's estimate of the mean variance given all others, per resample."""
    return _mean((a - ab) ** 2 / 2, picked)


def _mean(terms: Array, picked: NDArray[np.int64] | None) -> Array:
    found: Array = (terms if picked is None else terms[picked]).mean(axis=-1)
    return found


def _variance(a: Array, b: Array, picked: NDArray[np.int64] | None = None) -> Array:
    """Return the variance over A and B; where nothing varies 1, so that no share is of nothing."""
    import numpy as np

    # of values about their mean, so that nothing is lost in the difference
    found = _mean(a**2 + b**2, picked) / 2 - (_mean(a + b, picked) / 2) ** 2
    return np.where(found > 0, found, 1.0)


def _read(
    values: Series | Sequence[Series], factors: int
) -> tuple[Array, Array, Array, float | None]:
    """Return answers at A, at B, and at A with each factor of B, about their mean; and noise."""
    import numpy as np

    try:
        data = np.asarray(values, dtype=np.float64)
    except ValueError:  # not as many replications for each
        data = np.empty(0)
    block = factors + 2
    if (
        factors < 1
        or data.ndim not in (1, 2)
        or len(data) % block
        or len(data) < 2 * block
        or not np.isfinite(data).all()
    ):
        must = f"finite, {block} per base sample ({factors} factors), of at least 2 base samples"
        raise ParameterError("sobol_indices", "values", must, f"an array of shape {data.shape}")
    noise = None
    if data.ndim == 2:
        noise = noise_share(data) if data.shape[1] > 1 else None
        data = data.mean(axis=1)
    blocks = data.reshape(-1, block)
    blocks = blocks - blocks[:, :2].mean()
    return blocks[:, 0], blocks[:, 1], blocks[:, 2:].T, noise
