"""Where the guest's tables lie: frames in the order of first use, in a hash table that can grow.

A row is a key (space, level and prefix of the table) and its frame. Keys that collide stand in the
next free rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.mmu.compiling import entry, inlined
from virtperf.mmu.layout import ENTRY_BITS, PAIR_SHIFT, ROOT, SPACE, TABLES_AT
from virtperf.mmu.sets import EMPTY, empty

_MIX = 0x1E3779B97F4A7C15


def empty_frames(rows: int) -> NDArray[np.int64]:
    """Return a table without frames; rows are a power of two."""
    return empty(2 * rows).reshape(rows, 2)


@inlined
def place(frames: Any, key: int) -> int:
    """Return the row of a key, or the free row where it belongs."""
    mask = len(frames) - 1
    mixed = key * _MIX
    row = (mixed ^ (mixed >> 31)) & mask
    while frames[row, 0] != EMPTY and frames[row, 0] != key:
        row = (row + 1) & mask
    return row


@inlined
def table_frame(prefix: int, level: int, context: Any, frames: Any, used: Any) -> int:
    """Return the frame of a table; one that is new takes the next of its VM.

    `used` counts all frames in its first word, and then those of each host root.
    """
    key = (context[SPACE] << PAIR_SHIFT) | (level << ENTRY_BITS) | prefix
    row = place(frames, key)
    if frames[row, 0] == EMPTY:
        root = context[ROOT]
        frames[row, 0] = key
        frames[row, 1] = context[TABLES_AT] + used[1 + root]
        used[0] += 1
        used[1 + root] += 1
    return frames[row, 1]


@entry
def move(old: Any, new: Any) -> None:
    """Enter all rows of one table into a larger one."""
    for at in range(len(old)):
        if old[at, 0] != EMPTY:
            row = place(new, old[at, 0])
            new[row, 0] = old[at, 0]
            new[row, 1] = old[at, 1]
