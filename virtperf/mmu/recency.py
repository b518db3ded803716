"""The order in which pages were last touched, and how many were touched since: stack distances.

Each access takes the next *slot*; a page's slot is live until the page is touched again. So the
distance of an access is the number of live slots from the page's own one on. Live slots are bits;
512 of them are a block, and a tree holds how many live ones are right of each block. The last
block is *open*: its number is kept apart, and goes into the tree when the block is full. When all
slots are used up, the live ones move together.

References
----------
.. [1] R. Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2),
   1970: stack distances, and why one pass gives the misses of every size.
.. [2] B. Bennett, V. Kruskal, "LRU stack processing", IBM J. Research and Development 19(4), 1975:
   a tree over slots, and moving the live ones together.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.mmu.bits import bit, population
from virtperf.mmu.compiling import compiled, entry

BLOCK = 512
"""Slots of a block: eight words, which are one line of a processor's cache."""
NOW, OPEN = 0, 1
"""Places in the state: the next slot, and how many of the open block are live."""
_SHIFT = 9
_ALL = np.uint64(2**64 - 1)


@compiled
def take_slots(
    count: Any, entries: Any, last: Any, live: Any, state: Any, nodes: Any, far: Any
) -> None:
    """Give the next slots to `count` accesses of the open block.

    Afterwards `far` has what their distances have of the page's own block and of the open one, 0
    for a page not seen before, and `nodes` the leaf of the tree from which to count on, or 0.
    """
    now, opened = state[NOW], state[OPEN]
    current, leaves = now >> _SHIFT, len(live) >> 3
    for at in range(count):
        slot = np.int64(last[entries[at]]) - 1
        last[entries[at]] = now + 1
        node, distance = np.int64(0), np.int64(0)
        if slot >= 0:
            distance = _from_on(live, slot)
            live[slot >> 6] ^= bit(slot)
            if slot >> _SHIFT == current:
                opened -= 1
            else:
                distance += opened
                node = (slot >> _SHIFT) + leaves
        nodes[at] = node
        far[at] = distance
        live[now >> 6] |= bit(now)
        now += 1
        opened += 1
    state[NOW], state[OPEN] = now, opened


@compiled
def _from_on(live: Any, slot: Any) -> Any:
    """Count the live slots of a block from one on; a branch would often be mispredicted."""
    word, first = slot >> 6, (slot >> _SHIFT) << 3
    place = word & 7
    count = population(live[word] >> np.uint64(slot & 63))
    count += population(live[first + 1]) & -np.int64(place < 1)
    count += population(live[first + 2]) & -np.int64(place < 2)
    count += population(live[first + 3]) & -np.int64(place < 3)
    count += population(live[first + 4]) & -np.int64(place < 4)
    count += population(live[first + 5]) & -np.int64(place < 5)
    count += population(live[first + 6]) & -np.int64(place < 6)
    count += population(live[first + 7]) & -np.int64(place < 7)
    return count


@compiled
def count_right(count: Any, right: Any, nodes: Any, far: Any) -> None:
    """Add to distances what is live right of their leaves, and take these pages out of the tree.

    ``right[n]`` is what is live under the right child of node n; leaves are numbered from
    ``len(right)`` on, and have no place of their own.
    """
    for at in range(count):
        node, distance = nodes[at], far[at]
        while node > 1:
            is_right = node & 1
            node >>= 1
            below = right[node]
            distance += below & (is_right - 1)
            right[node] = below - is_right
        far[at] = distance


@compiled
def close(right: Any, state: Any) -> None:
    """Put the block into the tree that has just become full."""
    node = ((state[NOW] - 1) >> _SHIFT) + len(right)
    while node > 1:
        is_right = node & 1
        node >>= 1
        right[node] += state[OPEN] * is_right
    state[OPEN] = 0


def move_together(
    last: NDArray[np.int32],
    live: NDArray[np.uint64],
    right: NDArray[np.int64],
    state: NDArray[np.int64],
) -> None:
    """Let live slots have the lowest numbers, in their order, and build the tree anew."""
    counts = np.bitwise_count(live).astype(np.int32)
    before = np.cumsum(counts, dtype=np.int32) - counts
    _renumber(last, live, before)
    total = int(counts.sum())
    full, rest = divmod(total, 64)
    live[:] = 0
    live[:full] = _ALL
    if rest:
        live[full] = (1 << rest) - 1
    _tree(right, total // BLOCK)
    state[NOW], state[OPEN] = total, total % BLOCK


@entry
def _renumber(last: Any, live: Any, before: Any) -> None:
    """Give each live slot the number of live ones below it; `before` has those of lower words."""
    for at in range(len(last)):
        slot = np.int64(last[at]) - 1
        if slot >= 0:
            lower = population(live[slot >> 6] & (bit(slot) - np.uint64(1)))
            last[at] = before[slot >> 6] + lower + 1


def _tree(right: NDArray[np.int64], full: int) -> None:
    """Fill the tree for so many full blocks, with none live in the others."""
    leaves = len(right)
    below = np.where(np.arange(leaves) < full, BLOCK, 0)
    while len(below) > 1:  # from the leaves up, a level at a time
        half = len(below) // 2
        right[half : 2 * half] = below[1::2]
        below = below[::2] + below[1::2]
