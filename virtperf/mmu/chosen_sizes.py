"""The misses of some sizes of a fully associative LRU TLB, counted in one pass over one list.

The list holds the pages of the largest size, in the order of their last use. A marker stands at the
last page of each size; a page knows between which two markers it is, so a hit knows which sizes
miss. What moves to the front pushes the page at each marker it passes over it: a step per marker,
and none for the pages between.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.errors import ParameterError
from virtperf.mmu.bits import bucket
from virtperf.mmu.chunks import Words, chunks_of
from virtperf.mmu.compiling import compiled, entry
from virtperf.stream.words import PAGE_BYTES, shift_of

_BEFORE, _AFTER, _CHAIN, _BETWEEN = range(4)  # of a place in the list: four numbers, 16 bytes
_FIRST, _LAST = range(2)  # of the ends
_NOBODY = -1
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
    places = np.empty((most, 4), dtype=np.int32)
    places[:, _BEFORE] = np.arange(most) - 1
    places[:, _AFTER] = np.arange(most) + 1
    places[:, _CHAIN] = _NOBODY
    places[:, _BETWEEN] = np.searchsorted(sizes, np.arange(most) + 1)
    state = (
        np.full(most, _NO_PAGE),  # the list is full from the start, of pages nobody touches
        places,
        np.full(buckets, _NOBODY, dtype=np.int32),
        np.uint64(65 - buckets.bit_length()),
        np.array(sizes, dtype=np.int32) - 1,
        np.array([0, most - 1], dtype=np.int64),
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
    heads: Any,
    drop: Any,
    markers: Any,
    ends: Any,
    hits: Any,
) -> None:
    """Count accesses by the markers between which they hit."""
    largest = len(markers) - 1
    first, last = ends[_FIRST], ends[_LAST]
    for at in range(len(words)):
        page = words[at] >> shift
        if page == pages[first]:
            hits[0] += 1
            continue
        place = np.int64(heads[bucket(page, drop)])
        while place != _NOBODY and pages[place] != page:
            place = np.int64(places[place, _CHAIN])
        if place == _NOBODY:
            hits[largest + 1] += 1
            place, passed = last, np.int64(largest)
            _replace(page, place, pages, places, heads, drop)
        else:
            passed = np.int64(places[place, _BETWEEN])
            hits[passed] += 1
        if place == first:  # of a TLB of one entry
            continue
        before = places[place, _BEFORE]
        if place == markers[passed]:
            markers[passed] = before
        if place == last:
            last = np.int64(before)
        else:
            after = places[place, _AFTER]
            places[before, _AFTER] = after
            places[after, _BEFORE] = before
        places[first, _BEFORE] = place
        places[place, _AFTER] = first
        first = place
        for size in range(passed):
            pushed = markers[size]
            places[pushed, _BETWEEN] = size + 1
            markers[size] = places[pushed, _BEFORE]
        places[place, _BETWEEN] = 0
    ends[_FIRST], ends[_LAST] = first, last


@compiled
def _replace(page: Any, place: Any, pages: Any, places: Any, heads: Any, drop: Any) -> None:
    """Let a place be found by another page than before."""
    if pages[place] != _NO_PAGE:
        old = bucket(pages[place], drop)
        link = np.int64(heads[old])
        if link == place:
            heads[old] = places[place, _CHAIN]
        else:
            while places[link, _CHAIN] != place:
                link = np.int64(places[link, _CHAIN])
            places[link, _CHAIN] = places[place, _CHAIN]
    new = bucket(page, drop)
    pages[place] = page
    places[place, _CHAIN] = heads[new]
    heads[new] = place
