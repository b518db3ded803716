"""The first level, and what of a stream is looked up there: the first access of each run to a page.

The others find its entry where it was: in the first level, which holds all page sizes that occur,
and in front, where there is an order.
"""

from typing import Any

import numpy as np

from virtperf.mmu.bits import lowest
from virtperf.mmu.compiling import compiled, inlined
from virtperf.mmu.layout import ENTRY_PAGE, REGIONS, REGIONS_END
from virtperf.mmu.regions import first_key, region_of
from virtperf.mmu.sifting import ask, ask_level, ask_usual, usual_facts, usual_ways
from virtperf.mmu.vectors import LANES, MANY, one_page, page_changes

_ONE, _LANES, _MANY = np.uint64(1), np.uint64(LANES), np.uint64(MANY)


@inlined
def foreign(word: int, bits: int) -> Any:
    """Return whether an address is not canonical: the bits above do not copy the topmost one."""
    return np.uint64(word + (1 << (bits - 1))) >= np.uint64(1 << bits)


@inlined
def skip_run(words: Any, at: Any, end: Any, pages: int) -> Any:
    """Return a place up to which all is of the page of the access before `at`."""
    like = words[at - _ONE]
    while at + _MANY <= end and one_page(words, at, like, pages):
        at += _MANY
    return at


@compiled
def first_level(
    words: Any, start: int, stop: int, bits: int, context: Any, regions: Any, misses: Any,
    missed: int, wanted: Any, stopped: Any, keys: Any, shape: Any, route: Any, evictions: Any,
) -> tuple[int, int]:  # fmt: skip
    """Send accesses through the first level; put down misses behind `missed`, their keys anew.

    Return how many, and how far that came: it ends before `wanted` is full. An address that is not
    canonical ends it too. Where all depends on a constant there is code of its own for each.
    """
    only = context[REGIONS]
    code = regions[only, ENTRY_PAGE]
    if context[REGIONS_END] - only > 1 or route[0, code, 0] > 1:
        return _first_level(
            words, start, stop, bits, context, regions, misses, missed, wanted, stopped,
            keys, shape, route, evictions, True, 0,
        )  # fmt: skip
    usual = usual_ways(shape, route[0, code, 1])
    if usual == 4:
        return _first_level(
            words, start, stop, bits, context, regions, misses, missed, wanted, stopped,
            keys, shape, route, evictions, False, 4,
        )  # fmt: skip
    if usual == 8:
        return _first_level(
            words, start, stop, bits, context, regions, misses, missed, wanted, stopped,
            keys, shape, route, evictions, False, 8,
        )  # fmt: skip
    if usual == 12:
        return _first_level(
            words, start, stop, bits, context, regions, misses, missed, wanted, stopped,
            keys, shape, route, evictions, False, 12,
        )  # fmt: skip
    return _first_level(
        words, start, stop, bits, context, regions, misses, missed, wanted, stopped,
        keys, shape, route, evictions, False, 0,
    )  # fmt: skip


@inlined
def _first_level(
    words: Any, start: int, stop: int, bits: int, context: Any, regions: Any, misses: Any,
    missed: int, wanted: Any, stopped: Any, keys: Any, shape: Any, route: Any, evictions: Any,
    several: bool, usual: int,
) -> Any:  # fmt: skip
    low, high = context[REGIONS], context[REGIONS_END]
    base, code = first_key(context, regions[low]), regions[low, ENTRY_PAGE]
    facts = usual_facts(shape, route[0, code, 1])
    one, small = route[0, code, 1], (1 << (bits - 12)) - 1
    shift, mask = 12 + 9 * code, small >> (9 * code)
    pages = -1 << (12 if several else shift)
    first, room = np.uint64(missed), np.uint64(len(wanted) - LANES)
    at, end, step = np.uint64(start), np.uint64(stop), _ONE
    changed: Any = 1
    count, filled = np.uint64(0), 0
    while True:
        while changed != 0:
            place = at + lowest(changed)
            word = words[place]
            if foreign(word, bits):
                stopped[0] = place
                at = end = place
                step = np.uint64(0)
                break
            if several:
                page = (word >> 12) & small
                region = region_of(regions, low, high, page)
                base, code = first_key(context, regions[region]), regions[region, ENTRY_PAGE]
                page >>= 9 * code
                key = base | (page << 2)
                found = ask_level(0, page, key, keys, shape, route, evictions)
            else:
                page = (word >> shift) & mask
                key = base | (page << 2)
                if usual:
                    found = ask_usual(facts, page, key, usual, keys)
                else:
                    found = ask(one, page, key, keys, shape)
                filled += found >> 1
            wanted[count] = key
            misses[first + count] = place
            count += np.uint64(found & 1)
            changed &= changed - 1
        at += step
        if at >= end or count > room:
            break
        if at + _LANES > end:
            changed, step = np.int64((words[at] ^ words[at - _ONE]) & pages != 0), _ONE
            continue
        changed, step = page_changes(words, at, pages), _LANES
        if changed == 0:
            at, step = skip_run(words, at + _LANES, end, pages), np.uint64(0)
    if not several:
        evictions[one] += np.int64(count) - filled
    return np.int64(count), np.int64(at)
