"""The misses of every associativity of a number of sets, counted in one pass.

With true LRU and a fixed set for each page, a TLB of w ways holds the w pages of a set touched
last, whatever w is. So one table whose sets are in the order of use gives the place of each hit,
and the places give the misses of each number of ways.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.errors import ParameterError
from virtperf.mmu.chunks import Words, chunks_of
from virtperf.mmu.compiling import entry
from virtperf.stream.words import PAGE_BYTES, shift_of

_NO_PAGE = np.uint64(2**64 - 1)


def misses_of_every_associativity(
    words: Words, *, sets: int, ways: int, page_bytes: int = PAGE_BYTES
) -> NDArray[np.int64]:
    """Count the misses of LRU TLBs with a number of sets, and each number of ways up to one.

    Parameters
    ----------
    words : array of uint64, or iterable of such chunks
        Accesses.
    sets : int
        Number of sets, at least 1 and no need to be a power of two; a page's set is its number
        modulo `sets`.
    ways : int
        The most ways to consider, at least 1. What a miss costs here grows with it.
    page_bytes : int
        Size of a page, a power of two of at least 4,096.

    Returns
    -------
    array of int64
        Misses with 1 way, 2 ways and so on up to `ways`.

    Raises
    ------
    ParameterError
        If one of the numbers cannot be.

    Examples
    --------
    >>> from virtperf.stream import Strided, generate
    >>> ring = Strided(footprint_bytes=6 * 4096, stride_bytes=4096)
    >>> misses_of_every_associativity(generate(ring, 60, seed=1), sets=2, ways=4).tolist()
    [60, 60, 6, 6]
    """
    shift = shift_of(page_bytes)
    for field, value in (("sets", sets), ("ways", ways)):
        if not 1 <= value <= 1 << 24:
            must = "a whole number from 1 to 2**24"
            raise ParameterError("misses_of_every_associativity", field, must, value)
    pages = np.full((sets, ways), _NO_PAGE)
    hits = np.zeros(ways + 1, dtype=np.int64)  # the last: beyond the ways
    for chunk in chunks_of(words):
        _follow(chunk, shift, pages, hits)
    return int(hits.sum()) - np.cumsum(hits)[:-1]


@entry
def _follow(words: Any, shift: Any, pages: Any, hits: Any) -> None:
    """Count accesses by their place in their set."""
    sets, ways = pages.shape
    powers, mask = sets & (sets - 1) == 0, np.uint64(sets - 1)
    for at in range(len(words)):
        page = words[at] >> shift
        # a division takes ten times as long
        place = np.int64(page & mask) if powers else np.int64(page % np.uint64(sets))
        carried = page
        way = 0
        while way < ways:  # each page moves back by one, up to where this one was
            held = pages[place, way]
            pages[place, way] = carried
            if held == page:
                break
            carried = held
            way += 1
        hits[way] += 1
