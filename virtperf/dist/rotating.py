"""The service time of a disk with arms and platters: seek, rotation, transfer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import sqrt
from typing import Any

from virtperf.dist.checks import at_least_0
from virtperf.dist.empirical import Empirical
from virtperf.errors import ParameterError

_SEEKS, _ANGLES = 48, 48  # points of equal probability of either part


@dataclass(frozen=True, slots=True, repr=False)
class Rotating(Empirical):
    """Requests to places that are independent of each other and equally likely.

    The arm travels a distance d of the whole stroke with density 2 (1 - d), and takes
    ``track + (stroke - track) sqrt(d)``: it speeds up half the way and slows down the other half.
    Then the platter turns by any part of a revolution until the data come, which pass under the head
    for as long as they are.

    Parameters
    ----------
    values, weights
        See `Empirical`; `of` computes them.
    track, stroke : float
        Shortest and longest seek, in ns.
    rpm : float
        Revolutions per minute.
    transfer : float
        Time of the data under the head, in ns.

    Examples
    --------
    >>> disk = Rotating.of(track=0.6e6, stroke=16e6, rpm=7200)
    >>> round(disk.mean / 1e6, 1)  # 0.6 + 15.4 * 8/15 of seek, half of 8.33 of rotation
    13.0
    """

    track: float = 0.0
    stroke: float = 0.0
    rpm: float = 0.0
    transfer: float = 0.0

    @classmethod
    def of(cls, *, track: float, stroke: float, rpm: float, transfer: float = 0.0) -> Rotating:
        """Return the service time of a disk.

        Raises
        ------
        ParameterError
            If a time is negative, the stroke is below a track, or nothing turns.
        """
        for field, value in (("track", track), ("transfer", transfer)):
            at_least_0("rotating", field, value)
        if at_least_0("rotating", "stroke", stroke) < track:
            raise ParameterError("rotating", "stroke", f"at least track ({track:g} ns)", stroke)
        if at_least_0("rotating", "rpm", rpm) == 0:
            raise ParameterError("rotating", "rpm", "above 0", rpm)
        shares = ((n + 0.5) / _SEEKS for n in range(_SEEKS))
        seeks = [track + (stroke - track) * sqrt(1 - sqrt(1 - share)) for share in shares]
        turn = 60e9 / rpm
        angles = [turn * (n + 0.5) / _ANGLES for n in range(_ANGLES)]
        values = sorted(seek + angle + transfer for seek, angle in product(seeks, angles))
        weights = (1.0,) * len(values)
        return cls(tuple(values), weights, track, stroke, rpm, transfer)

    def __repr__(self) -> str:
        """Return what it was made of, not its two thousand points."""
        given = f"track={self.track}, stroke={self.stroke}, rpm={self.rpm}"
        return f"Rotating.of({given}, transfer={self.transfer})"

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""
        times = {"track": self.track, "stroke": self.stroke, "transfer": self.transfer}
        return {"kind": "rotating", "rpm": self.rpm, **times}
