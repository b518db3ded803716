"""Flushes: what they take out of TLBs and walk caches, by owner and, if it is given, by address."""

from typing import Any

from virtperf.mmu.compiling import compiled, entry
from virtperf.mmu.layout import (
    ENTRIES,
    ENTRY_BITS,
    FIRST,
    HOST_BIT,
    LEVEL_BITS,
    NESTED,
    PAGE_BITS,
    PAGES,
    PAIR_SHIFT,
    POLICY,
    PREFIX_SHIFT,
    PREFIXES,
    SETS,
    TAG_SHIFT,
    WAYS,
)
from virtperf.mmu.sets import EMPTY, PLRU

_PAGES = (1 << PAGE_BITS) - 1
ANYWHERE = -1
"""In place of an address: entries go wherever they are."""


@compiled
def drop_pages(keys: Any, first: int, sets: int, ways: int, doomed: Any, address: int) -> None:
    """Take pages of doomed owners out of sets; what stays keeps its order."""
    if ways == 0:
        return
    for row in range(first, first + sets * ways, ways):
        kept = row
        for at in range(row, row + ways):
            key = keys[at]
            if key == EMPTY:
                break
            keys[at] = EMPTY
            here = address == ANYWHERE or address >> (12 + 9 * (key & 3)) == (key >> 2) & _PAGES
            if not (here and doomed[key >> TAG_SHIFT]):
                keys[kept] = key
                kept += 1


@compiled
def blank_pages(keys: Any, first: int, entries: int, doomed: Any, address: int) -> None:
    """Take pages of doomed owners out of trees, where each key has to stay in its place."""
    for at in range(first, first + entries):
        key = keys[at]
        if key == EMPTY:
            continue
        here = address == ANYWHERE or address >> (12 + 9 * (key & 3)) == (key >> 2) & _PAGES
        if here and doomed[key >> TAG_SHIFT]:
            keys[at] = EMPTY


@compiled
def drop_of(keys: Any, shape: Any, doomed: Any, address: int) -> None:
    """Take pages of doomed owners out of every TLB structure."""
    for one in range(len(shape)):
        first, sets, ways = shape[one, FIRST], shape[one, SETS], shape[one, WAYS]
        if shape[one, POLICY] == PLRU:
            blank_pages(keys, first, sets * ways, doomed, address)
        else:
            drop_pages(keys, first, sets, ways, doomed, address)


@compiled
def drop_prefixes(keys: Any, first: int, ways: int, doomed: Any, prefix: int) -> None:
    """Take prefixes of doomed owners out of a cache."""
    kept = first
    for at in range(first, first + ways):
        key = keys[at]
        if key == EMPTY:
            break
        keys[at] = EMPTY
        here = prefix == ANYWHERE or key & ((1 << PREFIX_SHIFT) - 1) == prefix
        if not (here and doomed[key >> PREFIX_SHIFT]):
            keys[kept] = key
            kept += 1


@compiled
def drop_entries(keys: Any, first: int, ways: int, pairs: Any, roots: Any, address: int) -> None:
    """Take table entries of doomed guests and hosts out of a cache; the address is the host's."""
    kept = first
    for at in range(first, first + ways):
        key = keys[at]
        if key == EMPTY:
            break
        keys[at] = EMPTY
        owner = (key & (HOST_BIT - 1)) >> PAIR_SHIFT
        if key & HOST_BIT:
            level = (key >> ENTRY_BITS) & ((1 << LEVEL_BITS) - 1)
            number = key & ((1 << ENTRY_BITS) - 1)
            here = address == ANYWHERE or address >> (12 + 9 * (level - 1)) == number
            gone = here and roots[owner]
        else:
            gone = pairs[owner]
        if not gone:
            keys[kept] = key
            kept += 1


@compiled
def forget(keys: Any, rows: Any, tags: Any, pairs: Any, roots: Any, address: int) -> None:
    """Take out of the walk caches what doomed tags, pairs and roots have; roots, at an address."""
    if address == ANYWHERE and tags.all() and roots.all():
        keys[:] = EMPTY
        return
    for row in range(4):
        near = ANYWHERE if address == ANYWHERE else address >> (21 + 9 * row)
        drop_prefixes(keys, rows[PREFIXES + row, 0], rows[PREFIXES + row, 1], tags, ANYWHERE)
        drop_prefixes(keys, rows[NESTED + row, 0], rows[NESTED + row, 1], roots, near)
    drop_entries(keys, rows[ENTRIES, 0], rows[ENTRIES, 1], pairs, roots, address)
    drop_pages(keys, rows[PAGES, 0], 1, rows[PAGES, 1], roots, address)


@compiled
def clear(keys: Any, shape: Any, doomed: Any) -> None:
    """Take the entries of doomed tags out of every TLB structure."""
    if doomed.all():
        keys[:] = EMPTY
        return
    drop_of(keys, shape, doomed, ANYWHERE)


@entry
def flush_tlb(keys: Any, shape: Any, doomed: Any, address: int) -> None:
    """Take the entries of doomed tags out of every TLB structure, wherever or at one address."""
    drop_of(keys, shape, doomed, address)


@entry
def flush_walks(keys: Any, rows: Any, tags: Any, pairs: Any, roots: Any, address: int) -> None:
    """Take out of the walk caches what is doomed: one flush between two pieces of a stream."""
    forget(keys, rows, tags, pairs, roots, address)


@entry
def finish_flushes(
    flushed: int, flushes: Any, tags: Any, pairs: Any, roots: Any, keys: Any, rows: Any
) -> None:
    """Do the flushes of the segments behind `flushed`, after which no walk came."""
    for segment in range(flushed + 1, len(flushes)):
        flush = flushes[segment]
        if flush >= 0:
            forget(keys, rows, tags[flush], pairs[flush], roots[flush], ANYWHERE)
