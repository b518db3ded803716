"""Ranges that factors vary in: numbers from low to high, or a list of levels."""

import math
import re
from dataclasses import dataclass
from typing import Any

from virtperf.design.levels import NUMBER, factor, read_level, read_number
from virtperf.errors import ParameterError

_RANGE = re.compile(rf"({NUMBER})(x?)\.\.({NUMBER})(x?)(?:/(\d+))?(\s+log)?")
LIKE_ONE = re.compile(r"(?:^|,)\s*[+-]?\d[\w.+-]*?\s*\.\.")
_DIGITS = 6  # of a range that a sampled level is told in: a label shall be read by people
_MOST = 1_000  # levels of an axis that nobody counted
SYNTAX = "a range such as 1..8, 0.5..2.0, 1..1024 log, 0..50000/6 or 0.5x..2x, or levels 1,2,4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What one factor varies in.

    A position in a range is a number from 0 (its low end) to 1 (its high end); `at` and
    `position` go there and back.

    Parameters
    ----------
    low, high : float
        Its ends; both are in it. Not used where there are `choices`.
    integer : bool
        Whether only whole numbers are in it.
    log : bool
        Whether equal ratios, not equal steps, are as likely as each other; `low` is positive then.
    relative : bool
        Whether it is in multiples of the value that the base has: a level is a text such as
        ``"0.5x"``, see `factor`.
    choices : tuple
        Levels in order, instead of ends: names, or numbers.

    Examples
    --------
    >>> Range.read("1..8").at(0.0), Range.read("1..8").at(1.0)
    (1, 8)
    >>> Range.read("1.0..100.0 log").at(0.5)
    10.0
    >>> Range.read("0.5x..2x log").at(0.5)
    '1x'
    >>> Range(choices=("native", "virtio")).at(0.7)
    'virtio'
    """

    low: float = 0.0
    high: float = 1.0
    integer: bool = False
    log: bool = False
    relative: bool = False
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.choices:
            if len(set(map(str, self.choices))) < len(self.choices):
                raise ParameterError("Range", "choices", "given each level once", self.choices)
            return
        if not -math.inf < self.low < self.high < math.inf:
            must = "two finite numbers, the lower one first"
            raise ParameterError("Range", "low..high", must, f"{self.low}..{self.high}")
        if (self.log or self.relative) and self.low <= 0:
            which = "log" if self.log else "relative"
            raise ParameterError("Range", "low", f"positive in a {which} range", self.low)
        if self.integer and (int(self.low) != self.low or int(self.high) != self.high):
            raise ParameterError("Range", "low..high", "whole numbers", f"{self.low}..{self.high}")

    @classmethod
    def read(cls, text: str, *, owner: str = "design", field: str = "range") -> "Range":
        """Read a range as users type it.

        ``1..8`` is every whole number, ``0.0..8.0`` every number; `` log`` behind it makes equal
        ratios as likely as each other; ``/6`` stands for six evenly spaced levels; ``0.5x..2x`` is
        relative to the base. Anything else is a list of levels, ``1,2,4``.
        """
        if not LIKE_ONE.search(text):
            return cls(choices=tuple(read_level(item) for item in text.split(",")))
        match = _RANGE.fullmatch(text.strip())
        if match is None or bool(match[2]) != bool(match[4]):
            raise ParameterError(owner, field, SYNTAX, text)
        low, high = read_number(match[1]), read_number(match[3])
        relative, log = bool(match[2]), bool(match[6])
        integer = isinstance(low, int) and isinstance(high, int) and not relative
        try:
            found = cls(low=low, high=high, integer=integer, log=log, relative=relative)
            return found if match[5] is None else cls(choices=found.spaced(int(match[5])))
        except ParameterError as error:
            raise ParameterError(owner, field, error.must, text) from None

    def spaced(self, count: int) -> tuple[Any, ...]:
        """Return `count` evenly spaced levels, both ends among them."""
        if count < 2 or (self.integer and count > self.high - self.low + 1):
            raise ParameterError("Range", "levels", "2 to as many as there are", count)
        shares = [number / (count - 1) for number in range(count)]
        return tuple(dict.fromkeys(self._level(self._between(share)) for share in shares))

    def levels(self, field: str = "range", *, owner: str = "design") -> list[Any]:
        """Return every level, in order; refuse a range that has too many to be a grid's axis."""
        if self.choices:
            return list(self.choices)
        if not self.integer or self.high - self.low >= _MOST:
            must = f"given up to {_MOST:,} levels, such as {self._told('/5')}, or sampled"
            raise ParameterError(owner, field, must, str(self))
        return list(range(int(self.low), int(self.high) + 1))

    def at(self, position: float) -> Any:
        """Return the level at a position from 0 to 1; integers, and choices, get equal parts."""
        if not 0 <= position <= 1:
            raise ParameterError("Range", "position", "in [0, 1]", position)
        if self.choices:
            return self.choices[min(int(position * len(self.choices)), len(self.choices) - 1)]
        if not self.integer:
            return self._level(self._between(position))
        beyond = Range(low=self.low, high=self.high + 1, log=self.log)
        return min(math.floor(beyond._between(position)), int(self.high))

    def position(self, level: Any) -> float:
        """Return where a level lies, from 0 to 1."""
        if self.choices:
            if level not in self.choices:
                raise ParameterError("Range", "level", f"one of {self.choices}", level)
            return self.choices.index(level) / max(1, len(self.choices) - 1)
        value = factor(level) if self.relative else level
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise ParameterError("Range", "level", f"in {self}", level)
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        return ((math.log(value) if self.log else value) - low) / (high - low)

    def _between(self, position: float) -> float:
        if self.log:
            return float(self.low * (self.high / self.low) ** position)
        return float(self.low + position * (self.high - self.low))

    def _level(self, value: float) -> Any:
        """Return a number of the range as a level: told in few digits, within the ends."""
        if self.integer:
            return round(value)
        size = abs(value) if self.log else self.high - self.low
        digits = _DIGITS - 1 - math.floor(math.log10(size))
        near = min(max(round(value, digits), float(self.low)), float(self.high))
        return f"{near:.15g}x" if self.relative else near

    def __str__(self) -> str:
        """Return the range as `read` takes it."""
        return ",".join(map(str, self.choices)) if self.choices else self._told()

    def _told(self, count: str = "") -> str:
        unit = "x" if self.relative else ""
        low, high = (int(v) if self.integer else v for v in (self.low, self.high))
        return f"{low}{unit}..{high}{unit}{count}{' log' if self.log else ''}"
