"""An IOMMU: devices in protection domains, their DMA translated or refused."""

from collections.abc import Iterator
from typing import NamedTuple

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.mechanism.iommu.iotlb import Iotlb
from virtperf.mechanism.iommu.tables import RemappingTables, Translation, span_of
from virtperf.mechanism.memory.geometry import TlbStructure


class Access(NamedTuple):
    """A DMA access that went through.

    Attributes
    ----------
    frame : int
        What it reached.
    hit : bool
        Whether the IOTLB had it.
    reads : int
        Table entries that the walk read, 0 after a hit.
    stale : bool
        Whether the tables did not allow it any more.
    """

    frame: int
    hit: bool
    reads: int
    stale: bool


class Iommu:
    """Translates what devices ask for; nobody is reached but through a domain's tables.

    Parameters
    ----------
    iotlb : TlbStructure, optional
        By default nothing is remembered.

    Attributes
    ----------
    faults : int
        Accesses refused.

    Examples
    --------
    >>> iommu = Iommu()
    >>> iommu.add_domain("guest").map(7, 1007)
    >>> iommu.attach("nic", "guest")
    >>> iommu.dma("nic", 7).frame
    1007
    >>> iommu.dma("nic", 8) is None, iommu.faults
    (True, 1)
    """

    def __init__(self, iotlb: TlbStructure | None = None) -> None:
        self.iotlb = Iotlb(iotlb)
        self.domains: dict[str, RemappingTables] = {}
        self.faults = 0
        self._of: dict[str, str] = {}

    def add_domain(self, name: str, levels: int = 4) -> RemappingTables:
        """Add a protection domain that reaches nothing yet; return its tables."""
        if name in self.domains:
            raise ParameterError("Iommu", "domain", "a new name", name)
        return self.domains.setdefault(name, RemappingTables(levels))

    def attach(self, device: str, domain: str) -> None:
        """Put a device into a domain; what it did in another one is over."""
        if domain not in self.domains:
            raise UnknownNameError("protection domain", domain, self.domains)
        self._of[device] = domain

    def detach(self, device: str) -> None:
        """Take a device out of its domain: it reaches nothing."""
        self._of.pop(device, None)

    def domain_of(self, device: str) -> str | None:
        """Return the domain a device is in, or None."""
        return self._of.get(device)

    def dma(self, device: str, iova: int, *, write: bool = True) -> Access | None:
        """Return what a device reaches at an IOVA page; None, and a fault, if it may not.

        What the IOTLB remembers is believed; only a miss looks into the tables.
        """
        domain = self._of.get(device)
        if domain is None:
            self.faults += 1
            return None
        tables = self.domains[domain]
        known = self.iotlb.look_up(domain, iova)
        found = tables.find(iova) if known is None else known
        if found is None or (write and not found.writable):
            self.faults += 1
            return None
        reads = 0
        if known is None:
            reads = tables.reads(iova)
            self.iotlb.fill(domain, iova, found)
        frame = found.frame + iova % span_of(found.size)
        return Access(frame, known is not None, reads, tables.find(iova) != found)

    def invalidate(self, domain: str, first: int | None = None, pages: int = 1) -> int:
        """Forget what is remembered of some pages of a domain, or of all of it; return how much."""
        return self.iotlb.drop(
            lambda key: key.domain == domain and (first is None or key.covers(first, pages))
        )

    def stale(self, domain: str) -> Iterator[tuple[int, Translation]]:
        """Yield each IOVA page, and what it reaches, that is remembered but allowed no more."""
        tables = self.domains[domain]
        for key, found in self.iotlb:
            first = key.page * span_of(key.size)
            if key.domain == domain and tables.find(first) != found:
                yield first, found
