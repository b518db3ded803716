"""A log-spaced histogram of ticks: constant memory, merged by addition, at most 0.8 % off."""

from collections.abc import Iterable, Mapping

BITS = 6  # 64 buckets per power of two: a bucket is at most 1/64 wide, its middle 1/128 off


def bucket(ticks: int) -> int:
    """Return the bucket of a duration; durations below 128 ticks have a bucket each."""
    shift = ticks.bit_length() - BITS - 1
    if shift <= 0:
        return ticks
    return (shift << BITS) + (ticks >> shift)


def middle(index: int) -> float:
    """Return the middle of a bucket, in ticks."""
    if index < 2 << BITS:
        return float(index)
    shift = (index >> BITS) - 1
    low = ((index & ((1 << BITS) - 1)) | (1 << BITS)) << shift
    return low + ((1 << shift) - 1) / 2


class Histogram:
    """Counts of durations by bucket, sparse.

    Examples
    --------
    >>> h = Histogram()
    >>> for ticks in range(1, 1001):
    ...     h.add(ticks)
    >>> abs(h.quantile(0.5) / 500 - 1) < 0.01
    True
    """

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def add(self, ticks: int) -> None:
        """Count one duration."""
        counts, shift = self.counts, ticks.bit_length() - BITS - 1
        index = (shift << BITS) + (ticks >> shift) if shift > 0 else ticks  # as `bucket`, in line
        counts[index] = counts.get(index, 0) + 1

    def merge(self, others: Iterable["Histogram"]) -> "Histogram":
        """Return the sum of this and `others`."""
        total = dict(self.counts)
        for other in others:
            for index, count in other.counts.items():
                total[index] = total.get(index, 0) + count
        return Histogram(total)

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.counts.values())

    def quantile(self, q: float) -> float:
        """Return the `q`-quantile in ticks: the middle of the bucket that holds it.

        Raises
        ------
        ValueError
            If nothing was counted.
        """
        rank = max(1, -int(-q * self.count // 1))
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= rank:
                return middle(index)
        raise ValueError("an empty histogram has no quantile")

    def cdf(self) -> list[tuple[float, float]]:
        """Return (ticks, share at or below) of every bucket that is not empty."""
        total, seen, points = self.count, 0, []
        for index in sorted(self.counts):
            seen += self.counts[index]
            points.append((middle(index), seen / total))
        return points
