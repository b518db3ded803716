"""Distributions of times as data, in nanoseconds. Imports numpy only to draw."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.units import parse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Distribution(Protocol):
    """What every distribution of a time answers."""

    @property
    def mean(self) -> float:
        """Mean, in ns."""

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` independent times, in ns."""

    def scaled(self, factor: float) -> Distribution:
        """Return the distribution of `factor` times this time."""

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""


@dataclass(frozen=True, slots=True)
class Deterministic:
    """Always `value` ns."""

    value: float

    def __post_init__(self) -> None:
        _keep(self, "value", self.value)

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
        return Deterministic(self.value * _at_least_0("Deterministic", "factor", factor))

    def quantile(self, q: float) -> float:
        """Return `value`."""
        _share("Deterministic", q)
        return self.value

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "deterministic", "value": self.value}


@dataclass(frozen=True, slots=True)
class Exponential:
    """Exponential with `mean` ns."""

    mean: float

    def __post_init__(self) -> None:
        _keep(self, "mean", self.mean)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation: 1."""
        return 1.0

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` independent times, in ns."""
        return rng.exponential(self.mean, n)

    def scaled(self, factor: float) -> Exponential:
        """Return the distribution of `factor` times this time."""
        return Exponential(self.mean * _at_least_0("Exponential", "factor", factor))

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""
        if _share("Exponential", q) == 1 and self.mean:
            return math.inf
        return -self.mean * math.log1p(-q) if self.mean else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "exponential", "mean": self.mean}


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Log-normal with `mean` ns and coefficient of variation `cv`, both of the time itself."""

    mean: float
    cv: float

    def __post_init__(self) -> None:
        _keep(self, "mean", self.mean)
        _keep(self, "cv", self.cv)

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
        return LogNormal(self.mean * _at_least_0("LogNormal", "factor", factor), self.cv)

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""
        _share("LogNormal", q)
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
class Empirical:
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
        values = tuple(_at_least_0("Empirical", "values", value) for value in self.values)
        weights = tuple(_at_least_0("Empirical", "weights", weight) for weight in self.weights)
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
        return cls._sorted(counts.keys(), counts.values())

    @classmethod
    def _sorted(cls, values: Iterable[float], weights: Iterable[float]) -> Empirical:
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
        _at_least_0("Empirical", "factor", factor)
        return Empirical(tuple(value * factor for value in self.values), self.weights)

    def shifted(self, ns: float, floor: float = 0.0) -> Empirical:
        """Subtract `ns` from every value, but leave none below `floor`.

        It turns a latency measured through a layer of known cost into the time below that layer.
        """
        _at_least_0("Empirical", "floor", floor)
        if not math.isfinite(ns):
            raise ParameterError("Empirical", "ns", "a finite number", ns)
        return Empirical(tuple(max(floor, value - ns) for value in self.values), self.weights)

    def quantile(self, q: float) -> float:
        """Return the smallest value that a share `q` of the weight does not exceed, in ns."""
        _share("Empirical", q)
        shares = list(accumulate(self.weights))
        return self.values[bisect_left(shares, q * shares[-1])]

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "empirical", "values": list(self.values), "weights": list(self.weights)}


_FIELDS = {
    "deterministic": ("value",),
    "exponential": ("mean",),
    "lognormal": ("mean", "cv"),
    "empirical": ("values", "weights"),
}


def distribution(mapping: Mapping[str, Any]) -> Distribution:
    """Build a distribution from data.

    Parameters
    ----------
    mapping : mapping
        ``kind`` (deterministic, exponential, lognormal or empirical) and the fields of that kind:
        ``value``; ``mean``; ``mean`` and ``cv``; ``values`` and ``weights`` (default: all equal,
        any order). A time is a number in ns or a string with a unit.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    ParameterError
        If a field is missing, unknown or impossible.

    Examples
    --------
    >>> distribution({"kind": "exponential", "mean": "26us"})
    Exponential(mean=26000.0)
    """
    given = dict(mapping)
    kind = given.pop("kind", None)
    if kind not in _FIELDS:
        raise UnknownNameError("kind of distribution", str(kind), _FIELDS)
    if kind == "empirical" and isinstance(given.get("values"), list | tuple):
        given.setdefault("weights", [1.0] * len(given["values"]))
    for field in _FIELDS[kind]:
        if field not in given:
            raise ParameterError(kind, field, "given", None)
    for field in given:
        if field not in _FIELDS[kind]:
            raise ParameterError(kind, field, f"absent; it has {_FIELDS[kind]}", given[field])
    return _build(kind, given)


def _build(kind: str, given: Mapping[str, Any]) -> Distribution:
    if kind == "deterministic":
        return Deterministic(_time(kind, "value", given["value"]))
    if kind == "exponential":
        return Exponential(_time(kind, "mean", given["mean"]))
    if kind == "lognormal":
        return LogNormal(_time(kind, "mean", given["mean"]), given["cv"])
    for field in ("values", "weights"):
        if not isinstance(given[field], list | tuple):
            raise ParameterError(kind, field, "a list", given[field])
    values = [_time(kind, "values", value) for value in given["values"]]
    if len(given["weights"]) != len(values):
        must = f"as many as values ({len(values)})"
        raise ParameterError(kind, "weights", must, len(given["weights"]))
    weights = [_at_least_0(kind, "weights", weight) for weight in given["weights"]]
    return Empirical._sorted(values, weights)


def _time(owner: str, field: str, value: object) -> float:
    if not isinstance(value, str):
        return _at_least_0(owner, field, value)
    try:
        return parse(value, "duration")
    except ParameterError as error:
        raise ParameterError(owner, field, error.must, value) from None


def _at_least_0(owner: str, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ParameterError(owner, field, "a finite number of at least 0", value)
    return float(value)


def _keep(self: object, field: str, value: object) -> None:
    """Check a field of a frozen distribution and store it as a float."""
    object.__setattr__(self, field, _at_least_0(type(self).__name__, field, value))


def _share(owner: str, q: float) -> float:
    if not 0 <= q <= 1:
        raise ParameterError(owner, "q", "in [0, 1]", q)
    return q
