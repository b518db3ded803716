"""Direct access by its rules, without a clock: what a device may reach, and for how long.

Pages are numbered: `iova` pages are what a device asks for, frames are the machine's. Whoever calls
says what time it is, where that matters.
"""

from virtperf.mechanism.iommu.assignment import Assignments, Pins
from virtperf.mechanism.iommu.flush_queue import FlushQueues
from virtperf.mechanism.iommu.invalidation import InvalidationQueue
from virtperf.mechanism.iommu.iotlb import Iotlb
from virtperf.mechanism.iommu.mapper import Mapper
from virtperf.mechanism.iommu.reach import Reach, misdirected, reach, reach_unprotected
from virtperf.mechanism.iommu.tables import RemappingTables, Translation
from virtperf.mechanism.iommu.unit import Access, Iommu

__all__ = [
    "Access",
    "Assignments",
    "FlushQueues",
    "InvalidationQueue",
    "Iommu",
    "Iotlb",
    "Mapper",
    "Pins",
    "Reach",
    "RemappingTables",
    "Translation",
    "misdirected",
    "reach",
    "reach_unprotected",
]
