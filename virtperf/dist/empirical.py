"""Distributions from observations."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from virtperf.dist.checks import at_least_0, share
from virtperf.dist.protocol import Independent
from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Empirical(Independent):
    """Observed times and how often each was seen.

    Parameters
    ----------
    values : sequence of float
        Times in ns, ascending.
    weights : sequence of float
        Positive, one per value, on any scale.

    Examples
    --------
    >>> seen = Empirical.from_bins({"100": 3, "500": 1})
    >>> seen.mean, seen.quantile(0.5)
    (200.0, 100.0)
    """

    values: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        values = tuple(at_least_0("Empirical", "values", value) for value in self.values)
        weights = tuple(at_least_0("Empirical", "weights", weight) for weight in self.weights)
        if not values:
            raise ParameterError("Empirical", "values", "at least one time", self.values)
        if list(values) != sorted(values):
            raise ParameterError("Empirical", "values", "in ascending order", self.values)
        if len(weights) != len(values):
            must = f"as many as values ({len(values)})"
            raise ParameterError("Empirical", "weights", must, len(weights))
        if not min(weights) > 0:
            raise ParameterError("Empirical", "weights", "positive", min(weights))
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def from_bins(cls, bins: Mapping[str, int] | Mapping[int, int]) -> Empirical:
        """Build from a histogram such as fio's ``clat_ns.bins``: time in ns to count."""
        counts = {float(key): count for key, count in bins.items() if count != 0}
        return cls.from_pairs(counts.keys(), counts.values())

    @classmethod
    def from_pairs(cls, values: Iterable[float], weights: Iterable[float]) -> Empirical:
        """Build from times in any order, and how often each was seen."""
        pairs = sorted(zip(values, weights, strict=True))
        return cls(tuple(value for value, _ in pairs), tuple(weight for _, weight in pairs))

    @property
    def mean(self) -> float:
        """Mean, in ns."""
        return math.fsum(map(float.__mul__, self.values, self.weights)) / math.fsum(self.weights)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation; 0 if every time is 0."""
        mean = self.mean
        spread = ((value - mean) ** 2 for value in self.values)
        variance = math.fsum(map(float.__mul__, spread, self.weights)) / math.fsum(self.weights)
        return variance / mean**2 if mean else 0.0

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` of the values by weight; one uniform number per draw."""
        import numpy as np

        shares = np.cumsum(self.weights)
        picks = np.searchsorted(shares / shares[-1], rng.random(n), side="right")
        return np.asarray(self.values)[picks]

    def scaled(self, factor: float) -> Empirical:
        """Return the distribution of `factor` times this time."""
        at_least_0("Empirical", "factor", factor)
        return Empirical(tuple(value * factor for value in self.values), self.weights)

    def shifted(self, ns: float, floor: float = 0.0) -> Empirical:
        """Subtract `ns` from every value, but leave none below `floor`.

        It turns a latency measured through a layer of known cost into the time below that layer.
        """
        at_least_0("Empirical", "floor", floor)
        if not math.isfinite(ns):
            raise ParameterError("Empirical", "ns", "a finite number", ns)
        return Empirical(tuple(max(floor, value - ns) for value in self.values), self.weights)

    def quantile(self, q: float) -> float:
        """Return the smallest value that a share `q` of the weight does not exceed, in ns."""
        share("Empirical", q)
        shares = list(accumulate(self.weights))
        return self.values[bisect_left(shares, q * shares[-1])]

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "empirical", "values": list(self.values), "weights": list(self.weights)}
