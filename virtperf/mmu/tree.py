"""Sets under tree pseudo-LRU in a flat array: their keys in the order misses would replace them.

The state of the tree is in the order alone. A node sends one miss to each of its children in turn.
So of the places of a set, counted from the last used, every second one (every third under a root of
three children) is below the same child of the root, and among these the same holds for the node
there. That a child becomes the one used last moves what is below the node round by as many places
as this child was away from being it.

Three times a power of two has a root of three children; all other nodes have two.
"""

from typing import Any

import numpy as np

from virtperf.mmu.compiling import inlined


@inlined
def place_for(keys: Any, start: Any, ways: int, key: int) -> Any:
    """Return where in its set a key is, or else the place it has to take.

    That is the place nearest to the end without a key (these are negative), or the last one.
    """
    found: Any = False
    room: Any = np.uint64(ways - 1)
    at = room
    for way in range(np.uint64(ways)):
        here = keys[start + way]
        if here == key:
            at, found = way, True
        if here < 0:
            room = way
    return at if found else room


@inlined
def use(keys: Any, start: Any, ways: int, at: Any) -> None:
    """Bring the key at a place in front: node by node from the root, if it is not there yet."""
    place, step, end = np.int64(at), 1, start + np.uint64(ways)
    if ways % 3 == 0:
        if place % 3:
            _go_round(keys, start, ways, place % 3)
        place, step = place // 3, 3
    while step < ways:
        if place & 1:
            far, stride = np.uint64(step), np.uint64(2 * step)
            for near in range(start, end, stride):
                keys[near], keys[near + far] = keys[near + far], keys[near]
        place >>= 1
        step *= 2


@inlined
def _go_round(keys: Any, start: Any, ways: int, away: Any) -> None:
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    for near in range(start, start + np.uint64(ways), three):
        first, second, third = keys[near], keys[near + one], keys[near + two]
        if away == 1:
            keys[near], keys[near + one], keys[near + two] = second, third, first
        else:
            keys[near], keys[near + one], keys[near + two] = third, first, second
