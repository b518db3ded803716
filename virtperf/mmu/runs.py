"""Where a stream comes to another page: only there are the TLBs asked.

The accesses behind find the page's entry where it was: in the first level, which holds all page
sizes that occur, and in front, where there is an order.
"""

from typing import Any

import numpy as np

from virtperf.mmu.bits import lowest
from virtperf.mmu.compiling import compiled, inlined
from virtperf.mmu.layout import ENTRY_PAGE, REGIONS, REGIONS_END
from virtperf.mmu.one_by_one import LANES
from virtperf.mmu.regions import first_key, region_of
from virtperf.mmu.vectors import fetch, one_page, page_changes

_ONE, _LANES = np.uint64(1), np.uint64(LANES)
_AHEAD = np.uint64(2048)
"""How far ahead words are fetched: 16 KB. By itself a processor goes no further than a page."""


@compiled
def look_ups(
    words: Any, start: int, stop: int, bits: int, context: Any, regions: Any, places: Any,
    first: int, wanted: Any, stopped: Any,
) -> tuple[int, int]:  # fmt: skip
    """Put down where something is looked up, in `places` from `first` on, and its keys anew.

    Return how many, and how far that came: it ends before `wanted` is full. An address that is not
    canonical ends it too.
    """
    low, high = context[REGIONS], context[REGIONS_END]
    code = regions[low, ENTRY_PAGE] if high - low == 1 else 0
    pages = -1 << (12 + 9 * code)
    made, behind = run_starts(words, start, stop, pages, places, first, len(wanted))
    count = put_keys(words, places, first, made, bits, context, regions, wanted)
    if count < made:
        stopped[0] = behind = places[first + count]
    return count, behind


@compiled
def run_starts(
    words: Any, start: int, stop: int, pages: int, places: Any, first: int, most: int
) -> Any:
    """Put down, in `places` from `first` on, where runs of one page start: at most `most`.

    Return how many, and how far that came. Pages differ in a bit of `pages`. The access at `start`
    starts a run whatever the one before it was.
    """
    at, end, place = np.uint64(start), np.uint64(stop), np.uint64(first)
    last = place + np.uint64(most - LANES)
    places[place] = at
    at, place = at + _ONE, place + _ONE
    while at + _LANES <= end and place <= last:
        fetch(words, at + _AHEAD)
        if not one_page(words, at, words[at - _ONE], pages):
            place = _put_places(at, page_changes(words, at, pages), places, place)
        at += _LANES
    if place <= last:
        while at < end:  # what starts no run is written over
            places[place] = at
            place += np.uint64((words[at] ^ words[at - _ONE]) & pages != 0)
            at += _ONE
    return np.int64(place) - first, np.int64(at)


@inlined
def _put_places(at: Any, changed: Any, places: Any, place: Any) -> Any:
    """Put down the places of bits, from `place` on; return the place behind."""
    if changed == -1:
        for lane in range(_LANES):
            places[place + lane] = at + lane
        return place + _LANES
    while changed != 0:
        places[place] = at + lowest(changed)
        place += _ONE
        changed &= changed - 1
    return place


@compiled
def put_keys(
    words: Any, places: Any, first: int, count: int, bits: int, context: Any, regions: Any,
    wanted: Any,
) -> Any:  # fmt: skip
    """Put down which keys accesses look for; return how many come before a foreign address."""
    low, high, small = context[REGIONS], context[REGIONS_END], (1 << (bits - 12)) - 1
    begin, strange, code = np.uint64(first), False, regions[low, ENTRY_PAGE]
    base, shift, mask = first_key(context, regions[low]), 12 + 9 * code, small >> (9 * code)
    for at in range(np.uint64(count)):
        word = words[places[begin + at]]
        strange |= foreign(word, bits)
        if high - low > 1:
            wanted[at] = key_of((word >> 12) & small, context, regions, low, high)
        else:
            wanted[at] = base | ((word >> shift) & mask) << 2
    if strange:
        for at in range(np.uint64(count)):
            if foreign(words[places[begin + at]], bits):
                return np.int64(at)
    return count


@inlined
def key_of(page: int, context: Any, regions: Any, low: int, high: int) -> int:
    """Return the key of a page where there are several regions."""
    region = regions[region_of(regions, low, high, page)]
    return first_key(context, region) | (page >> (9 * region[ENTRY_PAGE])) << 2


@inlined
def foreign(word: int, bits: int) -> Any:
    """Return whether an address is not canonical: the bits above do not copy the topmost one."""
    return np.uint64(word + (1 << (bits - 1))) >= np.uint64(1 << bits)
