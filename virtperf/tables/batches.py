"""How a run is cut into batches, and the snapshots and histograms that are kept of them."""

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, Self, TypeVar

from virtperf.tables.observed import Snapshot

SCALARS = 1024  # scalar batches kept
COARSE = 16  # scalar batches per histogram batch, so 64 of these


class Counted(Protocol):
    """What counts durations: a histogram, or whatever an engine has instead while it runs."""

    def merge(self, others: Iterable[Self]) -> Self:
        """Return the sum of this and `others`."""


C = TypeVar("C", bound=Counted)


class Batches(Generic[C]):
    """Histogram batches, in constant memory: when all are full, neighbours merge.

    Parameters
    ----------
    first : Snapshot
        At the start.
    """

    def __init__(self, first: Snapshot) -> None:
        self.snapshots = [first]
        self.histograms: list[Sequence[C]] = []

    def add(self, snapshot: Snapshot, histograms: Sequence[C]) -> None:
        """Close a batch: how all stands at its end, and its latencies, per group."""
        self.snapshots.append(snapshot)
        self.histograms.append(histograms)

    def merge_if_full(self) -> None:
        """Merge each batch with its neighbour if the scalar batches are all full."""
        if len(self.histograms) < SCALARS // COARSE:
            return
        self.snapshots = self.snapshots[::2]
        self.histograms = [
            [a.merge([b]) for a, b in zip(one, two, strict=True)]
            for one, two in zip(self.histograms[::2], self.histograms[1::2], strict=True)
        ]
