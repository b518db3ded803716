"""Histograms of a run that goes on, as NumPy keeps them: counts from the first bucket used on."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from virtperf.tables import Histogram


class Counts:
    """How many durations there were in each bucket from `first` on.

    Parameters
    ----------
    counts : array of int
        By bucket; the zeros before and behind the others are not kept.
    first : int
        The bucket that `counts` begins with.
    """

    __slots__ = ("counts", "first")

    def __init__(self, counts: NDArray[np.int64], first: int = 0) -> None:
        used = counts.nonzero()[0]
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        self.counts, self.first = counts[low:high].copy(), first + low

    def merge(self, others: Iterable["Counts"]) -> "Counts":
        """Return the sum of this and `others`."""
        parts = [part for part in (self, *others) if len(part.counts)]
        if not parts:
            return self
        first = min(part.first for part in parts)
        total = np.zeros(max(part.first + len(part.counts) for part in parts) - first, np.int64)
        for part in parts:
            at = part.first - first
            total[at : at + len(part.counts)] += part.counts
        return Counts(total, first)

    def histogram(self) -> Histogram:
        """Return the histogram that a run reports."""
        used = self.counts.nonzero()[0]
        buckets, counts = (used + self.first).tolist(), self.counts[used].tolist()
        return Histogram(dict(zip(buckets, counts, strict=True)))
