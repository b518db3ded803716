"""The first stage: accesses through the TLBs. What misses all of them is left for the walks.

Levels are gone through one by one, each with some thousand look-ups at a time: what a level does
depends only on the order in which it is asked.
"""

from typing import Any

from virtperf.mmu.compiling import compiled, entry, inlined
from virtperf.mmu.forgetting import clear
from virtperf.mmu.layout import ENTRY_PAGE, REGIONS, REGIONS_END
from virtperf.mmu.runs import look_ups
from virtperf.mmu.sifting import sift, sift_all


@inlined
def mark(levels_out: Any, level: int, misses: Any, missed: int, count: int) -> None:
    """Write down, if that is asked for, that look-ups have come to a level."""
    if len(levels_out) > 0:
        for at in range(missed, missed + count):
            levels_out[misses[at]] = level


@compiled
def go_down(
    context: Any, regions: Any, misses: Any, missed: int, wanted: Any, count: int, keys: Any,
    shape: Any, route: Any, hits: Any, evictions: Any, levels_out: Any,
) -> int:  # fmt: skip
    """Send look-ups down the levels; return how many no level has."""
    only = context[REGIONS]
    several, code = context[REGIONS_END] - only > 1, regions[only, ENTRY_PAGE]
    for level in range(len(route)):
        mark(levels_out, level, misses, missed, count)
        if several or route[level, code, 0] > 1:
            left = sift_all(level, misses, missed, wanted, count, keys, shape, route, evictions)
        elif route[level, code, 0] == 1:
            one = route[level, code, 1]
            left = sift(one, misses, missed, wanted, count, keys, shape, evictions)
        else:
            left = count
        hits[level] += count - left
        count = left
    mark(levels_out, len(route), misses, missed, count)
    hits[len(route)] += count
    return count


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
    wanted: Any,
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
        while low < high and stopped[0] < 0:
            count, behind = look_ups(
                words, low, high, bits, context, regions, misses, missed, wanted, stopped
            )
            hits[0] += behind - low - count
            missed += go_down(
                context, regions, misses, missed, wanted, count, keys, shape, route, hits,
                evictions, levels_out,
            )  # fmt: skip
            low = behind
            if room - missed < len(wanted):
                return missed, low
    return missed, len(words)
