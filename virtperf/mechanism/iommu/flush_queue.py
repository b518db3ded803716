"""Deferred invalidation: unmapped pages wait in a queue of their CPU until one flush takes all.

The rules are those of Linux: a queue of 256 places holds 255 entries; whoever would put another one
in flushes the whole domain first, and finds all that were queued before the flush free again, on
whatever CPU. A timer that the first entry starts does the same 10 ms later.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from virtperf.errors import ParameterError

LINUX_ENTRIES, LINUX_TIMEOUT_NS = 256, 10_000_000.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Pages that are unmapped, and may be reached until the next flush."""

    first: int
    pages: int
    since: float


class FlushQueues:
    """The flush queues of a domain, one for each CPU, and their timer.

    Parameters
    ----------
    flush : callable
        Has the IOMMU forget the whole domain.
    release : callable
        Takes pages back, on a CPU; they may be mapped anew.
    cpus : int
    entries : int
        Places of a queue, at least 2; one of them stays empty.
    timeout_ns : float
        From the first entry until the timer goes off.

    Attributes
    ----------
    by_count, by_timer : int
        Flushes so far, by what caused them.
    closed, exposed_ns, longest_ns : int, float
        Windows that a flush has closed, the sum of their lengths, and the longest.
    most : int
        Most entries that have waited on one CPU.
    """

    def __init__(
        self,
        flush: Callable[[], object],
        release: Callable[[int, Waiting], object],
        *,
        cpus: int = 1,
        entries: int = LINUX_ENTRIES,
        timeout_ns: float = LINUX_TIMEOUT_NS,
    ) -> None:
        if cpus < 1:
            raise ParameterError("FlushQueues", "cpus", "at least 1", cpus)
        if entries < 2:
            raise ParameterError("FlushQueues", "entries", "at least 2", entries)
        if timeout_ns <= 0:
            raise ParameterError("FlushQueues", "timeout", "above 0", timeout_ns)
        self.entries, self.timeout_ns = entries, timeout_ns
        self.by_count = self.by_timer = self.closed = self.most = 0
        self.exposed_ns = self.longest_ns = 0.0
        self._flush, self._release = flush, release
        self._queues: list[deque[Waiting]] = [deque() for _ in range(cpus)]
        self._due: float | None = None

    def __len__(self) -> int:
        return sum(map(len, self._queues))

    def __iter__(self) -> Iterator[Waiting]:
        for queue in self._queues:
            yield from queue

    @property
    def due(self) -> float | None:
        """When the timer goes off; None if it is not running."""
        return self._due

    def add(self, cpu: int, first: int, pages: int, now: float) -> bool:
        """Let unmapped pages wait; return whether that took a flush, for the queue was full."""
        self.advance(now)
        full = len(self._queues[cpu]) == self.entries - 1
        if full:
            self.by_count += 1
            self._flush_all(now)
        self._queues[cpu].append(Waiting(first, pages, now))
        self.most = max(self.most, len(self._queues[cpu]))
        if self._due is None:
            self._due = now + self.timeout_ns
        return full

    def advance(self, now: float) -> None:
        """Let the timer go off, if it is due by now."""
        if self._due is not None and self._due <= now:
            due, self._due = self._due, None
            self.by_timer += 1
            self._flush_all(due)

    def _flush_all(self, now: float) -> None:
        self._flush()
        for cpu, queue in enumerate(self._queues):
            for waiting in queue:
                self.closed += 1
                self.exposed_ns += now - waiting.since
                self.longest_ns = max(self.longest_ns, now - waiting.since)
                self._release(cpu, waiting)
            queue.clear()
