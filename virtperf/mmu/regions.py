"""Regions of an address space: which one a page lies in, and whose its entries are."""

from typing import Any

from virtperf.mmu.compiling import inlined
from virtperf.mmu.layout import ENTRY_PAGE, GLOBAL_TAG, IS_GLOBAL, START, TAG, TAG_SHIFT


@inlined
def region_of(regions: Any, low: int, high: int, page: int) -> int:
    """Return the row of the region a page lies in: the last one that starts before it."""
    while high - low > 1:
        middle = (low + high) >> 1
        if regions[middle, START] <= page:
            low = middle
        else:
            high = middle
    return low


@inlined
def first_key(context: Any, region: Any) -> int:
    """Return the key of page 0, if it were of a region."""
    tag = context[GLOBAL_TAG] if region[IS_GLOBAL] else context[TAG]
    return (tag << TAG_SHIFT) | region[ENTRY_PAGE]
