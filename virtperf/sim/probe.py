"""What is observed during a run: scalar batches, histograms and snapshots, in constant memory."""

from collections.abc import Callable

from virtperf.tables import Histogram, Snapshot
from virtperf.tables.batches import COARSE, SCALARS, Batches


class Probe:
    """Counts finished requests into batches; when all are full, neighbours merge.

    Parameters
    ----------
    groups, wakes : int
        Groups that latencies are observed under, and those of wake-to-run latencies.
    look : callable
        Returns a `Snapshot` of the machine as it stands.
    """

    def __init__(self, groups: int, wakes: int, look: Callable[[], Snapshot]) -> None:
        self.groups, self.wakes = groups, wakes
        self.look = look
        self.batch = 1
        self.ends: list[int] = []
        self.sums: list[int] = []
        self.batches: Batches[Histogram] = Batches(look())
        self._count = self._sum = 0
        self._open = self._fresh()

    def _fresh(self) -> list[Histogram]:
        return [Histogram() for _ in range(self.groups + self.wakes)]

    def finished(self, group: int, latency: int, now: int) -> None:
        """Count one finished request."""
        self._open[group].add(latency)
        self._count += 1
        self._sum += latency
        if self._count == self.batch:
            self._close(now)

    def woke(self, group: int, latency: int) -> None:
        """Count one dispatch of a woken worker."""
        self._open[self.groups + group].add(latency)

    def _close(self, now: int) -> None:
        self.ends.append(now)
        self.sums.append(self._sum)
        self._count = self._sum = 0
        if len(self.ends) % COARSE == 0:
            self._snap()
        if len(self.ends) == SCALARS:
            self._merge()

    def _snap(self) -> None:
        self.batches.add(self.look(), self._open)
        self._open = self._fresh()

    def _merge(self) -> None:
        self.ends = self.ends[1::2]
        self.sums = [a + b for a, b in zip(self.sums[::2], self.sums[1::2], strict=True)]
        self.batches.merge_if_full()
        self.batch *= 2

    def end(self) -> None:
        """Take the last snapshot, if anything happened since the one before."""
        before = self.batches.snapshots[-1]
        if self.look().time > before.time or any(h.counts for h in self._open):
            self._snap()
