"""How much still fits: the largest level of a factor at which a criterion holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from virtperf.errors import ParameterError
from virtperf.stats.checks import checked
from virtperf.stats.intervals import interval, paired
from virtperf.stats.search import RESOLUTION, bisect, plain

if TYPE_CHECKING:
    from virtperf.stats.checks import Series

    Verdict = Literal["found", "always", "never"]
    Response = Callable[[float], Series | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """The largest level at which a criterion holds.

    Attributes
    ----------
    verdict : {'found', 'always', 'never'}
        Whether the mean ceases to meet the criterion within the range, meets it up to its high
        end, or not even at its low end.
    level : float or None
        Largest level at which the mean meets it; None if never.
    surely : float or None
        Largest level at which the whole interval meets it: it holds there for sure.
    broken : float or None
        Smallest level at which the whole interval misses it; None if none does in the range.
    monotone : bool
        Whether no response fell, by more than noise, from one level looked at to the next, and
        none beyond the answer met the criterion; else bisection may have missed levels.
    seen : mapping of level to (float, float)
        Mean and half-width at every level looked at, in order; infinite where there is no steady
        state.
    """

    verdict: Verdict
    level: float | None
    surely: float | None
    broken: float | None
    monotone: bool
    seen: Mapping[float, tuple[float, float]]


def sizing(
    response: Response,
    limit: float,
    low: float,
    high: float,
    *,
    confidence: float = 0.95,
    resolution: float = RESOLUTION,
) -> Sizing:
    """Find the largest level at which a response that rises with the level is at most `limit`.

    Levels are doubled from `low` until the criterion is surely broken, then bisected. For a
    response that must not fall below something, such as throughput, give its negative.

    Parameters
    ----------
    response : callable
        Level to values, one per replication, at least 2; the same draws at every level. None where
        there is no steady state, which breaks every criterion.
    limit : float
        What the response may be at most.
    low, high : int or float
        Range of the levels, ``0 < low < high``; if both are whole numbers, so is every level.
    confidence : float
        Coverage of the interval at a level, in (0, 1).
    resolution : float
        As a share of the range, in (0, 1): where bisection between other than whole numbers ends.

    Examples
    --------
    >>> def p99_ms(vms):  # of a queue: about 1 / (1 - load)
    ...     return None if vms >= 16 else [r / (1 - vms / 16) for r in (0.95, 1.0, 1.05)]
    >>> found = sizing(p99_ms, limit=2.0, low=1, high=64)
    >>> found.verdict, found.surely, found.level, found.broken
    ('found', 7, 8, 9)
    """
    low, high = plain([low, high])
    _check(low, high, limit, resolution)
    looks = _Looks(response, confidence)
    tests = [
        lambda level: looks.at(level)[0] <= limit,
        lambda level: sum(looks.at(level)) <= limit,
        lambda level: not looks.at(level)[0] - looks.at(level)[1] > limit,
    ]
    for level in _doubled(low, high):
        if not tests[-1](level):
            break
    step = resolution * (high - low)
    mean, surely, broken = (_turn(test, sorted(looks.values), step) for test in tests)
    never, always = mean[0] is None, mean[1] is None
    return Sizing(
        verdict="never" if never else "always" if always else "found",
        level=mean[0],
        surely=surely[0],
        broken=broken[1],
        monotone=looks.monotone(mean[0], limit),
        seen={level: looks.at(level) for level in sorted(looks.values)},
    )


class _Looks:
    """What was seen at each level; no level is looked at twice."""

    def __init__(self, response: Response, confidence: float) -> None:
        self.response, self.confidence = response, confidence
        self.values: dict[float, Series | None] = {}
        self.intervals: dict[float, tuple[float, float]] = {}

    def at(self, level: float) -> tuple[float, float]:
        if level not in self.intervals:
            found = self.response(level)
            if found is not None:
                found = checked("sizing", f"response({level})", found, least=2)
            self.values[level] = found
            told = (math.inf, 0.0) if found is None else interval(found, self.confidence)
            self.intervals[level] = told
        return self.intervals[level]

    def monotone(self, answer: float | None, limit: float) -> bool:
        for level, (mean, _) in self.intervals.items():
            if answer is not None and level > answer and mean <= limit:
                return False
        return not any(self._falls(*pair) for pair in pairwise(sorted(self.values)))

    def _falls(self, level: float, after: float) -> bool:
        one, other = self.values[level], self.values[after]
        if one is None or other is None:
            return one is None and other is not None
        if len(one) == len(other):
            fall, noise = paired(one, other, self.confidence)
        else:
            fall = self.at(after)[0] - self.at(level)[0]
            noise = self.at(after)[1] + self.at(level)[1]
        return fall < -noise


def _turn(
    holds: Callable[[float], bool], seen: list[float], step: float
) -> tuple[float | None, float | None]:
    """Return the last level at which a test holds and the first at which it does not."""
    first = next((level for level in seen if not holds(level)), None)
    before = [level for level in seen if first is None or level < first]
    if first is None or not before:
        return (before[-1] if before else None), first
    return bisect(holds, before[-1], first, step)


def _doubled(low: float, high: float) -> Iterator[float]:
    level = low
    while level < high:
        yield level
        level *= 2
    yield high


def _check(low: float, high: float, limit: float, resolution: float) -> None:
    if not 0 < low < high < math.inf:
        raise ParameterError("sizing", "low, high", "positive, the lower one first", (low, high))
    if not math.isfinite(limit):
        raise ParameterError("sizing", "limit", "finite", limit)
    if not 0 < resolution < 1:
        raise ParameterError("sizing", "resolution", "in (0, 1)", resolution)
