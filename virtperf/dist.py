"""Distributions of times as data, in nanoseconds. Imports numpy only to draw.

Most are independent times. `Cycle` and `Mmpp` describe arrivals: each gap depends on those before.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.units import UNITS, parse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sampler: TypeAlias = Callable[[np.random.Generator, int], NDArray[np.float64]]

_NS_PER_S = UNITS["s"][1]


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
        """Return the first `n` times, in ns."""

    def sampler(self) -> Sampler:
        """Return a fresh function like `draw` whose calls go on where the one before ended."""

    def scaled(self, factor: float) -> Distribution:
        """Return the distribution of `factor` times this time."""

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""


class Independent(ABC):
    """Times none of which depends on another one."""

    __slots__ = ()

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` independent times, in ns."""

    def sampler(self) -> Sampler:
        """Return `draw`: there is nothing to remember."""
        return self.draw


@dataclass(frozen=True, slots=True)
class Deterministic(Independent):
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
class Exponential(Independent):
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
class LogNormal(Independent):
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
class Gamma(Independent):
    """Gamma with `mean` ns and coefficient of variation `cv`: below 1 regular, above 1 bursty."""

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
        return Gamma(self.mean * _at_least_0("Gamma", "factor", factor), self.cv)

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""
        from scipy.special import gammaincinv

        _share("Gamma", q)
        if self.mean == 0 or math.isinf(self._shape):
            return self.mean
        return float(self.mean * self.scv * gammaincinv(self._shape, q))

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "gamma", "mean": self.mean, "cv": self.cv}


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


@dataclass(frozen=True, slots=True)
class Cycle:
    """The times `values`, in ns, one after the other, again and again; consumes no randomness."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        _keep_all(self, "values", self.values)

    @property
    def mean(self) -> float:
        """Mean, in ns."""
        return math.fsum(self.values) / len(self.values)

    @property
    def scv(self) -> float:
        """Squared coefficient of variation of the values; 0 if every time is 0."""
        return self._shuffled.scv

    @property
    def _shuffled(self) -> Empirical:
        return Empirical(tuple(sorted(self.values)), (1.0,) * len(self.values))

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return the first `n` times, in ns."""
        return self.sampler()(rng, n)

    def sampler(self) -> Sampler:
        """Return a fresh function like `draw` whose calls go on where the one before ended."""
        import numpy as np

        values, at = np.asarray(self.values), 0

        def draw(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
            nonlocal at
            places = (at + np.arange(n)) % len(values)
            at = (at + n) % len(values)
            return values[places]

        return draw

    def scaled(self, factor: float) -> Cycle:
        """Return the cycle of `factor` times these times."""
        _at_least_0("Cycle", "factor", factor)
        return Cycle(tuple(value * factor for value in self.values))

    def quantile(self, q: float) -> float:
        """Return the smallest value that a share `q` of them does not exceed, in ns."""
        _share("Cycle", q)
        return self._shuffled.quantile(q)

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        return {"kind": "cycle", "values": list(self.values)}


@dataclass(frozen=True, slots=True)
class Mmpp:
    """Gaps between the arrivals of a Markov-modulated Poisson process.

    It goes through its states in turn, again and again, each for an exponential time, and arrivals
    are Poisson at the rate of the state. Two states, one of them quiet, are on and off.

    Parameters
    ----------
    rates_per_s : sequence of float
        Arrivals per second in each state; 0 in some, but not in all.
    sojourns : sequence of float
        Mean length of each state, in ns.

    Notes
    -----
    The formulas are those of W. Fischer and K. Meier-Hellstern, "The Markov-modulated Poisson
    process (MMPP) cookbook", Performance Evaluation 18 (1993): with the generator Q of the states,
    their stationary shares p and the diagonal matrix L of rates, an interval between arrivals
    begins in state i with probability (p L)_i / p L 1 and ends at rate L, so its k-th moment is
    k! (p L / p L 1) (L - Q)^-k 1.

    Examples
    --------
    >>> on_and_off = Mmpp((100_000, 0), (1e6, 3e6))
    >>> on_and_off.mean, round(on_and_off.scv, 6)
    (40000.0, 113.5)
    """

    rates_per_s: tuple[float, ...]
    sojourns: tuple[float, ...]

    def __post_init__(self) -> None:
        _keep_all(self, "rates_per_s", self.rates_per_s)
        _keep_all(self, "sojourns", self.sojourns)
        rates, sojourns = self.rates_per_s, self.sojourns
        if len(sojourns) != len(rates):
            must = f"as many as rates_per_s ({len(rates)})"
            raise ParameterError("Mmpp", "sojourns", must, len(sojourns))
        if not max(rates) > 0:
            raise ParameterError("Mmpp", "rates_per_s", "above 0 in some state", rates)
        if not min(sojourns) > 0:
            raise ParameterError("Mmpp", "sojourns", "above 0", sojourns)
        if not 0.01 < self._per_round < math.inf:  # or drawing a gap takes many rounds
            must = "long enough for an arrival in 100 rounds of the states"
            raise ParameterError("Mmpp", "sojourns", must, sojourns)

    @property
    def _per_round(self) -> float:
        """Mean number of arrivals while every state is visited once."""
        return math.fsum(map(float.__mul__, self.rates_per_s, self.sojourns)) / _NS_PER_S

    @property
    def mean(self) -> float:
        """Mean gap, in ns."""
        return math.fsum(self.sojourns) / self._per_round

    @property
    def scv(self) -> float:
        """Squared coefficient of variation of a gap."""
        import numpy as np

        first, leaving, _ = self._matrices()
        once = np.linalg.solve(leaving, np.ones(len(first)))
        return float(2 * first @ np.linalg.solve(leaving, once)) - 1

    @property
    def dispersion(self) -> float:
        """Variance over mean of the arrivals in a time that is long against the sojourns.

        Over n gaps, a rate is known to the relative standard error sqrt(dispersion / n). For
        independent gaps it would be `scv`.
        """
        import numpy as np

        first, leaving, shares = self._matrices()
        rates = first / shares
        generator = np.diag(rates) - leaving
        spread = np.linalg.solve(np.outer(np.ones(len(first)), shares) - generator, rates)
        return float(1 + 2 * (first @ spread - 1))

    def _matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return p L / p L 1, L - Q and p of the class's notes; time in mean gaps."""
        import numpy as np

        rates = np.asarray(self.rates_per_s) * (self.mean / _NS_PER_S)
        ends = self.mean / np.asarray(self.sojourns)
        shares = np.asarray(self.sojourns) / math.fsum(self.sojourns)
        generator = np.diag(ends) @ (np.roll(np.eye(len(ends)), 1, axis=1) - np.eye(len(ends)))
        return shares * rates, np.diag(rates) - generator, shares

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return the first `n` gaps after an instant at which nothing is known, in ns."""
        return self.sampler()(rng, n)

    def sampler(self) -> Sampler:
        """Return a fresh function like `draw` whose calls go on where the one before ended."""
        return _Modulated(self)

    def scaled(self, factor: float) -> Mmpp:
        """Return the process with all times `factor` as long, which is above 0."""
        if not _at_least_0("Mmpp", "factor", factor) > 0:
            raise ParameterError("Mmpp", "factor", "above 0", factor)
        rates = tuple(rate / factor for rate in self.rates_per_s)
        return Mmpp(rates, tuple(length * factor for length in self.sojourns))

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the gaps does not exceed, in ns."""
        from scipy.linalg import expm

        if _share("Mmpp", q) in (0, 1):
            return math.inf if q else 0.0
        first, leaving, _ = self._matrices()

        def beyond(gap: float) -> float:
            return float((first @ expm(-leaving * gap)).sum())

        low, high = 0.0, 1.0
        while beyond(high) > 1 - q:
            low, high = high, 2 * high
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if beyond(middle) > 1 - q else (low, middle)
        return high * self.mean

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        rates, sojourns = list(self.rates_per_s), list(self.sojourns)
        return {"kind": "mmpp", "rates_per_s": rates, "sojourns": sojourns}


class _Modulated:
    """Draws the gaps of an `Mmpp`, block after block.

    The process is a Poisson process of rate 1 on a clock that runs at the rate of the state. The
    states have a stream of their own, a child of that of the gaps, so that neither shifts the
    other.
    """

    def __init__(self, process: Mmpp) -> None:
        import numpy as np

        self._rates = np.asarray(process.rates_per_s) / _NS_PER_S
        self._means = np.asarray(process.sojourns)
        self._per_round = process._per_round
        self._chain: np.random.Generator | None = None
        self._states = np.empty(0, dtype=np.int64)  # the state now, and those drawn ahead
        self._lengths = np.empty(0)  # what is left of it, and their lengths, in ns

    def __call__(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        import numpy as np

        if self._chain is None:
            self._chain = rng.spawn(1)[0]
            shares = self._means / self._means.sum()
            self._enter(np.array([self._chain.choice(len(shares), p=shares)]))
        due = np.cumsum(rng.standard_exponential(n))
        while (clock := np.cumsum(self._rates[self._states] * self._lengths))[-1] <= due[-1]:
            rounds = 1 + math.ceil((due[-1] - clock[-1]) / self._per_round)
            ahead = self._states[-1] + 1 + np.arange(rounds * len(self._means))
            self._enter(ahead % len(self._means))
        at = np.searchsorted(clock, due, side="right")
        ends = np.cumsum(self._lengths)
        times = ends[at] - (clock[at] - due) / self._rates[self._states[at]]
        self._states = self._states[at[-1] :]
        self._lengths = self._lengths[at[-1] :].copy()
        self._lengths[0] = ends[at[-1]] - times[-1]
        return np.diff(times, prepend=0.0)

    def _enter(self, states: NDArray[np.int64]) -> None:
        """Let these states follow those drawn so far."""
        import numpy as np

        assert self._chain is not None, "it is made with the first draw"
        lengths = self._chain.standard_exponential(len(states)) * self._means[states]
        self._states = np.concatenate((self._states, states))
        self._lengths = np.concatenate((self._lengths, lengths))


_FIELDS = {
    "deterministic": ("value",),
    "exponential": ("mean",),
    "lognormal": ("mean", "cv"),
    "gamma": ("mean", "cv"),
    "empirical": ("values", "weights"),
    "cycle": ("values",),
    "mmpp": ("rates_per_s", "sojourns"),
}


def distribution(mapping: Mapping[str, Any]) -> Distribution:
    """Build a distribution from data.

    Parameters
    ----------
    mapping : mapping
        ``kind`` and the fields of that kind: deterministic has ``value``; exponential ``mean``;
        lognormal and gamma ``mean`` and ``cv``; empirical ``values`` and ``weights`` (default: all
        equal, any order); cycle ``values``; mmpp ``rates_per_s`` and ``sojourns``. A time is a
        number in ns or a string with a unit.

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
    if kind in ("lognormal", "gamma"):
        shape = LogNormal if kind == "lognormal" else Gamma
        return shape(_time(kind, "mean", given["mean"]), given["cv"])
    if kind == "cycle":
        return Cycle(_times(kind, "values", given["values"]))
    if kind == "mmpp":
        rates = tuple(_listed(kind, "rates_per_s", given["rates_per_s"]))
        return Mmpp(rates, _times(kind, "sojourns", given["sojourns"]))
    values = _times(kind, "values", given["values"])
    weights = _listed(kind, "weights", given["weights"])
    if len(weights) != len(values):
        raise ParameterError(kind, "weights", f"as many as values ({len(values)})", len(weights))
    return Empirical._sorted(values, [_at_least_0(kind, "weights", w) for w in weights])


def _listed(owner: str, field: str, value: object) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ParameterError(owner, field, "a list", value)
    return list(value)


def _times(owner: str, field: str, value: object) -> tuple[float, ...]:
    return tuple(_time(owner, field, time) for time in _listed(owner, field, value))


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


def _keep_all(self: object, field: str, values: Iterable[object]) -> None:
    """Check a list of at least one and store it as floats."""
    owner = type(self).__name__
    kept = tuple(_at_least_0(owner, field, value) for value in values)
    if not kept:
        raise ParameterError(owner, field, "at least one number", kept)
    object.__setattr__(self, field, kept)


def _share(owner: str, q: float) -> float:
    if not 0 <= q <= 1:
        raise ParameterError(owner, "q", "in [0, 1]", q)
    return q
