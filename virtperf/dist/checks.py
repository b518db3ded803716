"""Checks of the parameters of distributions."""

import math
from collections.abc import Iterable

from virtperf.errors import ParameterError


def at_least_0(owner: str, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ParameterError(owner, field, "a finite number of at least 0", value)
    return float(value)


def keep(self: object, field: str, value: object) -> None:
    """Check a field of a frozen distribution and store it as a float."""
    object.__setattr__(self, field, at_least_0(type(self).__name__, field, value))


def keep_all(self: object, field: str, values: Iterable[object]) -> None:
    """Check a list of at least one and store it as floats."""
    owner = type(self).__name__
    kept = tuple(at_least_0(owner, field, value) for value in values)
    if not kept:
        raise ParameterError(owner, field, "at least one number", kept)
    object.__setattr__(self, field, kept)


def share(owner: str, q: float) -> float:
    if not 0 <= q <= 1:
        raise ParameterError(owner, "q", "in [0, 1]", q)
    return q
