"""Bisection over levels of a factor, whole numbers or not: where a yes turns into a no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral

RESOLUTION = 1e-3  # of a range: a crossing is seldom known as well by its interval


def plain(levels: Sequence[float]) -> list[float]:
    """Return levels as Python's own numbers: ints if all are whole numbers, else floats.

    Examples
    --------
    >>> import numpy as np
    >>> plain(np.arange(1, 4)), plain([1, 2.5])
    ([1, 2, 3], [1.0, 2.5])
    """
    if all(isinstance(level, Integral) for level in levels):
        return [int(level) for level in levels]
    return [float(level) for level in levels]


def bisect(
    holds: Callable[[float], bool], low: float, high: float, resolution: float
) -> tuple[float, float]:
    """Return neighbours between `low`, where `holds`, and `high`, where it does not.

    Two whole numbers are narrowed down to neighbours, other ones to `resolution`.

    Examples
    --------
    >>> bisect(lambda level: level**2 <= 40, 1, 16, 0.0)
    (6, 7)
    >>> low, high = bisect(lambda level: level**2 <= 2, 0.0, 2.0, 0.001)
    >>> low < 2**0.5 < high, high - low < 0.001
    (True, True)
    """
    whole = isinstance(low, int) and isinstance(high, int)
    while high - low > (1 if whole else resolution):
        middle = (low + high) // 2 if whole else (low + high) / 2
        if middle in (low, high):
            break  # floats have nothing in between
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high
