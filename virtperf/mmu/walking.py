"""The second stage: page walks of the accesses that missed, through the walk caches."""

from typing import Any

from virtperf.mmu.compiling import compiled, entry, inlined
from virtperf.mmu.forgetting import ANYWHERE, forget
from virtperf.mmu.frames import table_frame
from virtperf.mmu.layout import (
    CACHES_NESTED,
    COMBINED_HOST,
    CYCLES,
    ENTRIES,
    ENTRY_BITS,
    ENTRY_KIND,
    FIRST,
    GUEST_PAGE,
    HOST_BIT,
    HOST_PAGE,
    KIND,
    LEVELS,
    MEMORY,
    NESTED,
    NESTED_LEVELS,
    OFFSET,
    PAGES,
    PAGES_DATA,
    PAIR,
    PAIR_SHIFT,
    PREFIX_KIND,
    PREFIX_SHIFT,
    PREFIXES,
    REGIONS,
    REGIONS_END,
    ROOT,
    SETS,
    SPACE,
    TABLES_PAGE,
    TAG,
    TAG_SHIFT,
    WAYS,
)
from virtperf.mmu.regions import region_of
from virtperf.mmu.sets import HIT, touch

GUEST, HOST = 0, 1
DATA_FRAMES = (1 << 35) - 1
ENTRY_MASK = (1 << ENTRY_BITS) - 1


@compiled
def holds(keys: Any, rows: Any, row: int, key: int) -> int:
    """Return 1 if a walk cache has a key, else 0; afterwards it has, if it has entries."""
    if rows[row, 1] == 0:
        return 0
    if touch(keys, rows[row, 0], rows[row, 1], key, 0) == HIT:
        return 1
    return 0


@inlined
def skip(keys: Any, rows: Any, first: int, owner: int, page: int, leaf: int, top: int) -> int:
    """Return the level of the first table to read: below the deepest prefix that is known."""
    for level in range(leaf + 1, top + 1):
        key = (owner << PREFIX_SHIFT) | (page >> (9 * (level - 1)))
        if holds(keys, rows, first + level - 2, key):
            return level - 1
    return top


@inlined
def read(
    dimension: int, level: int, owner: int, number: int, counts: Any, lines: Any, caches: Any,
    memory: int,
) -> int:  # fmt: skip
    """Count one read of a table entry; return its latency."""
    counts[dimension, level] += 1
    if len(caches) == 0:
        return memory
    line = number >> 3
    key = (((dimension << 3 | level) << 15 | owner) << 42) | line
    for one in range(len(caches)):
        first = caches[one, FIRST] + line % caches[one, SETS] * caches[one, WAYS]
        if touch(lines, first, caches[one, WAYS], key, 0) == HIT:
            return caches[one, CYCLES]
    return memory


@inlined
def translate(
    page: int, code: int, root: int, through: int, facts: Any, keys: Any, rows: Any,
    counts: Any, starts: Any, each: bool, lines: Any, caches: Any,
) -> int:  # fmt: skip
    """Walk the host's tables for a guest-physical frame; return the cycles."""
    if through:
        key = (root << TAG_SHIFT) | (page >> (9 * code) << 2) | code
        if holds(keys, rows, PAGES, key):
            return 0
    leaf, top, cycles = code + 1, facts[NESTED_LEVELS], 0
    if facts[KIND] == PREFIX_KIND:
        top = skip(keys, rows, NESTED, root, page, leaf, top)
    if not each:
        starts[HOST, top, leaf] += 1
        return 0
    for level in range(top, leaf - 1, -1):
        number = page >> (9 * (level - 1))
        if level > leaf and facts[KIND] == ENTRY_KIND and facts[CACHES_NESTED]:
            key = HOST_BIT | (root << PAIR_SHIFT) | (level << ENTRY_BITS) | number
            if holds(keys, rows, ENTRIES, key):
                counts[HOST, 0] += 1
                continue
        cycles += read(HOST, level, root, number, counts, lines, caches, facts[MEMORY])
    return cycles


@inlined
def walk(
    page: int, context: Any, region: Any, facts: Any, keys: Any, rows: Any, counts: Any,
    starts: Any, each: bool, lines: Any, caches: Any, frames: Any, used: Any,
) -> int:  # fmt: skip
    """Walk the guest's tables, or the only ones, for a page; return the cycles.

    Where nothing is asked of a read but that it is counted, `each` is false: then `starts` counts
    walks by the levels between which they read.
    """
    leaf, top, known, cycles = region[GUEST_PAGE] + 1, facts[LEVELS], False, 0
    if facts[KIND] == PREFIX_KIND:
        top = skip(keys, rows, PREFIXES, context[TAG], page, leaf, top)
        known = top < facts[LEVELS] and facts[COMBINED_HOST] != 0
    nested = region[HOST_PAGE] >= 0
    if not each:
        starts[GUEST, top, leaf] += 1
        if not nested:
            return 0
    for level in range(top, leaf - 1, -1):
        if nested and not known:
            frame = table_frame(page >> (9 * level), level, context, frames, used)
            cycles += translate(
                frame, context[TABLES_PAGE], context[ROOT], 1, facts, keys, rows,
                counts, starts, each, lines, caches,
            )  # fmt: skip
        known = False
        if not each:
            continue
        number = page >> (9 * (level - 1))
        if level > leaf and facts[KIND] == ENTRY_KIND:
            key = (context[PAIR] << PAIR_SHIFT) | (level << ENTRY_BITS) | number
            if holds(keys, rows, ENTRIES, key):
                counts[GUEST, 0] += 1
                continue
        cycles += read(GUEST, level, context[SPACE], number, counts, lines, caches, facts[MEMORY])
    if nested:
        data = (page + context[OFFSET]) & DATA_FRAMES
        cycles += translate(
            data, region[HOST_PAGE], context[ROOT], facts[PAGES_DATA], facts, keys, rows,
            counts, starts, each, lines, caches,
        )  # fmt: skip
    return cycles


@inlined
def until(misses: Any, low: int, high: int, position: int) -> int:
    """Return which of the misses `low` to `high` is the first at or behind a position."""
    while low < high:
        middle = (low + high) >> 1
        if misses[middle] < position:
            low = middle + 1
        else:
            high = middle
    return low


@entry
def walk_misses(
    words: Any,
    misses: Any,
    first: int,
    count: int,
    segment: int,
    flushed: int,
    begins: Any,
    segment_contexts: Any,
    segment_flushes: Any,
    contexts: Any,
    regions: Any,
    doomed_tags: Any,
    doomed_pairs: Any,
    doomed_roots: Any,
    facts: Any,
    keys: Any,
    rows: Any,
    counts: Any,
    starts: Any,
    lines: Any,
    caches: Any,
    frames: Any,
    used: Any,
    total: Any,
    guest_out: Any,
    host_out: Any,
    cycles_out: Any,
) -> tuple[int, int]:
    """Walk misses `first` to `count`; return how far that came and in which segment.

    It stops early where the table of frames is more than half full, so that it can grow.
    Native walks without caches that nobody asks the price of are all alike, and counted together.
    `flushed` is the last segment whose flush has been done. Flushes between misses are done in
    their order, those behind the last miss when the next one comes.
    """
    at, trace, pages = first, len(guest_out) > 0, (1 << (9 * facts[LEVELS])) - 1
    each = trace or facts[KIND] == ENTRY_KIND or len(caches) > 0 or facts[MEMORY] > 0
    silent = not each and facts[KIND] != PREFIX_KIND
    while at < count:
        if 2 * (used[0] + 8) > len(frames):
            break
        position = misses[at]
        while begins[segment + 1] <= position:
            segment += 1
        while flushed < segment:
            flushed += 1
            flush = segment_flushes[flushed]
            if flush >= 0:
                tags, pairs = doomed_tags[flush], doomed_pairs[flush]
                forget(keys, rows, tags, pairs, doomed_roots[flush], ANYWHERE)
        context = contexts[segment_contexts[segment]]
        only = context[REGIONS]
        if silent and context[REGIONS_END] - only == 1 and regions[only, HOST_PAGE] < 0:
            behind = until(misses, at, count, begins[segment + 1])
            starts[GUEST, facts[LEVELS], regions[only, GUEST_PAGE] + 1] += behind - at
            at = behind
            continue
        page = (words[position] >> 12) & pages
        region = regions[region_of(regions, context[REGIONS], context[REGIONS_END], page)]
        if trace:
            guest, host = counts[GUEST, 1:].sum(), counts[HOST, 1:].sum()
        cycles = walk(
            page, context, region, facts, keys, rows, counts, starts, each, lines, caches,
            frames, used,
        )  # fmt: skip
        total[0] += cycles
        if trace:
            guest_out[position] = counts[GUEST, 1:].sum() - guest
            host_out[position] = counts[HOST, 1:].sum() - host
            cycles_out[position] = cycles
        at += 1
    return at, flushed
