"""The misses of some sizes of a fully associative LRU TLB, counted in one pass over one list.

The list holds the pages of the largest size, in the order of their last use. A marker stands at the
last page of each size. A hit is beyond the markers of pages that were used later than its own was,
so these sizes miss; and as it moves to the front, each of these markers moves by one page. That is
a step for each marker passed, and none for the pages between.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.errors import ParameterError
from virtperf.mmu.bits import unsigned_bucket
from virtperf.mmu.chunks import Words, chunks_of
from virtperf.mmu.compiling import compiled, entry, inlined
from virtperf.stream.words import PAGE_BYTES, shift_of

_BEFORE, _AFTER, _CHAIN = range(3)  # of a place in the list
_FIRST, _LAST, _NOW = range(3)  # of the ends, and the time of the next use
_0, _1 = np.uint64(0), np.uint64(1)
_NOBODY = np.uint64(2**32 - 1)
_NO_PAGE = np.uint64(2**64 - 1)


def misses_of_sizes(
    words: Words, sizes: Sequence[int], *, page_bytes: int = PAGE_BYTES
) -> NDArray[np.int64]:
    """Count the misses of fully associative LRU TLBs of some sizes.

    Exact, like `virtperf.mmu.every_size`, and quicker for few sizes: it works within the memory of
    the largest TLB, however many pages are touched. With one size, it is a plain simulation.

    Parameters
    ----------
    words : array of uint64, or iterable of such chunks
        Accesses.
    sizes : sequence of int
        Numbers of entries, each larger than the one before.
    page_bytes : int
        Size of a page, a power of two of at least 4,096.

    Returns
    -------
    array of int64
        Misses of each size.

    Raises
    ------
    ParameterError
        If the sizes are none, do not grow or are beyond 2**24, or if there is no such page size.

    Examples
    --------
    >>> from virtperf.stream import Strided, generate
    >>> ring = Strided(footprint_bytes=5 * 4096, stride_bytes=4096)
    >>> misses_of_sizes(generate(ring, 100, seed=1), [2, 4, 5, 6]).tolist()
    [100, 100, 5, 5]
    """
    shift = shift_of(page_bytes)
    ascending = all(a < b for a, b in zip([0, *sizes], sizes, strict=False))
    if not len(sizes) or not ascending or sizes[-1] > 1 << 24:
        must = "whole numbers from 1 to 2**24, each larger than the one before"
        raise ParameterError("misses_of_sizes", "sizes", must, list(sizes))
    most = int(sizes[-1])
    buckets = 1 << (4 * most - 1).bit_length()
    places = np.empty((most, 3), dtype=np.uint32)
    places[1:, _BEFORE] = np.arange(most - 1)
    places[0, _BEFORE] = _NOBODY
    places[:, _AFTER] = np.arange(most) + 1
    places[:, _CHAIN] = _NOBODY
    state = (
        np.full(most, _NO_PAGE),  # the list is full from the start, of pages nobody touches
        places,
        np.arange(most, dtype=np.int64)[::-1].copy(),
        np.full(buckets, _NOBODY, dtype=np.uint32),
        np.uint64(65 - buckets.bit_length()),
        np.array([size - 1 for size in sizes], dtype=np.uint32),
        np.array([0, most - 1, most], dtype=np.uint64),
    )
    hits = np.zeros(len(sizes) + 1, dtype=np.int64)  # the last: beyond the largest
    for chunk in chunks_of(words):
        _follow(chunk, shift, *state, hits)
    return int(hits.sum()) - np.cumsum(hits)[:-1]


@entry
def _follow(
    words: Any,
    shift: Any,
    pages: Any,
    places: Any,
    times: Any,
    heads: Any,
    drop: Any,
    markers: Any,
    ends: Any,
    hits: Any,
) -> None:
    """Count accesses by the markers between which they hit.

    Places are unsigned 64-bit numbers here: what may be negative would be looked at twice.
    """
    beyond = np.uint64(len(markers))
    first, last, now = ends[_FIRST], ends[_LAST], np.int64(ends[_NOW])
    for at in range(len(words)):
        page = words[at] >> shift
        if page == pages[first]:
            hits[0] += 1
            continue
        place = _find(page, pages, places, heads, drop)
        if place == _NOBODY:
            place = last
            _replace(page, place, pages, places, heads, drop)
            places[first, _BEFORE] = place
            passed = _pass_all(places, markers)
            hits[beyond] += 1
        else:
            places[first, _BEFORE] = place  # where a marker moves that stood at the first
            passed = _pass_later(times[place], places, times, markers)
            hits[passed] += 1
        before = places[place, _BEFORE]
        if place == markers[passed]:
            markers[passed] = before
        if place == last:
            last = np.uint64(before)
        else:
            after = places[place, _AFTER]
            places[np.uint64(before), _AFTER] = after
            places[np.uint64(after), _BEFORE] = before
        places[place, _AFTER] = first
        first = place
        times[place] = now
        now += 1
    ends[_FIRST], ends[_LAST], ends[_NOW] = first, last, np.uint64(now)


@inlined
def _find(page: Any, pages: Any, places: Any, heads: Any, drop: Any) -> Any:
    """Return the place of a page, or `_NOBODY`."""
    place = np.uint64(heads[unsigned_bucket(page, drop)])
    while place != _NOBODY and pages[place] != page:
        place = np.uint64(places[place, _CHAIN])
    return place


@inlined
def _pass_all(places: Any, markers: Any) -> Any:
    """Move each marker but the last by a page; return the number of the last."""
    largest, passed = np.uint64(len(markers) - 1), _0
    while passed < largest:
        markers[passed] = places[np.uint64(markers[passed]), _BEFORE]
        passed += _1
    return passed


@inlined
def _pass_later(used: Any, places: Any, times: Any, markers: Any) -> Any:
    """Move the markers of pages used later; return the number of the first that is not."""
    passed, marked = _0, np.uint64(markers[_0])
    while times[marked] > used:
        markers[passed] = places[marked, _BEFORE]
        passed += _1
        marked = np.uint64(markers[passed])
    return passed


@compiled
def _replace(page: Any, place: Any, pages: Any, places: Any, heads: Any, drop: Any) -> None:
    """Let a place be found by another page than before."""
    if pages[place] != _NO_PAGE:
        old = unsigned_bucket(pages[place], drop)
        link = np.uint64(heads[old])
        if link == place:
            heads[old] = places[place, _CHAIN]
        else:
            while places[link, _CHAIN] != place:
                link = np.uint64(places[link, _CHAIN])
            places[link, _CHAIN] = places[place, _CHAIN]
    new = unsigned_bucket(page, drop)
    pages[place] = page
    places[place, _CHAIN] = heads[new]
    heads[new] = place
