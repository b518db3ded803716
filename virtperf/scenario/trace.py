"""Recorded arrivals: a CSV file with a column of times, and perhaps one of directions."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import Annotated, TextIO

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from virtperf.dist import Cycle
from virtperf.scenario.fields import DIRECTIONS, RefusalError
from virtperf.units import MAX_TICKS, TICKS_PER_NS, UNITS

TIMES = {f"time_{unit}": Decimal(UNITS[unit][1]) * TICKS_PER_NS for unit in ("s", "us", "ns")}
"""Columns of which a trace has one, and the ticks of their units."""
MOST_SHOWN = 20  # bad lines; more would hide the file's other problems


@dataclass(frozen=True)
class Trace:
    """Arrivals that were recorded.

    Attributes
    ----------
    path : str
        The file.
    instants : tuple of int
        Ticks from the first arrival to each; they do not decrease.
    directions : tuple of str
        Direction of each, or empty if the file does not say.
    """

    path: str
    instants: tuple[int, ...]
    directions: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """32 hex digits that change with an arrival, but neither with the path nor with units."""
        return blake2b(repr((self.instants, self.directions)).encode(), digest_size=16).hexdigest()

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of each direction that occurs; empty if the file does not say."""
        counts = {name: self.directions.count(name) for name in DIRECTIONS}
        return {name: n / len(self.directions) for name, n in counts.items() if n}

    def gaps(self, speed: float) -> Cycle:
        """Return the time before each arrival.

        The first comes one mean gap after the beginning, and again one mean gap after the last.

        Parameters
        ----------
        speed : float
            What the rate of arrivals is multiplied by.
        """
        played = [round(instant / speed) for instant in self.instants]
        mean = round(played[-1] / (len(played) - 1))
        gaps = (mean, *(after - before for before, after in pairwise(played)))
        return Cycle(tuple(gap / TICKS_PER_NS for gap in gaps))


def read(path: object) -> Trace:
    """Read a trace.

    Parameters
    ----------
    path : str or Trace
        A CSV file with a header: one of ``time_s``, ``time_us`` and ``time_ns``, if wanted
        ``direction`` (read or write); other columns are ignored.

    Returns
    -------
    Trace

    Raises
    ------
    RefusalError
        With all that is wrong with it.
    """
    if isinstance(path, Trace):
        return path
    if not isinstance(path, str):
        raise RefusalError(f" must be the path of a CSV file, got {path!r}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return _Reader(path, file).trace()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise RefusalError(f" must be a CSV file that can be read, got {path!r}: {why}") from None


class _Reader:
    """Reads line by line, and keeps what is wrong for the end."""

    def __init__(self, path: str, file: TextIO) -> None:
        self.path = path
        self.lines = csv.reader(file, strict=True)
        self.times: list[Decimal] = []
        self.directions: list[str] = []
        self.wrong: list[str] = []

    def trace(self) -> Trace:
        header = [name.strip() for name in next(self.lines, [])]
        found = [name for name in TIMES if name in header]
        if len(found) != 1:
            got = ", ".join(header) or "none"
            raise RefusalError(f" must have one column of {', '.join(TIMES)}, got {got}")
        for line in filter(None, self.lines):
            row = dict(zip(header, map(str.strip, line), strict=False))
            self._time(found[0], row.get(found[0], ""))
            if "direction" in header:
                self._direction(row.get("direction", ""))
        first, ticks = min(self.times, default=Decimal(0)), TIMES[found[0]]
        instants = [int(((time - first) * ticks).to_integral_value()) for time in self.times]
        self._check(instants)
        return Trace(self.path, tuple(instants), tuple(self.directions))

    def _time(self, column: str, text: str) -> None:
        try:
            time = Decimal(text)
        except InvalidOperation:
            time = Decimal("nan")
        if not time.is_finite():
            self._refuse(f"{column} must be a number, got {text!r}")
        elif self.times and time < self.times[-1]:
            self._refuse(f"{column} must not decrease, got {text} after {self.times[-1]}")
        else:
            self.times.append(time)

    def _direction(self, text: str) -> None:
        if text not in DIRECTIONS:
            self._refuse(f"direction must be {' or '.join(DIRECTIONS)}, got {text!r}")
        self.directions.append(text)

    def _refuse(self, says: str) -> None:
        self.wrong.append(f", line {self.lines.line_num}: {says}")

    def _check(self, instants: list[int]) -> None:
        if self.wrong:
            raise RefusalError(*self._shown())
        if not instants or instants[-1] == 0:
            raise RefusalError(f" must hold arrivals at two instants at least, got {len(instants)}")
        if instants[-1] > MAX_TICKS:
            raise RefusalError(" must not last longer than 106 days")

    def _shown(self) -> Iterator[str]:
        yield from self.wrong[:MOST_SHOWN]
        if (more := len(self.wrong) - MOST_SHOWN) > 0:
            yield f": {more} more lines are wrong"


TraceField = Annotated[
    Trace,
    PlainValidator(read),
    PlainSerializer(lambda trace: trace.path),
    WithJsonSchema({"type": "string", "description": "path of a CSV file of arrivals"}),
]
