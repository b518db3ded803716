"""Stack distances, as plainly as Python says them: one list, searched from its front.

`virtperf.mmu` counts the same things in one compiled pass, and is held equal to this.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from virtperf.errors import ParameterError


def stack_distances(pages: Iterable[int]) -> list[int]:
    """Return the stack distance of each access: its page's place in the order of last use.

    1 is the page of the access before; 0 stands for a page that was never touched. A fully
    associative LRU TLB of n entries hits if the distance is 1 to n.

    Parameters
    ----------
    pages : iterable of int
        Page numbers, in the order of access.

    Examples
    --------
    >>> stack_distances([7, 7, 8, 9, 7])
    [0, 1, 0, 0, 3]
    """
    order: list[int] = []
    distances = []
    for page in pages:
        place = order.index(page) + 1 if page in order else 0
        if place:
            del order[place - 1]
        order.insert(0, page)
        distances.append(place)
    return distances


def misses_of_sizes(pages: Iterable[int], sizes: Sequence[int]) -> list[int]:
    """Return the misses of fully associative LRU TLBs of some sizes.

    Examples
    --------
    >>> misses_of_sizes([7, 7, 8, 9, 7], [1, 2, 3])
    [4, 4, 3]
    """
    if any(size < 1 for size in sizes):
        raise ParameterError("misses_of_sizes", "sizes", "at least 1 each", list(sizes))
    counts = Counter(stack_distances(pages))
    hits = [sum(counts[place] for place in range(1, size + 1)) for size in sizes]
    return [counts.total() - hit for hit in hits]


def misses_of_every_associativity(pages: Iterable[int], *, sets: int, ways: int) -> list[int]:
    """Return the misses of LRU TLBs of `sets` sets, with 1 way, 2 ways and so on up to `ways`.

    A set sees the accesses to its own pages only, and is fully associative among them.

    Examples
    --------
    >>> misses_of_every_associativity([0, 2, 0, 1, 2], sets=2, ways=2)
    [5, 3]
    """
    if sets < 1:
        raise ParameterError("misses_of_every_associativity", "sets", "at least 1", sets)
    seen: dict[int, list[int]] = {}
    for page in pages:
        seen.setdefault(page % sets, []).append(page)
    each = [misses_of_sizes(own, range(1, ways + 1)) for own in seen.values()]
    return [sum(misses) for misses in zip(*each, strict=True)] if each else [0] * ways
