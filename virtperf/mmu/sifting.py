"""Look-ups in one level of the TLBs: which structure and which set, and what misses there."""

from typing import Any

import numpy as np

from virtperf.mmu.compiling import compiled, inlined
from virtperf.mmu.layout import FIRST, FOLD, MASK, PAGE_BITS, POLICY, SETS, WAYS
from virtperf.mmu.sets import EVICTED, LRU, touch, touch_at_once

_PAGES = (1 << PAGE_BITS) - 1


@inlined
def usual_ways(shape: Any, one: int) -> int:
    """Return the ways of a structure as most processors have them, or 0 if it is another one."""
    ways = shape[one, WAYS]
    usual = ways == 4 or ways == 8 or ways == 12
    return ways if usual and shape[one, MASK] >= 0 and shape[one, POLICY] == LRU else 0


@inlined
def usual_facts(shape: Any, one: int) -> tuple[int, int, int]:
    """Return what `ask_usual` has to know: they are kept in registers."""
    fold = shape[one, FOLD]
    return shape[one, FIRST], fold if fold > 0 else 63, shape[one, MASK]  # by 63: nothing is left


@inlined
def ask_usual(facts: tuple[int, int, int], page: int, key: int, ways: int, keys: Any) -> Any:
    """Look up a key in a structure of usual ways, which are a constant."""
    first, fold, mask = facts
    return touch_at_once(keys, first + ((page ^ (page >> fold)) & mask) * ways, ways, key)


@inlined
def ask(one: int, page: int, key: int, keys: Any, shape: Any) -> int:
    """Look up a key in a structure."""
    fold, mask, ways = shape[one, FOLD], shape[one, MASK], shape[one, WAYS]
    if fold > 0:
        row = (page ^ (page >> fold)) & mask
    elif mask >= 0:
        row = page & mask
    else:
        row = page % shape[one, SETS]
    return touch(keys, shape[one, FIRST] + row * ways, ways, key, shape[one, POLICY])


@inlined
def ask_level(
    level: int, page: int, key: int, keys: Any, shape: Any, route: Any, evictions: Any
) -> int:
    """Look up a key in the structure of a level that may have it; count what it replaces."""
    code = key & 3
    holders, one = route[level, code, 0], route[level, code, 1]
    if holders == 0:
        return EVICTED
    if holders > 1:
        one = route[level, code, 1 + page // shape[one, SETS] % holders]
    found = ask(one, page, key, keys, shape)
    evictions[one] += found == EVICTED
    return found


@compiled
def sift_all(
    level: int, misses: Any, missed: int, wanted: Any, count: int, keys: Any, shape: Any,
    route: Any, evictions: Any,
) -> int:  # fmt: skip
    """Send look-ups of any sizes through a level; return how many it has not."""
    left = 0
    for at in range(count):
        key = wanted[at]
        found = ask_level(level, (key >> 2) & _PAGES, key, keys, shape, route, evictions)
        wanted[left] = key
        misses[missed + left] = misses[missed + at]
        left += found & 1
    return left


@compiled
def sift(
    one: int, misses: Any, missed: int, wanted: Any, count: int, keys: Any, shape: Any,
    evictions: Any,
) -> int:  # fmt: skip
    """Send look-ups through the structure that is their level; return how many it has not."""
    usual = usual_ways(shape, one)
    if usual == 4:
        return _sift(one, misses, missed, wanted, count, keys, shape, evictions, 4)
    if usual == 8:
        return _sift(one, misses, missed, wanted, count, keys, shape, evictions, 8)
    if usual == 12:
        return _sift(one, misses, missed, wanted, count, keys, shape, evictions, 12)
    return _sift(one, misses, missed, wanted, count, keys, shape, evictions, 0)


@inlined
def _sift(
    one: int, misses: Any, missed: int, wanted: Any, count: int, keys: Any, shape: Any,
    evictions: Any, usual: int,
) -> Any:  # fmt: skip
    facts = usual_facts(shape, one)
    left, start, filled = np.uint64(0), np.uint64(missed), 0
    for at in range(np.uint64(count)):
        key = wanted[at]
        page = (key >> 2) & _PAGES
        if usual:
            found = ask_usual(facts, page, key, usual, keys)
        else:
            found = ask(one, page, key, keys, shape)
        filled += found >> 1
        wanted[left] = key
        misses[start + left] = misses[start + at]
        left += np.uint64(found & 1)
    evictions[one] += np.int64(left) - filled
    return np.int64(left)
