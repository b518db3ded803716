"""Memory hardware and page tables, as plainly as Python says them: state without a clock.

`virtperf.mmu` is the same hardware over arrays, compiled, and held equal to this access by access.
"""

from virtperf.mechanism.memory.flushes import Flush, Tag
from virtperf.mechanism.memory.geometry import TlbGeometry, TlbStructure, WalkCaches, structure
from virtperf.mechanism.memory.hardware import Access, Hardware
from virtperf.mechanism.memory.mapping import NATIVE, Context, Mapping, Region, nested
from virtperf.mechanism.memory.pages import PageSize, canonical
from virtperf.mechanism.memory.pte_caches import PteCache, PteCaches

__all__ = [
    "NATIVE",
    "Access",
    "Context",
    "Flush",
    "Hardware",
    "Mapping",
    "PageSize",
    "PteCache",
    "PteCaches",
    "Region",
    "Tag",
    "TlbGeometry",
    "TlbStructure",
    "WalkCaches",
    "canonical",
    "nested",
    "structure",
]
