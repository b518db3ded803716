"""The misses of every size of a fully associative LRU TLB, counted in one pass."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.errors import ParameterError
from virtperf.mmu import page_index, recency
from virtperf.mmu.chunks import Words, chunks_of
from virtperf.mmu.compiling import compiled, entry
from virtperf.mmu.curve import MissCurve
from virtperf.mmu.recency import BLOCK, NOW
from virtperf.stream.words import PAGE_BYTES, shift_of

_REGIONS, _PREVIOUS = 2, 3  # places in the state, behind those of `recency`
_FEW = 1 << 15  # slots to begin with
_MOST = 1 << 30  # pages: their slots have numbers of 4 bytes


def misses_of_every_size(words: Words, *, page_bytes: int = PAGE_BYTES) -> MissCurve:
    """Count how often a fully associative LRU TLB misses, for every number of entries at once.

    It is exact: an access hits if its page is among the `entries` pages touched last. Memory grows
    with the pages that are touched, some 30 bytes each where they are dense, and not with the
    accesses.

    Parameters
    ----------
    words : array of uint64, or iterable of such chunks
        Accesses, for example of `virtperf.stream.read_trace`.
    page_bytes : int
        Size of a page, a power of two of at least 4,096.

    Raises
    ------
    ParameterError
        If there is no such page size, or more than 2**30 pages are touched.

    Examples
    --------
    >>> from virtperf.stream import Strided, generate
    >>> ring = Strided(footprint_bytes=5 * 4096, stride_bytes=4096)
    >>> curve = misses_of_every_size(generate(ring, 100, seed=1))
    >>> curve.misses(4), curve.misses(5), curve.cold
    (100, 5, 5)
    """
    counter = _Counter(shift_of(page_bytes))
    for chunk in chunks_of(words):
        counter.feed(chunk)
    return MissCurve(counter.histogram())


class _Counter:
    """Distances of accesses, counted as they come."""

    def __init__(self, shift: np.uint64) -> None:
        self._shift = shift
        self._state = np.array([0, 0, 0, -1], dtype=np.int64)
        self._scratch = np.zeros((3, BLOCK), dtype=np.int64)
        self._regions = page_index.empty(1 << 10)
        self._last = np.zeros(page_index.REGION << 10, dtype=np.int32)
        self._live = np.zeros(_FEW // 64, dtype=np.uint64)
        self._right = np.zeros(_FEW // BLOCK, dtype=np.int64)
        self._counts = np.zeros(_FEW + 1, dtype=np.int64)

    def histogram(self) -> NDArray[np.int64]:
        """Return the number of accesses of each distance; those to new pages stand at 0."""
        used = np.flatnonzero(self._counts)
        return self._counts[: int(used[-1]) + 1 if len(used) else 1].copy()

    def feed(self, words: NDArray[np.uint64]) -> None:
        """Count a chunk."""
        at = 0
        while at < len(words):
            self._make_room()
            at = _feed(
                words,
                at,
                self._shift,
                self._state,
                self._regions,
                page_index.drop_of(self._regions),
                self._last,
                self._live,
                self._right,
                self._counts,
                self._scratch,
            )

    def _make_room(self) -> None:
        """Make room for a block of accesses, all to new regions."""
        if int(self._state[_REGIONS]) + BLOCK > len(self._regions) // 2:
            self._regions = page_index.doubled(self._regions)
            self._last = _longer(self._last, 2 * len(self._last))
        slots = len(self._live) * 64
        if self._state[NOW] < slots:
            return
        pages = int(self._counts[0])
        if pages > slots // 2:  # or the live ones would have to move too often
            if pages > _MOST // 2:
                must = f"of at most {_MOST // 2} pages"
                raise ParameterError("misses_of_every_size", "words", must, pages)
            slots *= 2
            self._live = _longer(self._live, slots // 64)
            self._right = np.zeros(slots // BLOCK, dtype=np.int64)
            self._counts = _longer(self._counts, slots + 1)
        recency.move_together(self._last, self._live, self._right, self._state)


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    """Return a copy with zeros behind it, which take no memory before they are used."""
    longer = np.zeros(length, dtype=array.dtype)
    longer[: len(array)] = array
    return longer


@entry
def _feed(
    words: Any,
    at: Any,
    shift: Any,
    state: Any,
    regions: Any,
    drop: Any,
    last: Any,
    live: Any,
    right: Any,
    counts: Any,
    scratch: Any,
) -> Any:
    """Count accesses, a block at a time; return where it stops for want of room.

    Each block goes through loops of its own for pages, slots and tree: what they wait for is then
    fetched side by side.
    """
    entries, nodes, far = scratch[0], scratch[1], scratch[2]
    slots = len(live) * 64
    while at < len(words):
        if state[_REGIONS] + BLOCK > len(regions) // 2 or state[NOW] >= slots:
            break
        room = BLOCK - (state[NOW] & (BLOCK - 1))
        at, found = _pages(words, at, room, shift, state, counts, far)
        _locate(found, state, regions, drop, last, live, entries, far)
        recency.take_slots(found, entries, last, live, state, nodes, far)
        recency.count_right(found, right, nodes, far)
        for access in range(found):
            counts[far[access]] += 1
        if state[NOW] & (BLOCK - 1) == 0 and found:
            recency.close(right, state)
    return at


@compiled
def _pages(words: Any, at: Any, room: Any, shift: Any, state: Any, counts: Any, pages: Any) -> Any:
    """Return where it stops after `room` accesses, and the number of them that remain.

    An access to the page of the one before has the distance 1 and changes nothing.
    """
    previous = np.uint64(state[_PREVIOUS])
    found, same = 0, 0
    while at < len(words) and found < room:
        page = words[at] >> shift
        at += 1
        if page == previous:
            same += 1
            continue
        previous = page
        pages[found] = np.int64(page)
        found += 1
    counts[1] += same
    state[_PREVIOUS] = np.int64(previous)
    return at, found


@compiled
def _locate(
    found: Any,
    state: Any,
    regions: Any,
    drop: Any,
    last: Any,
    live: Any,
    entries: Any,
    far: Any,
) -> None:
    """Find the entries of pages, which are in `far`; it has nothing that matters afterwards."""
    known = state[_REGIONS]
    for access in range(found):
        place = page_index.entry_of(np.uint64(far[access]), regions, drop, known)
        known += place >= known * page_index.REGION
        entries[access] = place
    state[_REGIONS] = known
    # read now, side by side, what `take_slots` reads one after the other
    for access in range(found):
        far[access] = np.int64(last[entries[access]])
    for access in range(found):
        far[access] = np.int64(live[far[access] >> 6])
