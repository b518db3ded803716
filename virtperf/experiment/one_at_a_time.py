"""Each number at both ends of its range, all others as they are; then all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtperf.design import label
from virtperf.errors import ParameterError
from virtperf.experiment.looks import observed
from virtperf.stats import interval, paired
from virtperf.stats import one_at_a_time as contributions

if TYPE_CHECKING:
    from virtperf.design import Design, Point, Range
    from virtperf.experiment.looks import Looks
    from virtperf.result import Result

NOWHERE = (math.nan, math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How far an output moves when one number goes to the ends of its range.

    Attributes
    ----------
    ends : tuple
        The levels.
    low, high : (float, float)
        Mean move at each end, replication against replication, and its half-width, which is
        simulation noise; NaN without a steady state.
    """

    ends: tuple[Any, Any]
    low: tuple[float, float]
    high: tuple[float, float]

    @property
    def resolved(self) -> bool:
        """Whether it stands out of the noise."""
        return any(abs(mean) > half_width for mean, half_width in (self.low, self.high))

    @property
    def steady(self) -> bool:
        """Whether there is a steady state at both ends."""
        return not math.isnan(self.low[0] + self.high[0])


def one_at_a_time(looks: Looks, varied: Mapping[str, Range], output: str) -> dict[str, Any]:
    """Return what `Sensitivity` tells of this method."""
    ends = {address: (one.at(0.0), one.at(1.0)) for address, one in varied.items()}
    design: Design = [{}]
    design += [{address: level} for address, pair in ends.items() for level in pair]
    result = looks.run(design)
    here = observed(result, output, looks.experiment.scenario.name)
    if here is None:
        must = "one that has a steady state before anything moves"
        raise ParameterError("sensitivity", "scenario", must, looks.experiment.scenario.name)
    moves = {}
    for address, pair in ends.items():
        low, high = (_moved(here, observed(result, output, label({address: e}))) for e in pair)
        moves[address] = Move(ends=pair, low=low, high=high)
    corners = [_corner(moves, sign) for sign in (-1, 1)]
    result = looks.run([*design, *filter(None, corners)])
    value, half_width = interval(list(here.values()))
    return {
        "result": result,
        "value": value,
        "half_width": half_width,
        "moves": moves,
        "shares": contributions({a: (m.low[0], m.high[0]) for a, m in moves.items() if m.steady}),
        "band": tuple(_mean(result, output, corner, value) for corner in corners),
    }


def _moved(here: Mapping[int, float], there: Mapping[int, float] | None) -> tuple[float, float]:
    both = sorted(here.keys() & there.keys()) if there is not None else []
    if there is None or not both:
        return NOWHERE
    return paired([here[r] for r in both], [there[r] for r in both])


def _corner(moves: Mapping[str, Move], sign: int) -> Point:
    """Return every number at that end of its range that lowers the output, or that raises it.

    A number that does neither, or not out of the noise, stays where it is.
    """
    point = {}
    for address, move in moves.items():
        tried = [(sign * mean, half, end) for (mean, half), end in _ends(move)]
        farthest, half_width, end = max(tried, key=lambda one: one[0])
        if farthest > half_width:
            point[address] = end
    return point


def _ends(move: Move) -> list[tuple[tuple[float, float], Any]]:
    """Return the moves at both ends; without a steady state the output is beyond bounds."""
    told = [(math.inf, 0.0) if math.isnan(one[0]) else one for one in (move.low, move.high)]
    return list(zip(told, move.ends, strict=True))


def _mean(result: Result, output: str, corner: Point, value: float) -> float:
    if not corner:
        return value
    seen = observed(result, output, label(corner))
    return math.nan if seen is None else interval(list(seen.values()))[0]
