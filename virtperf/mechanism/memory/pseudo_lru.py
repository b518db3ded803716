"""One set of a cache under tree pseudo-LRU, as the tree of nodes that hardware has."""

from collections.abc import Hashable, Iterator
from typing import Any


def tree_fits(ways: int) -> bool:
    """Return whether so many ways can be the leaves of a tree: a power of two, or three times one.

    Examples
    --------
    >>> [ways for ways in range(1, 17) if tree_fits(ways)]
    [1, 2, 3, 4, 6, 8, 12, 16]
    """
    binary = ways // 3 if ways % 3 == 0 else ways
    return binary > 0 and binary & (binary - 1) == 0


class _Node:
    """A way, or a node that knows which of its children was used last."""

    def __init__(self, ways: int) -> None:
        self.key: Hashable = None
        self.last = 0
        fan = 1 if ways == 1 else 3 if ways % 3 == 0 else 2
        self.children = [_Node(ways // fan) for _ in range(fan)] if fan > 1 else []

    def in_order(self) -> list["_Node"]:
        """Return the ways as misses alone would replace them: at each node, child after child."""
        if not self.children:
            return [self]
        turn = self.last + 1
        rounds = zip(
            *(child.in_order() for child in self.children[turn:] + self.children[:turn]),
            strict=True,
        )
        return [way for each in rounds for way in each]

    def use(self, way: "_Node") -> bool:
        """Have every node above a way remember it; return whether the way is below this one."""
        for number, child in enumerate(self.children):
            if child.use(way):
                self.last = number
                return True
        return self is way


class PseudoLruRow:
    """The keys of one set, with the part of an OrderedDict's interface that a cache needs.

    Each node of a tree over the ways remembers which child was used last. Who is replaced is found
    from the root, at each node by the next child: with two of them, the other one. A use changes
    the nodes above its way only, so that of the order among the others little is known. Where ways
    are three times a power of two, the root has three children and goes round them.

    A key that comes in takes a way without one, if there is any: of these, the first that misses
    would come to (assumed: what parts do after an entry was invalidated is not published).

    Parameters
    ----------
    ways : int
        A power of two, or three times one.

    Examples
    --------
    >>> row = PseudoLruRow(4)
    >>> for key in "abcd":
    ...     row[key] = None
    >>> row.move_to_end("c")
    >>> "".join(row)  # under LRU, a would go next
    'badc'

    References
    ----------
    .. [1] A. Tatar, D. Trujillo, C. Giuffrida, H. Bos, "TLB;DR: enhancing TLB-based attacks with
       TLB desynchronized reverse engineering", USENIX Security 2022: tree-PLRU of 4 and 8 ways,
       and (MRU+1)%3PLRU4 of 12, as vectors in the source code that goes with it.
    """

    def __init__(self, ways: int) -> None:
        self._root = _Node(ways)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._keys())

    def __reversed__(self) -> Iterator[Any]:
        return iter(self._keys()[::-1])

    def __len__(self) -> int:
        return len(self._keys())

    def __contains__(self, key: Any) -> bool:
        return key in self._keys()

    def __setitem__(self, key: Any, value: None) -> None:
        """Take a key in."""
        way = next(way for way in self._root.in_order() if way.key is None)
        way.key = key
        self._root.use(way)

    def __delitem__(self, key: Any) -> None:
        """Let go of a key; no node changes."""
        self._way(key).key = None

    def move_to_end(self, key: Any) -> None:
        """Use a key."""
        self._root.use(self._way(key))

    def popitem(self, last: bool = True) -> tuple[Any, None]:
        """Let go of the key that is replaced next, or with `last`, of the one used last."""
        key = self._keys()[-1 if last else 0]
        del self[key]
        return key, None

    def _keys(self) -> list[Any]:
        return [way.key for way in self._root.in_order() if way.key is not None]

    def _way(self, key: Any) -> _Node:
        return next(way for way in self._root.in_order() if way.key == key)
