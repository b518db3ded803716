"""Where each page that was ever touched has its entry: regions of 64 pages, found by hashing.

Neighbours are neighbours here too, so a table over a dense space is small and read in order.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.mmu.bits import bucket
from virtperf.mmu.compiling import compiled, entry

REGION = 64
"""Pages of a region."""
_SHIFT = np.uint64(6)
_NONE = np.uint64(2**64 - 1)  # no region: page numbers have 52 bits


def empty(capacity: int) -> NDArray[np.uint64]:
    """Return a table for regions, at most half full of `capacity` of them, a power of two."""
    table = np.empty((2 * capacity, 2), dtype=np.uint64)  # the region, and its number
    table[:, 0] = _NONE
    return table


def drop_of(table: NDArray[np.uint64]) -> np.uint64:
    """Return what `virtperf.mmu.bits.bucket` must know of a table's size."""
    return np.uint64(65 - len(table).bit_length())


@compiled
def number_of(region: Any, table: Any, drop: Any, known: Any) -> Any:
    """Return the number of a region, which is `known`, the next one, if it is new."""
    place = bucket(region, drop)
    while table[place, 0] != region:
        if table[place, 0] == _NONE:
            table[place, 0] = region
            table[place, 1] = np.uint64(known)
            return known
        place += 1
        if place == len(table):
            place = 0
    return np.int64(table[place, 1])


@compiled
def entry_of(page: Any, table: Any, drop: Any, known: Any) -> Any:
    """Return the entry of a page; it is beyond those of `known` regions if its own is new."""
    return number_of(page >> _SHIFT, table, drop, known) * REGION + np.int64(
        page & np.uint64(REGION - 1)
    )


def doubled(table: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the same regions in a table for twice as many."""
    larger = empty(len(table))
    _move(table, larger, drop_of(larger))
    return larger


@entry
def _move(old: Any, new: Any, drop: Any) -> None:
    """Put the regions of one table into an empty one."""
    for place in range(len(old)):
        if old[place, 0] != _NONE:
            number_of(old[place, 0], new, drop, np.int64(old[place, 1]))
