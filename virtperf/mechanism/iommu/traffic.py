"""What the requests of some devices do to an IOMMU that they share: IOTLB misses per request.

Each request reads an entry of its submission ring, moves its data, writes an entry of its
completion ring. Devices take turns, and each uses its buffers in an order by chance.
"""

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

from virtperf.errors import ParameterError
from virtperf.mechanism.iommu.flush_queue import FlushQueues
from virtperf.mechanism.iommu.mapper import Mapper
from virtperf.mechanism.iommu.tables import RemappingTables, span_of
from virtperf.mechanism.iommu.unit import Iommu
from virtperf.mechanism.memory.geometry import TlbStructure
from virtperf.mechanism.memory.pages import PAGE_SHIFT, PageSize

Maps = Literal["static", "strict", "deferred"]
SUBMISSION_BYTES, COMPLETION_BYTES = 64, 16  # of a ring's entry (NVMe)
WARM, MEASURED = 4_000, 12_000  # accesses, of all devices
SEED = 1
WINDOW, MOST = 8, 60_000  # times that all queues fill, and the timer; unmaps for the latter


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The requests of one device.

    Attributes
    ----------
    maps : {'static', 'strict', 'deferred'}
        Whether all memory is mapped once, or each request's data for as long as it lasts.
    page : PageSize
        Of a static map.
    pages : int
        4 KiB pages of a request's data.
    buffers : int
        Requests' worth of data that it goes round in.
    ring : int
        Entries of each of its two rings.
    """

    maps: Maps = "static"
    page: PageSize = PageSize.K4
    pages: int = 1
    buffers: int = 1
    ring: int = 1024

    def __post_init__(self) -> None:
        for field in ("pages", "buffers", "ring"):
            if getattr(self, field) < 1:
                raise ParameterError("Stream", field, "at least 1", getattr(self, field))


@cache
def misses(streams: tuple[Stream, ...], entries: int) -> tuple[float, ...]:
    """Return the IOTLB misses per request of each of several devices behind one IOMMU.

    Parameters
    ----------
    streams : tuple of Stream
    entries : int
        Of the IOTLB, which is fully associative; 0 for none.

    Examples
    --------
    >>> misses((Stream(buffers=8),), 64)  # buffers and rings fit
    (0.0,)
    >>> misses((Stream(maps="strict"),), 64)  # a new translation each time
    (1.0,)
    """
    structure = TlbStructure(entries=entries, ways=entries) if entries else None
    iommu = Iommu(structure)
    devices = [_Device(iommu, f"d{n}", stream) for n, stream in enumerate(streams)]
    each = sum(2 + stream.pages for stream in streams)
    for device in devices * -(-WARM // each):
        device.request()
    before, rounds = [device.missed for device in devices], -(-MEASURED // each)
    for device in devices * rounds:
        device.request()
    return tuple((d.missed - b) / rounds for d, b in zip(devices, before, strict=True))


@dataclass(frozen=True, slots=True)
class Exposure:
    """The window in which unmapped pages are reached, at a constant rate.

    Attributes
    ----------
    most, mean : float
        Entries that wait for a flush, of all CPUs together.
    longest_ns, mean_ns : float
        How long they do.
    per_flush : float
        Unmaps for each flush.
    by_timer : bool
        Whether the timer is what flushes.
    """

    most: int
    mean: float
    longest_ns: float
    mean_ns: float
    per_flush: float
    by_timer: bool


@cache
def exposure(gap_ns: float, cpus: int, entries: int, timeout_ns: float) -> Exposure:
    """Return how long deferred invalidation leaves pages open, if one is unmapped each `gap_ns`.

    CPUs take turns. It is a run of the flush queues, some flushes long.

    Examples
    --------
    >>> fast = exposure(1_000.0, 1, 256, 1e7)
    >>> fast.most, fast.by_timer, fast.longest_ns
    (255, False, 255000.0)
    """
    released: list[int] = []
    queues = FlushQueues(
        lambda: None,
        lambda cpu, waiting: released.append(cpu),
        cpus=cpus,
        entries=entries,
        timeout_ns=timeout_ns,
    )
    most = 0
    length = min(MOST, round(WINDOW * timeout_ns / gap_ns))
    for number in range(max(WINDOW * cpus * entries, length)):
        queues.add(number % cpus, number, 1, number * gap_ns)
        most = max(most, len(queues))
    flushes = queues.by_count + queues.by_timer
    if not flushes:
        raise ParameterError("exposure", "gap", "such that something is flushed", gap_ns)
    mean_ns = queues.exposed_ns / queues.closed
    return Exposure(
        most=most,
        mean=mean_ns / gap_ns,
        longest_ns=queues.longest_ns,
        mean_ns=mean_ns,
        per_flush=queues.closed / flushes,
        by_timer=queues.by_timer > queues.by_count,
    )


class _Device:
    """A device, its rings and its buffers, with a static map or maps of their own."""

    def __init__(self, iommu: Iommu, name: str, stream: Stream) -> None:
        self.iommu, self.name, self.stream = iommu, name, stream
        self.missed = self.number = 0
        self.order = Random(f"{SEED}/{name}")
        self.tables: RemappingTables = iommu.add_domain(name)
        iommu.attach(name, name)
        self.heads = [_pages(stream.ring * size) for size in (SUBMISSION_BYTES, COMPLETION_BYTES)]
        self.mapper: Mapper | None = None
        if stream.maps != "static":
            self.mapper = Mapper(iommu, name, mode=stream.maps)
        self._map_static(sum(self.heads) + stream.buffers * stream.pages)
        for page in range(sum(self.heads)):  # its rings have been gone round once
            self._touch(page)

    def _map_static(self, pages: int) -> None:
        """Map the rings, and the buffers too if nobody else does; frames do not matter here."""
        if self.mapper is not None:
            pages, size = sum(self.heads), PageSize.K4
        else:
            size = self.stream.page
        for iova in range(0, pages, span_of(size)):
            self.tables.map(iova, iova, size=size)

    def request(self) -> None:
        """Make one request."""
        submission, completion = self.heads
        entry, self.number = self.number % self.stream.ring, self.number + 1
        self._touch(entry * SUBMISSION_BYTES >> PAGE_SHIFT)
        buffer = self.order.randrange(self.stream.buffers)
        first = submission + completion + buffer * self.stream.pages
        if self.mapper is None:
            self._touch_all(first)
        else:
            iova = self.mapper.map(list(range(first, first + self.stream.pages)))
            self._touch_all(iova)
            self.mapper.unmap(iova)
        self._touch(submission + (entry * COMPLETION_BYTES >> PAGE_SHIFT))

    def _touch_all(self, first: int) -> None:
        for page in range(first, first + self.stream.pages):
            self._touch(page)

    def _touch(self, page: int) -> None:
        access = self.iommu.dma(self.name, page)
        assert access is not None, "it is mapped"
        self.missed += not access.hit


def _pages(size: int) -> int:
    return -(-size >> PAGE_SHIFT) if size else 0
