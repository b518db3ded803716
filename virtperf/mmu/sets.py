"""Ordered sets in a flat array: look up and fill.

A set is `ways` neighbouring words, the next to be replaced last. Under LRU and FIFO EMPTY is behind
what it holds, and to put a key in front moves all before its old place, or before the end, by one.
Under pseudo-LRU EMPTY may be anywhere: see `tree`.

Positions are unsigned, because numba looks whether a signed one counts from the end.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.mmu.compiling import compiled, inlined
from virtperf.mmu.tree import place_for, use
from virtperf.mmu.vectors import put_first

EMPTY = -1
HIT, EVICTED, FILLED = 0, 1, 3
"""What `touch` answers: there, taken in for another one, taken in where there was room.

The lowest bit is a miss, and the next one a miss that has replaced nothing.
"""
POLICIES = ("lru", "fifo", "plru")
LRU, FIFO, PLRU = range(3)
_SMALL = 8  # ways up to which one pass that moves what it looks at is quicker than two


def empty(entries: int) -> NDArray[np.int64]:
    """Return sets of so many entries in all, with nothing in them."""
    made = np.empty(entries, np.int64)
    made.fill(EMPTY)  # quicker than np.full, where they are few
    return made


@inlined
def touch(keys: Any, first: int, ways: int, key: int, policy: int) -> int:
    """Return whether `key` is in the set that starts at `first`; afterwards it is."""
    start, end, one = np.uint64(first), np.uint64(first + ways), np.uint64(1)
    if keys[start] == key:
        return HIT
    if policy == PLRU:
        return _in_a_tree(keys, start, ways, key)
    if ways > _SMALL or policy == FIFO:
        return _in_two_passes(keys, start, end, key, policy)
    moving = keys[start]
    keys[start] = key
    for at in range(start + one, end):
        here = keys[at]
        keys[at] = moving
        if here == key:
            return HIT
        moving = here
    if moving == EMPTY:
        return FILLED
    return EVICTED


@inlined
def touch_at_once(keys: Any, first: int, ways: int, key: int) -> Any:
    """Do what `touch` does without a branch; `ways` is 4, 8 or 12, and a constant."""
    start = np.uint64(first)
    last = keys[start + np.uint64(ways - 1)]
    if ways == 4:
        found = put_first(keys, start, key, 4)
    elif ways == 8:
        found = put_first(keys, start, key, 8)
    else:
        found = put_first(keys, start, key, 12)
    missed = np.int64(not found)
    room = np.int64(np.uint64(last) >> np.uint64(63))  # EMPTY is negative, and nothing else is
    return missed | (room & missed) << 1


@inlined
def _in_two_passes(keys: Any, start: Any, end: Any, key: int, policy: int) -> int:
    """Look first, several keys at a time, for the look has no early end; then move."""
    one = np.uint64(1)
    found = False
    for at in range(start, end):
        found |= keys[at] == key
    if found and policy == FIFO:
        return HIT
    at, answer = end - one, HIT
    if found:
        while keys[at] != key:
            at -= one
    elif keys[at] == EMPTY:
        answer = FILLED
    else:
        answer = EVICTED
    while at > start:
        keys[at] = keys[at - one]
        at -= one
    keys[start] = key
    return answer


@compiled
def _in_a_tree(keys: Any, start: Any, ways: int, key: int) -> int:
    """Do what `touch` does under pseudo-LRU; ways that processors have are a constant each."""
    if ways == 4:
        return _in_its_tree(keys, start, 4, key)
    if ways == 8:
        return _in_its_tree(keys, start, 8, key)
    if ways == 12:
        return _in_its_tree(keys, start, 12, key)
    return _in_its_tree(keys, start, ways, key)


@inlined
def _in_its_tree(keys: Any, start: Any, ways: int, key: int) -> Any:
    at, answer = place_for(keys, start, ways, key), HIT
    before = keys[start + at]
    if before != key:
        answer = FILLED if before == EMPTY else EVICTED
        keys[start + at] = key
    use(keys, start, ways, at)
    return answer
