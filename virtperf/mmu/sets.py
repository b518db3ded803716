"""Recency-ordered sets in a flat array: look up and fill.

A set is `ways` neighbouring words, the last used first, EMPTY behind what it holds. To put a key in
front moves all before its old place, or before the end, by one.

Positions are unsigned, because numba looks whether a signed one counts from the end.
"""

from typing import Any

import numpy as np

from virtperf.mmu.compiling import inlined

EMPTY = -1
HIT, FILLED, EVICTED = -1, 0, 1
"""What `touch` answers: there, taken in, taken in for another one."""
_SMALL = 8  # ways up to which one pass that moves what it looks at is quicker than two


@inlined
def touch(keys: Any, first: int, ways: int, key: int, fifo: int) -> int:
    """Return whether `key` is in the set that starts at `first`; afterwards it is."""
    start, end, one = np.uint64(first), np.uint64(first + ways), np.uint64(1)
    if keys[start] == key:
        return HIT
    if ways > _SMALL or fifo:
        return _in_two_passes(keys, start, end, key, fifo)
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
def touch_often(keys: Any, first: int, ways: int, key: int, fifo: int) -> int:
    """Do what `touch` does, with code of their own for the ways that most TLBs have."""
    start = np.uint64(first)
    if keys[start] == key:
        return HIT
    if not fifo:
        if ways == 4:
            return _without_a_branch(keys, start, key, 4)
        if ways == 8:
            return _without_a_branch(keys, start, key, 8)
        if ways == 12:
            return _without_a_branch(keys, start, key, 12)
    return touch(keys, first, ways, key, fifo)


@inlined
def _without_a_branch(keys: Any, start: Any, key: int, ways: int) -> int:
    """Move each key of a set or leave it, as one computation: `ways` is a constant."""
    moving, behind = key, False
    for way in range(np.uint64(ways)):
        here = keys[start + way]
        keys[start + way] = here if behind else moving
        behind |= here == key
        moving = here
    if behind:
        return HIT
    return EVICTED if moving != EMPTY else FILLED


@inlined
def _in_two_passes(keys: Any, start: Any, end: Any, key: int, fifo: int) -> int:
    """Look first, several keys at a time, for the look has no early end; then move."""
    one = np.uint64(1)
    found = False
    for at in range(start, end):
        found |= keys[at] == key
    if found and fifo:
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
