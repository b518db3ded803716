"""Processes of arrivals: gaps each of which depends on those before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtperf.dist.checks import at_least_0, keep_all, share
from virtperf.dist.empirical import Empirical
from virtperf.errors import ParameterError
from virtperf.units import UNITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from virtperf.dist.protocol import Sampler

_NS_PER_S = UNITS["s"][1]


@dataclass(frozen=True, slots=True)
class Cycle:
    """The times `values`, in ns, one after the other, again and again; consumes no randomness."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        keep_all(self, "values", self.values)

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
        at_least_0("Cycle", "factor", factor)
        return Cycle(tuple(value * factor for value in self.values))

    def quantile(self, q: float) -> float:
        """Return the smallest value that a share `q` of them does not exceed, in ns."""
        share("Cycle", q)
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
        keep_all(self, "rates_per_s", self.rates_per_s)
        keep_all(self, "sojourns", self.sojourns)
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
        if not at_least_0("Mmpp", "factor", factor) > 0:
            raise ParameterError("Mmpp", "factor", "above 0", factor)
        rates = tuple(rate / factor for rate in self.rates_per_s)
        return Mmpp(rates, tuple(length * factor for length in self.sojourns))

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the gaps does not exceed, in ns."""
        from scipy.linalg import expm

        if share("Mmpp", q) in (0, 1):
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
