"""Memory by its rules, without a clock: what hardware looks up, and what software does about it.

The hardware (`hardware`, of `tlb`, `tags`, `walker` and `pte_caches`) says what each access finds;
software (`page_table`, `guest`, `pmap`, and from `paging` on a module per technique) what happens
when tables do not allow it. All is plain Python. `virtperf.mmu` is the hardware over arrays,
compiled, and held equal to this access by access.
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
