"""An ordered map of integers that keeps runs, not keys: a terabyte of pages may be one run."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple


class Run(NamedTuple):
    """Neighbouring keys whose values count up with them.

    Attributes
    ----------
    start, end : int
        First key, and the one after the last.
    value : int
        Of the first key; key ``start + i`` has ``value + i``.
    tag : int
        The same for all keys.
    """

    start: int
    end: int
    value: int
    tag: int

    @property
    def length(self) -> int:
        """How many keys it has."""
        return self.end - self.start

    def at(self, key: int) -> int:
        """Return the value of a key of the run."""
        return self.value + key - self.start

    def clipped(self, start: int, end: int) -> "Run":
        """Return the part of the run within ``[start, end)``, which it must meet."""
        first = max(self.start, start)
        return Run(first, min(self.end, end), self.at(first), self.tag)


class Runs:
    """Map keys to (value, tag); neighbours that continue each other are one run.

    A look-up is a bisection. A change moves the list behind it, so a map of very many runs is
    slow to change, one of few long runs is not, however long.

    Examples
    --------
    >>> runs = Runs()
    >>> runs.put(0, 1 << 28, value=5, tag=0)
    >>> runs.find(1000).at(1000), len(runs.all())
    (1005, 1)
    >>> runs.remove(1000, 1001)
    [Run(start=1000, end=1001, value=1005, tag=0)]
    >>> len(runs.all()), runs.size
    (2, 268435455)
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._runs: list[Run] = []
        self.size = 0
        """Number of keys."""

    def find(self, key: int) -> Run | None:
        """Return the run that holds `key`, or None."""
        at = bisect_right(self._starts, key) - 1
        return self._runs[at] if at >= 0 and key < self._runs[at].end else None

    def all(self) -> tuple[Run, ...]:
        """Return every run, in order."""
        return tuple(self._runs)

    def within(self, start: int, end: int) -> Iterator[Run]:
        """Yield the parts of runs in ``[start, end)``; the map must not change meanwhile."""
        for run in self._runs[slice(*self._meeting(start, end))]:
            yield run.clipped(start, end)

    def count(self, start: int, end: int) -> int:
        """Return how many keys of ``[start, end)`` are there."""
        return sum(run.length for run in self.within(start, end))

    def gaps(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts ``(start, end)`` of a range that no run covers."""
        for run in self.within(start, end):
            if start < run.start:
                yield start, run.start
            start = run.end
        if start < end:
            yield start, end

    def put(self, start: int, end: int, value: int, tag: int) -> None:
        """Give the keys of ``[start, end)`` the values from `value` on, and `tag`."""
        if start >= end:
            return
        self.remove(start, end)
        at = bisect_right(self._starts, start)
        self.size += end - start
        new = Run(start, end, value, tag)
        last = at
        if at and self._continues(self._runs[at - 1], new):
            at -= 1
            new = Run(self._runs[at].start, new.end, self._runs[at].value, tag)
        if last < len(self._runs) and self._continues(new, self._runs[last]):
            new = new._replace(end=self._runs[last].end)
            last += 1
        self._replace(at, last, [new])

    def remove(self, start: int, end: int) -> list[Run]:
        """Take the keys of ``[start, end)`` out and return what they were."""
        first, last = self._meeting(start, end)
        met = self._runs[first:last]
        if not met:
            return []
        gone = [run.clipped(start, end) for run in met]
        rest = [met[0].clipped(met[0].start, start)] if met[0].start < start else []
        if met[-1].end > end:
            rest.append(met[-1].clipped(end, met[-1].end))
        self._replace(first, last, rest)
        self.size -= sum(run.length for run in gone)
        return gone

    def _meeting(self, start: int, end: int) -> tuple[int, int]:
        """Return the slice of the runs that meet ``[start, end)``; an empty range meets none."""
        if start >= end:
            return 0, 0
        first = max(0, bisect_right(self._starts, start) - 1)
        if first < len(self._runs) and self._runs[first].end <= start:
            first += 1
        return first, max(first, bisect_right(self._starts, end - 1))

    def _replace(self, first: int, last: int, runs: list[Run]) -> None:
        self._runs[first:last] = runs
        self._starts[first:last] = [run.start for run in runs]

    @staticmethod
    def _continues(before: Run, after: Run) -> bool:
        return (
            before.end == after.start
            and before.tag == after.tag
            and before.at(before.end) == after.value
        )
