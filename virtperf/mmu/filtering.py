"""The first stage: accesses through the TLBs. What misses all of them is left for the walks."""

from typing import Any

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
from virtperf.mmu.sets import EMPTY, HIT, touch


@entry
def first_foreign(words: Any, bits: int) -> int:
    """Return where the first address stands that is not canonical, or -1."""
    wrong = 0
    for at in range(len(words)):
        above = words[at] >> (bits - 1)  # 0 or -1 if it copies the topmost bit
        wrong |= above ^ (above >> 1)
    if wrong == 0:
        return -1
    for at in range(len(words)):
        above = words[at] >> (bits - 1)
        if above != 0 and above != -1:
            return at
    return -1


@inlined
def set_start(shape: Any, one: int, page: int) -> int:
    """Return where the set of a page number starts in a structure."""
    mask = shape[one, MASK]
    if shape[one, FOLD] > 0:
        row = (page ^ (page >> shape[one, FOLD])) & mask
    elif mask >= 0:
        row = page & mask
    else:
        row = page % shape[one, SETS]
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
            found = touch(
                keys, set_start(shape, one, page), shape[one, WAYS], key, shape[one, FIFO]
            )
            if found == HIT:
                return level
            evictions[one] += found
        level += 1
    return level


@compiled
def of_one_size(
    words: Any,
    start: int,
    stop: int,
    pages: int,
    tag: int,
    code: int,
    keys: Any,
    shape: Any,
    route: Any,
    hits: Any,
    evictions: Any,
    levels_out: Any,
    misses: Any,
    missed: int,
) -> int:
    """Look up neighbouring accesses of one tag and page size: nothing of that is asked again."""
    levels, shift = route.shape[0], 12 + 9 * code
    mask = pages >> (9 * code)
    base = (tag << TAG_SHIFT) | code
    trace = len(levels_out) > 0
    last, again = EMPTY, 0
    for at in range(start, stop):
        page = (words[at] >> shift) & mask
        key = base | (page << 2)
        if key == last:  # it is where it was
            again += 1
            continue
        last = key
        level = look_up(0, code, page, key, keys, shape, route, evictions)
        hits[level] += 1
        if trace:
            levels_out[at] = level
        if level == levels:
            misses[missed] = at
            missed += 1
    hits[0] += again
    return missed


@compiled
def of_many_sizes(
    words: Any,
    start: int,
    stop: int,
    pages: int,
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
) -> int:
    """Look up neighbouring accesses of one context, asking for the region of each."""
    levels = route.shape[0]
    for at in range(start, stop):
        small = (words[at] >> 12) & pages
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
    stop: int,
    pages: int,
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
) -> int:
    """Send accesses `start` to `stop` through the TLBs; return how many missed, and which.

    Segment s is the accesses from begins[s] to begins[s + 1], all of one context; before the first
    of them comes its flush, a row of `doomed` by tag, or none (-1). `pages` masks the bits of page
    numbers.
    """
    missed = 0
    for segment in range(len(segment_contexts)):
        low, high = max(start, begins[segment]), min(stop, begins[segment + 1])
        if low >= high:
            continue
        if segment_flushes[segment] >= 0 and begins[segment] >= start:
            clear(keys, shape, doomed[segment_flushes[segment]])
        context = contexts[segment_contexts[segment]]
        region = context[REGIONS]
        if context[REGIONS_END] - region == 1 and not regions[region, IS_GLOBAL]:
            missed = of_one_size(
                words, low, high, pages, context[TAG], regions[region, ENTRY_PAGE],
                keys, shape, route, hits, evictions, levels_out, misses, missed,
            )  # fmt: skip
        else:
            missed = of_many_sizes(
                words, low, high, pages, context, regions,
                keys, shape, route, hits, evictions, levels_out, misses, missed,
            )  # fmt: skip
    return missed
