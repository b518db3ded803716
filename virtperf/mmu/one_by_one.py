"""What `virtperf.mmu.vectors` does, a word at a time: here every index can be checked."""

from typing import Any

import numpy as np

from virtperf.mmu.compiling import inlined

LANES = 64
"""Words that are looked at together: as many as a word has bits."""
_1 = np.uint64(1)


@inlined
def page_changes(words: Any, at: Any, pages: int) -> Any:
    """Return, as bits, which words from `at` on differ from the one before in a bit of `pages`."""
    changed = np.uint64(0)
    for lane in range(np.uint64(LANES)):
        differs = (words[at + lane] ^ words[at + lane - _1]) & pages != 0
        changed |= np.uint64(differs) << lane
    return np.int64(changed)


@inlined
def one_page(words: Any, at: Any, like: int, pages: int) -> Any:
    """Return whether no word from `at` on differs from another one in a bit of `pages`."""
    mixed = 0
    for lane in range(np.uint64(LANES)):
        mixed |= words[at + lane] ^ like
    return mixed & pages == 0


@inlined
def put_first(keys: Any, start: Any, key: int, ways: int) -> Any:
    """Put a key in front of a set, moving all before its old place, or all; return if it was there.

    `ways` is a constant.
    """
    moving = key
    for way in range(np.uint64(ways)):
        here = keys[start + way]
        keys[start + way] = moving
        if here == key:
            return True
        moving = here
    return False


@inlined
def fetch(words: Any, at: Any) -> None:
    """Have the words from `at` on brought into the cache; they need not exist."""
