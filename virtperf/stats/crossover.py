"""Where one alternative stops beating another: the root of a paired difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from virtperf.errors import ParameterError
from virtperf.stats.intervals import interval
from virtperf.stats.search import RESOLUTION, bisect, plain

if TYPE_CHECKING:
    from virtperf.stats.checks import Series

    Verdict = Literal["found", "several", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """Where a difference changes its sign.

    Attributes
    ----------
    verdict : {'found', 'several', 'none'}
        Whether the sign changes between the levels looked at, once, more than once (the first
        change is told), or not.
    root : float or None
        Level at which the mean difference is 0, on the straight line between `before` and `after`;
        None if it is infinite at one of them.
    before, after : float or None
        The last level with the first sign and the first one without; whole numbers are neighbours.
    low, high : float or None
        Interval of the root: nearest levels on either side at which the interval of the difference
        leaves 0 out. None where it still holds 0 at the end of the range: the interval is open.
    seen : mapping of level to (float, float)
        Mean and half-width of the difference at every level looked at, in order.
    """

    verdict: Verdict
    root: float | None
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    seen: Mapping[float, tuple[float, float]]


def crossover(
    difference: Callable[[float], Series | float],
    levels: Sequence[float],
    confidence: float = 0.95,
    resolution: float = RESOLUTION,
) -> Crossover:
    """Find the level at which a difference changes its sign, with an interval.

    All levels given are looked at, then the first two neighbours between which the sign changes
    are bisected, with the same draws at every level. The interval holds the levels around the root
    at which a difference of 0 cannot be excluded.

    Parameters
    ----------
    difference : callable
        Level to differences, one per replication, at least 2; the same draws at every level.
        ``inf`` or ``-inf`` where one alternative is beyond compare, such as without a steady state.
    levels : sequence of int or float
        At least 2, in rising order; if all are whole numbers, so is every level looked at.
    confidence : float
        Coverage of the interval of a difference at a level, in (0, 1).
    resolution : float
        As a share of the range, in (0, 1): where bisection between other than whole numbers ends.

    References
    ----------
    .. [1] E. C. Fieller, "Some problems in interval estimation", Journal of the Royal Statistical
       Society B 16(2), 1954: an interval of a root by inverting one of the function.

    Examples
    --------
    >>> found = crossover(lambda x: [x - 6.4, x - 5.9, x - 6.6], levels=[1, 4, 16])
    >>> found.verdict, found.before, found.after, found.low, found.high
    ('found', 6, 7, 5, 8)
    >>> print(f"{found.root:.1f}")
    6.3
    """
    levels = plain(levels)
    _check(levels, resolution)
    seen: dict[float, tuple[float, float]] = {}

    def look(level: float) -> tuple[float, float]:
        if level not in seen:
            seen[level] = _told(difference(level), level, confidence)
        return seen[level]

    above = [look(level)[0] >= 0 for level in levels]
    changes = [at for at in range(1, len(levels)) if above[at] != above[at - 1]]
    if not changes:
        return Crossover(
            verdict="none",
            root=None,
            before=None,
            after=None,
            low=None,
            high=None,
            seen=_rows(seen),
        )
    first, up = changes[0], not above[0]
    step = resolution * (levels[-1] - levels[0])
    ends = (levels[first - 1], levels[first])
    before, after = bisect(lambda level: (look(level)[0] >= 0) != up, *ends, step)
    low, high = _interval(look, seen, (before, after), up, step)
    return Crossover(
        verdict="several" if len(changes) > 1 else "found",
        root=_on_line(before, seen[before][0], after, seen[after][0]),
        before=before,
        after=after,
        low=low,
        high=high,
        seen=_rows(seen),
    )


def _interval(
    look: Callable[[float], tuple[float, float]],
    seen: Mapping[float, tuple[float, float]],
    root: tuple[float, float],
    up: bool,
    step: float,
) -> tuple[float | None, float | None]:
    """Return the nearest levels on either side of the root that are surely not at it."""

    def side(level: float) -> int:
        """-1 surely before the crossing, 1 surely after it, 0 if neither is sure."""
        mean, half_width = look(level)
        return 0 if abs(mean) <= half_width else (1 if (mean > 0) == up else -1)

    low = max((level for level in seen if level <= root[0] and side(level) == -1), default=None)
    high = min((level for level in seen if level >= root[1] and side(level) == 1), default=None)
    if low is not None:
        unsure = min(level for level in (*seen, root[1]) if level > low)
        low, _ = bisect(lambda level: side(level) == -1, low, unsure, step)
    if high is not None:
        unsure = max(level for level in (*seen, root[0]) if level < high)
        _, high = bisect(lambda level: side(level) != 1, unsure, high, step)
    return low, high


def _check(levels: Sequence[float], resolution: float) -> None:
    rising = all(one < other for one, other in pairwise(levels))
    if len(levels) < 2 or not rising or not all(map(math.isfinite, levels)):
        raise ParameterError("crossover", "levels", "at least 2, in rising order", list(levels))
    if not 0 < resolution < 1:
        raise ParameterError("crossover", "resolution", "in (0, 1)", resolution)


def _told(differences: Series | float, level: float, confidence: float) -> tuple[float, float]:
    if isinstance(differences, float):
        if not math.isinf(differences):
            must = f"one value per replication, or infinite, at {level}"
            raise ParameterError("crossover", "difference", must, differences)
        return differences, 0.0
    if len(differences) < 2:
        must = f"at least 2 replications at {level}"
        raise ParameterError("crossover", "difference", must, differences)
    return interval(differences, confidence)


def _rows(seen: Mapping[float, tuple[float, float]]) -> dict[float, tuple[float, float]]:
    return dict(sorted(seen.items()))


def _on_line(x: float, y: float, next_x: float, next_y: float) -> float | None:
    if math.isinf(y) or math.isinf(next_y):
        return None
    return x + (next_x - x) * y / (y - next_y)
