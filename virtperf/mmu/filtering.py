"""The first stage: accesses through the TLBs. What misses all of them is left for the walks."""

from typing import Any

import numpy as np

from virtperf.mmu.compiling import compiled, entry, inlined
from virtperf.mmu.forgetting import clear
from virtperf.mmu.layout import (
    ENTRY_PAGE,
    FIFO,
    FIRST,
    FOLD,
    GLOBAL_TAG,
    IS_GLOBAL,
    MASK,
    REGIONS,
    REGIONS_END,
    SETS,
    START,
    TAG,
    TAG_SHIFT,
    WAYS,
)
from virtperf.mmu.sets import HIT, touch_often


@inlined
def foreign(word: int, bits: int) -> bool:
    """Return whether an address is not canonical: the bits above do not copy the topmost one."""
    return (word + (1 << (bits - 1))) >> bits != 0


@inlined
def row_of(page: int, sets: int, fold: int, mask: int) -> int:
    """Return the set of a page number; `mask` is -1 unless the sets are a power of two."""
    if fold > 0:
        return (page ^ (page >> fold)) & mask
    if mask >= 0:
        return page & mask
    return page % sets


@inlined
def set_start(shape: Any, one: int, page: int) -> int:
    """Return where the set of a page number starts in a structure."""
    row = row_of(page, shape[one, SETS], shape[one, FOLD], shape[one, MASK])
    return shape[one, FIRST] + row * shape[one, WAYS]


@inlined
def region_of(regions: Any, low: int, high: int, page: int) -> int:
    """Return the row of the region a page lies in: the last one that starts before it."""
    while high - low > 1:
        middle = (low + high) >> 1
        if regions[middle, START] <= page:
            low = middle
        else:
            high = middle
    return low


@inlined
def look_up(
    level: int, code: int, page: int, key: int, keys: Any, shape: Any, route: Any, evictions: Any
) -> int:
    """Go down from `level` until one has the key, filling those that have not; return which."""
    levels = route.shape[0]
    while level < levels:
        holders = route[level, code, 0]
        if holders > 0:
            one = route[level, code, 1]
            if holders > 1:
                one = route[level, code, 1 + page // shape[one, SETS] % holders]
            found = touch_often(
                keys, set_start(shape, one, page), shape[one, WAYS], key, shape[one, FIFO]
            )
            if found == HIT:
                return level
            evictions[one] += found
        level += 1
    return level


@inlined
def end_of_run(words: Any, start: int, stop: int, like: int, shift: int) -> int:
    """Return where accesses to one page end, looking at eight at a time while that is enough."""
    at = np.uint64(start)
    end, step, one = np.uint64(stop), np.uint64(8), np.uint64(1)
    if at >= end or (words[at] ^ like) >> shift != 0:
        return start
    while at + step <= end:
        mixed = 0
        for next_ in range(at, at + step):
            mixed |= words[next_] ^ like
        if mixed >> shift != 0:
            break
        at += step
    while at < end and (words[at] ^ like) >> shift == 0:
        at += one
    return np.int64(at)  # type: ignore[return-value]


@inlined
def neighbours(
    words: Any, start: int, stop: int, bits: int, base: int, code: int, one: int, ways: int,
    fold: int, low: int, fifo: int, trace: bool, keys: Any, shape: Any, route: Any, hits: Any,
    evictions: Any, levels_out: Any, misses: Any, missed: int, stopped: Any,
) -> int:  # fmt: skip
    """Look up neighbouring accesses of one tag and page size in first-level structure `one`.

    What is a constant where this is called is one in the code that is made of it.
    """
    levels, shift = route.shape[0], 12 + 9 * code
    mask = ((1 << (bits - 12)) - 1) >> (9 * code)
    first, sets = shape[one, FIRST], shape[one, SETS]
    at, deeper, before, evicted = start, 0, missed, 0
    while at < stop:
        word = words[at]
        if foreign(word, bits):
            stopped[0] = at
            break
        page = (word >> shift) & mask
        key = base | (page << 2)
        row = first + row_of(page, sets, fold, low) * ways
        level, found = 0, touch_often(keys, row, ways, key, fifo)
        if found != HIT:
            evicted += found
            level = look_up(1, code, page, key, keys, shape, route, evictions)
            if level == levels:
                misses[missed] = at
                missed += 1
            else:
                hits[level] += 1
                deeper += 1
        if trace:
            levels_out[at] = level
        at = end_of_run(words, at + 1, stop, word, shift)  # its entry is where it was
    hits[0] += at - start - deeper - (missed - before)
    hits[levels] += missed - before
    evictions[one] += evicted
    return missed


@compiled
def of_one_size(
    words: Any, start: int, stop: int, bits: int, tag: int, code: int, keys: Any, shape: Any,
    route: Any, hits: Any, evictions: Any, levels_out: Any, misses: Any, missed: int, stopped: Any,
) -> int:  # fmt: skip
    """Look up neighbouring accesses of one tag and page size: nothing of that is asked again.

    First levels of 4 ways, as most processors have, get code of their own.
    """
    base, one = (tag << TAG_SHIFT) | code, route[0, code, 1]
    ways, fold, low, fifo = shape[one, WAYS], shape[one, FOLD], shape[one, MASK], shape[one, FIFO]
    trace = len(levels_out) > 0
    if ways == 4 and low >= 0 and fold == 0 and fifo == 0 and not trace:
        return neighbours(
            words, start, stop, bits, base, code, one, 4, 0, low, 0, False, keys, shape,
            route, hits, evictions, levels_out, misses, missed, stopped,
        )  # fmt: skip
    return neighbours(
        words, start, stop, bits, base, code, one, ways, fold, low, fifo, trace, keys, shape,
        route, hits, evictions, levels_out, misses, missed, stopped,
    )  # fmt: skip


@compiled
def of_many_sizes(
    words: Any,
    start: int,
    stop: int,
    bits: int,
    context: Any,
    regions: Any,
    keys: Any,
    shape: Any,
    route: Any,
    hits: Any,
    evictions: Any,
    levels_out: Any,
    misses: Any,
    missed: int,
    stopped: Any,
) -> int:
    """Look up neighbouring accesses of one context, asking for the region of each."""
    levels = route.shape[0]
    for at in range(start, stop):
        if foreign(words[at], bits):
            stopped[0] = at
            break
        small = (words[at] >> 12) & ((1 << (bits - 12)) - 1)
        region = region_of(regions, context[REGIONS], context[REGIONS_END], small)
        code = regions[region, ENTRY_PAGE]
        tag = context[GLOBAL_TAG] if regions[region, IS_GLOBAL] else context[TAG]
        page = small >> (9 * code)
        key = (tag << TAG_SHIFT) | (page << 2) | code
        level = look_up(0, code, page, key, keys, shape, route, evictions)
        hits[level] += 1
        if len(levels_out) > 0:
            levels_out[at] = level
        if level == levels:
            misses[missed] = at
            missed += 1
    return missed


@entry
def filter_accesses(
    words: Any,
    start: int,
    bits: int,
    begins: Any,
    segment_contexts: Any,
    segment_flushes: Any,
    contexts: Any,
    regions: Any,
    doomed: Any,
    keys: Any,
    shape: Any,
    route: Any,
    hits: Any,
    evictions: Any,
    levels_out: Any,
    misses: Any,
    stopped: Any,
) -> tuple[int, int]:
    """Send accesses through the TLBs, from `start` until `misses` is nearly full.

    Return how many missed, and how far that came.

    Segment s is the accesses from begins[s] to begins[s + 1], all of one context; before the first
    of them comes its flush, a row of `doomed` by tag, or none (-1). An address that is not
    canonical in `bits` bits ends it: `stopped` says where.
    """
    missed, room = 0, len(misses)
    for segment in range(len(segment_contexts)):
        low, high = max(start, begins[segment]), begins[segment + 1]
        if low >= high or stopped[0] >= 0:
            continue
        if segment_flushes[segment] >= 0 and begins[segment] >= start:
            clear(keys, shape, doomed[segment_flushes[segment]])
        context = contexts[segment_contexts[segment]]
        region = context[REGIONS]
        plain = context[REGIONS_END] - region == 1 and not regions[region, IS_GLOBAL]
        plain = plain and route[0, regions[region, ENTRY_PAGE], 0] == 1
        while low < high and stopped[0] < 0:
            stop = min(high, low + room - missed)
            if plain:
                missed = of_one_size(
                    words, low, stop, bits, context[TAG], regions[region, ENTRY_PAGE],
                    keys, shape, route, hits, evictions, levels_out, misses, missed, stopped,
                )  # fmt: skip
            else:
                missed = of_many_sizes(
                    words, low, stop, bits, context, regions,
                    keys, shape, route, hits, evictions, levels_out, misses, missed, stopped,
                )  # fmt: skip
            low = stop
            if room - missed < room >> 3:
                return missed, low
    return missed, len(words)
