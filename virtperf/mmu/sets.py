"""Recency-ordered sets in a flat array: look up and fill in one pass.

A set is `ways` neighbouring words, the last used first, EMPTY behind what it holds. To put a key in
front moves all before its old place, or before the end, by one; the look-up is that same pass.
"""

from typing import Any

from virtperf.mmu.compiling import inlined

EMPTY = -1
HIT, FILLED, EVICTED = -1, 0, 1
"""What `touch` answers: there, taken in, taken in for another one."""


@inlined
def touch(keys: Any, first: int, ways: int, key: int, fifo: int) -> int:
    """Return whether `key` is in the set that starts at `first`; afterwards it is."""
    if keys[first] == key:
        return HIT
    if fifo:
        for at in range(first + 1, first + ways):
            if keys[at] == key:
                return HIT
    moving = keys[first]
    keys[first] = key
    for at in range(first + 1, first + ways):
        here = keys[at]
        keys[at] = moving
        if here == key:
            return HIT
        moving = here
    if moving == EMPTY:
        return FILLED
    return EVICTED
