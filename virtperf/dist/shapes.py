"""Distributions with a formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from virtperf.dist.checks import at_least_0, keep, share
from virtperf.dist.protocol import Independent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Deterministic(Independent):
    """Always `value` ns."""

    value: float

    def __post_init__(self) -> None:
        keep(self, "value", self.value)

    @property
    def mean(self) -> float:
        """Mean, in ns."""
        return self.value

    @property
    def scv(self) -> float:
        """Squared coefficient of variation: 0."""
        return 0.0

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` times `value`; consumes no randomness."""
        import numpy as np

        return np.full(n, self.value)

    def scaled(self, factor: float) -> Deterministic:
        """Return the distribution of `factor` times this time."""
        return Deterministic(self.value * at_least_0("Deterministic", "factor", factor))

    def quantile(self, q: float) -> float:
        """Return `value`."""
        share("Deterministic", q)
        return self.value

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "deterministic", "value": self.value}


@dataclass(frozen=True, slots=True)
class Exponential(Independent):
    """Exponential with `mean` ns."""

    mean: float

    def __post_init__(self) -> None:
        keep(self, "mean", self.mean)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation: 1."""
        return 1.0

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` independent times, in ns."""
        return rng.standard_exponential(n) * self.mean

    def scaled(self, factor: float) -> Exponential:
        """Return the distribution of `factor` times this time."""
        return Exponential(self.mean * at_least_0("Exponential", "factor", factor))

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""
        if share("Exponential", q) == 1 and self.mean:
            return math.inf
        return -self.mean * math.log1p(-q) if self.mean else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "exponential", "mean": self.mean}


@dataclass(frozen=True, slots=True)
class LogNormal(Independent):
    """Log-normal with `mean` ns and coefficient of variation `cv`, both of the time itself."""

    mean: float
    cv: float

    def __post_init__(self) -> None:
        keep(self, "mean", self.mean)
        keep(self, "cv", self.cv)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return self.cv**2

    @property
    def _sigma(self) -> float:
        return math.sqrt(math.log1p(self.cv**2))

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` independent times, in ns."""
        return self.mean * rng.lognormal(-(self._sigma**2) / 2, self._sigma, n)

    def scaled(self, factor: float) -> LogNormal:
        """Return the distribution of `factor` times this time."""
        return LogNormal(self.mean * at_least_0("LogNormal", "factor", factor), self.cv)

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""
        share("LogNormal", q)
        if self.mean == 0 or self.cv == 0:
            return self.mean
        if q in (0, 1):
            return math.inf if q else 0.0
        z = NormalDist().inv_cdf(q)
        return self.mean * math.exp(self._sigma * z - self._sigma**2 / 2)

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "lognormal", "mean": self.mean, "cv": self.cv}


@dataclass(frozen=True, slots=True)
class Gamma(Independent):
    """Gamma with `mean` ns and coefficient of variation `cv`: below 1 regular, above 1 bursty."""

    mean: float
    cv: float

    def __post_init__(self) -> None:
        keep(self, "mean", self.mean)
        keep(self, "cv", self.cv)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return self.cv**2

    @property
    def _shape(self) -> float:
        return 1 / self.scv if self.scv else math.inf

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` independent times, in ns."""
        import numpy as np

        if math.isinf(self._shape):
            return np.full(n, self.mean)
        return self.mean * self.scv * rng.standard_gamma(self._shape, n)

    def scaled(self, factor: float) -> Gamma:
        """Return the distribution of `factor` times this time."""
        return Gamma(self.mean * at_least_0("Gamma", "factor", factor), self.cv)

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""
        from scipy.special import gammaincinv

        share("Gamma", q)
        if self.mean == 0 or math.isinf(self._shape):
            return self.mean
        return float(self.mean * self.scv * gammaincinv(self._shape, q))

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "gamma", "mean": self.mean, "cv": self.cv}
