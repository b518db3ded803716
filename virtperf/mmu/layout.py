"""The hardware as arrays: what each column and each bit of a key stands for, and how it is made.

A key is never negative, and holds, from the low end, what is looked for and whose it is:

=============  =======================================================================
TLB            size (2 bits), page number (45), tag
prefix cache   prefix (45), tag, or host root
entry cache    entry (36), level (3), tag and space, or host root with HOST_BIT
nested TLB     size (2), page number (45), host root
PTE line       line (42), owner (15), level (3), dimension (1)
=============  =======================================================================
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.geometry import TlbGeometry, WalkCaches
from virtperf.mechanism.memory.mapping import Mapping
from virtperf.mechanism.memory.pages import PAGE_SHIFT, PageSize
from virtperf.mechanism.memory.pte_caches import PteCaches
from virtperf.mmu.sets import POLICIES

Ints = NDArray[np.int64]

PAGE_BITS = 45  # of 57-bit addresses
TAG_SHIFT = PAGE_BITS + 2
PREFIX_SHIFT = PAGE_BITS
ENTRY_BITS, LEVEL_BITS = 36, 3
PAIR_SHIFT = ENTRY_BITS + LEVEL_BITS
HOST_BIT = 1 << 61
MOST_NAMES = 1 << 15
"""So many tags, spaces and host roots can be told apart in one simulation."""

# columns of a TLB structure
FIRST, SETS, WAYS, FOLD, MASK, POLICY = range(6)
# columns of a context
TAG, GLOBAL_TAG, PAIR, SPACE, ROOT, REGIONS, REGIONS_END, OFFSET, TABLES_PAGE, TABLES_AT = range(10)
# columns of a region
START, GUEST_PAGE, HOST_PAGE, ENTRY_PAGE, IS_GLOBAL = range(5)
# rows of walk caches
PREFIXES, NESTED, ENTRIES, PAGES, WALK_ROWS = 0, 4, 8, 9, 10
# columns of what the walker is
LEVELS, NESTED_LEVELS, KIND, COMBINED_HOST, CACHES_NESTED, PAGES_DATA, MEMORY = range(7)
NO_KIND, PREFIX_KIND, ENTRY_KIND = range(3)
# columns of a PTE cache
CYCLES = 3

CANDIDATES = 4  # structures of one level that may share a page size
_REMEMBERED = 64  # layouts, for it takes longer to work one out than to simulate a short piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What no access changes. All processors that are alike share it, so nobody writes to it.

    Attributes
    ----------
    entries, shape, route : int, array, array
        Of all TLBs; one row for each structure; how many structures of a level hold a page size,
        and which.
    walk_entries, walk_rows : int, array
        Of all walk caches; where each starts, and its entries.
    lines, line_rows : int, array
        Of all data caches; one row for each.
    facts : array
        What the walk stage has to know, in the order of the columns.
    """

    entries: int
    shape: Ints
    route: Ints
    walk_entries: int
    walk_rows: Ints
    lines: int
    line_rows: Ints
    facts: Ints


@lru_cache(_REMEMBERED)
def layout_of(
    tlb: TlbGeometry, caches: WalkCaches, levels: int, nested_levels: int, pte_caches: PteCaches
) -> Layout:
    """Return how a processor is laid out.

    Raises
    ------
    ParameterError
        If too many structures share a page size, or a walk cache is without end: that is for the
        plain form only.
    """
    entries, shape, route = _tlb_rows(tlb)
    walk_entries, walk_rows = _walk_rows(caches)
    lines, line_rows = _line_rows(pte_caches)
    return Layout(
        entries=entries,
        shape=shape,
        route=route,
        walk_entries=walk_entries,
        walk_rows=walk_rows,
        lines=lines,
        line_rows=line_rows,
        facts=_facts(caches, levels, nested_levels, pte_caches),
    )


def _tlb_rows(geometry: TlbGeometry) -> tuple[int, Ints, Ints]:
    rows: list[list[int]] = []
    first = 0
    route = [[[0] * (1 + CANDIDATES) for _ in PageSize] for _ in geometry.levels]
    for level, structures in zip(route, geometry.levels, strict=True):
        for one in structures:
            for size in one.pages:
                holders = level[size]
                if holders[0] == CANDIDATES:
                    rule = f"at most {CANDIDATES} of a level for one page size"
                    raise ParameterError(geometry.name, "levels", rule, size.label)
                holders[0] += 1
                holders[holders[0]] = len(rows)
            power = one.sets & (one.sets - 1) == 0
            mask = one.sets - 1 if power else -1
            rows.append([first, one.sets, one.ways, one.fold, mask, POLICIES.index(one.policy)])
            first += one.entries
    return first, np.array(rows, np.int64), np.array(route, np.int64)


def _walk_rows(caches: WalkCaches) -> tuple[int, Ints]:
    sizes = [caches.prefixes(level) for level in range(2, 6)]
    sizes += [caches.prefixes(level, nested=True) for level in range(2, 6)]
    sizes += [caches.entries if caches.kind == "entry" else 0, caches.nested_tlb]
    rows, first = [], 0
    for size in sizes:
        if size is None:
            raise ParameterError("WalkCaches", "entries", "finite, to be compiled", None)
        rows.append([first, size])
        first += size
    return first, np.array(rows, np.int64)


def _line_rows(caches: PteCaches) -> tuple[int, Ints]:
    rows: list[list[int]] = []
    first = 0
    for one in caches.levels:
        rows.append([first, one.lines // one.ways, one.ways, one.cycles])
        first += one.lines
    return first, np.array(rows, np.int64).reshape(-1, 4)


def _facts(caches: WalkCaches, levels: int, nested_levels: int, pte_caches: PteCaches) -> Ints:
    kind = {"none": NO_KIND, "prefix": PREFIX_KIND, "entry": ENTRY_KIND}[caches.kind]
    facts: list[int] = [levels, nested_levels, kind, caches.combined == "host"]
    facts += [caches.caches_nested, caches.nested_tlb_data, pte_caches.memory_cycles]
    return np.array(facts, np.int64)


@lru_cache(_REMEMBERED)
def region_rows(mapping: Mapping, geometry: TlbGeometry) -> tuple[tuple[int, ...], ...]:
    """Return a mapping as rows without gaps, in the order of the columns.

    Raises
    ------
    ParameterError
        If the TLB holds no pages of a size that occurs.
    """
    edges = {0, *(edge for one in mapping.regions for edge in (one.start, one.end))}
    rows = []
    for edge in sorted(edges):
        one = mapping.at(edge)
        host = -1 if one.host is None else int(one.host)
        kept = geometry.entry_size(one.entry)
        rows.append((edge >> PAGE_SHIFT, int(one.guest), host, int(kept), int(one.is_global)))
    return tuple(rows)
