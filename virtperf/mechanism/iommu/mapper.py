"""A driver's maps: pages get an IOVA for as long as a device needs them, and lose it again.

Strict: when unmapping returns, the IOMMU has forgotten the pages. Deferred: it forgets them with
many others, later; until then the device reaches what is no longer its own.
"""

from collections import defaultdict
from typing import Literal

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.mechanism.iommu.flush_queue import (
    LINUX_ENTRIES,
    LINUX_TIMEOUT_NS,
    FlushQueues,
    Waiting,
)
from virtperf.mechanism.iommu.unit import Iommu

Invalidation = Literal["strict", "deferred"]
CACHED_PAGES = 32
"""Largest range of which CPUs keep some for themselves (IOVA magazines of Linux)."""
TOP = 1 << 20
"""IOVA pages below 4 GiB, which are handed out from the top."""


class Mapper:
    """Maps frames for the devices of one domain.

    Parameters
    ----------
    iommu : Iommu
    domain : str
    mode : {'strict', 'deferred'}
    cpus, entries, timeout_ns
        As in `FlushQueues`.

    Attributes
    ----------
    maps, unmaps, invalidations : int
        Made so far; an invalidation is of the range, or of the domain.

    Examples
    --------
    >>> iommu = Iommu()
    >>> _ = iommu.add_domain("host"), iommu.attach("nic", "host")
    >>> mapper = Mapper(iommu, "host", mode="strict")
    >>> iova = mapper.map([40, 41])
    >>> iommu.dma("nic", iova + 1).frame
    41
    >>> mapper.unmap(iova)
    >>> iommu.dma("nic", iova) is None
    True
    """

    def __init__(
        self,
        iommu: Iommu,
        domain: str,
        *,
        mode: Invalidation,
        cpus: int = 1,
        entries: int = LINUX_ENTRIES,
        timeout_ns: float = LINUX_TIMEOUT_NS,
    ) -> None:
        if domain not in iommu.domains:
            raise UnknownNameError("protection domain", domain, iommu.domains)
        if mode not in ("strict", "deferred"):
            raise ParameterError("Mapper", "mode", "strict or deferred", mode)
        self.iommu, self.domain, self.mode = iommu, domain, mode
        self.maps = self.unmaps = self.invalidations = 0
        self.queues = FlushQueues(
            self._forget_all, self._take_back, cpus=cpus, entries=entries, timeout_ns=timeout_ns
        )
        self._mapped: dict[int, int] = {}
        self._spare: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        self._next = TOP

    def map(self, frames: list[int], *, cpu: int = 0, writable: bool = True) -> int:
        """Return the IOVA page at which `frames` can be reached, one behind the other.

        Raises
        ------
        ParameterError
            If there are none, or no addresses are left.
        """
        if not frames:
            raise ParameterError("Mapper", "frames", "at least one", frames)
        iova = self._address(cpu, len(frames))
        for number, frame in enumerate(frames):
            self.iommu.domains[self.domain].map(iova + number, frame, writable=writable)
        self._mapped[iova] = len(frames)
        self.maps += 1
        return iova

    def unmap(self, iova: int, *, cpu: int = 0, now: float = 0.0) -> None:
        """End what `map` began.

        Raises
        ------
        ParameterError
            If nothing was mapped there.
        """
        if iova not in self._mapped:
            raise ParameterError("Mapper", "iova", "one that `map` returned", iova)
        pages = self._mapped.pop(iova)
        for page in range(iova, iova + pages):
            self.iommu.domains[self.domain].unmap(page)
        self.unmaps += 1
        if self.mode == "deferred":
            self.queues.add(cpu, iova, pages, now)
            return
        self.invalidations += 1
        self.iommu.invalidate(self.domain, iova, pages)
        self._take_back(cpu, Waiting(iova, pages, now))

    def advance(self, now: float) -> None:
        """Let the timer of deferred invalidations go off, if it is due."""
        self.queues.advance(now)

    def stale_pages(self) -> int:
        """Return the pages that are unmapped, and still reached."""
        return sum(1 for _ in self.iommu.stale(self.domain))

    def _forget_all(self) -> None:
        self.invalidations += 1
        self.iommu.invalidate(self.domain)

    def _take_back(self, cpu: int, range_: Waiting) -> None:
        self._spare[cpu if _size(range_.pages) <= CACHED_PAGES else -1, _size(range_.pages)].append(
            range_.first
        )

    def _address(self, cpu: int, pages: int) -> int:
        """Return free addresses: the last that came back, or the next below all others."""
        size = _size(pages)
        spare = self._spare[cpu if size <= CACHED_PAGES else -1, size]
        if spare:
            return spare.pop()
        self._next = (self._next - size) // size * size
        if self._next < 0:
            raise ParameterError("Mapper", "frames", "fewer than addresses are left", pages)
        return self._next


def _size(pages: int) -> int:
    """Return the addresses that so many pages take: the next power of two."""
    return 1 << (pages - 1).bit_length()
