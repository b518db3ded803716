"""TLBs as plainly as Python says them: ordered keys for each set. State without a clock."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from virtperf.mechanism.memory.flushes import Tag
from virtperf.mechanism.memory.geometry import Policy, TlbGeometry, TlbStructure
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.pseudo_lru import PseudoLruRow


class Entry(NamedTuple):
    """What a translation is found by; `page` is the address divided by the page's size."""

    tag: Tag
    size: PageSize
    page: int


class Sets:
    """A set-associative cache of keys; the next to be replaced stands first in its set.

    Parameters
    ----------
    sets, ways : int or None
        No ways (None) is a cache without end.
    policy : {'lru', 'fifo', 'plru'}
        Who is replaced; a tree needs a number of ways.

    Attributes
    ----------
    evictions : int
        How many keys had to make room.
    """

    def __init__(self, sets: int, ways: int | None, *, policy: Policy = "lru") -> None:
        self.rows: list[OrderedDict[Any, None] | PseudoLruRow] = [
            OrderedDict() if policy != "plru" or ways is None else PseudoLruRow(ways)
            for _ in range(sets)
        ]
        self.ways, self.policy = ways, policy
        self.evictions = 0

    def touch(self, row: int, key: Any) -> bool:
        """Return whether `key` is in its set; afterwards it is, if the cache holds anything."""
        held = self.rows[row]
        if key in held:
            if self.policy != "fifo":
                held.move_to_end(key)
            return True
        if self.ways == 0:
            return False
        if len(held) == self.ways:
            held.popitem(last=False)
            self.evictions += 1
        held[key] = None
        return False

    def drop(self, doomed: Callable[[Any], bool]) -> int:
        """Remove what is doomed; return how many that were."""
        gone = 0
        for held in self.rows:
            for key in [key for key in held if doomed(key)]:
                del held[key]
                gone += 1
        return gone


class Tlb:
    """The levels of a TLB, filled from below: a lookup goes down until a level has the entry.

    Each level that missed holds the entry afterwards. A level that holds no pages of its size is
    passed by. Nothing is taken out of a level because another one replaced it.

    Parameters
    ----------
    geometry : TlbGeometry

    Examples
    --------
    >>> from virtperf.mechanism.memory.geometry import structure
    >>> tlb = Tlb(TlbGeometry(levels=((structure("1x1"),), (structure("1x2"),))))
    >>> [tlb.access(Entry(Tag(), PageSize.K4, page)) for page in (7, 7, 8, 7)]
    [2, 0, 2, 1]
    """

    def __init__(self, geometry: TlbGeometry) -> None:
        self.geometry = geometry
        self.levels = [
            [(one, Sets(one.sets, one.ways, policy=one.policy)) for one in level]
            for level in geometry.levels
        ]

    def access(self, entry: Entry) -> int:
        """Return the level that has an entry, counted from 0, or the number of levels if none."""
        for level in range(len(self.levels)):
            home = self._home(level, entry)
            if home is not None and home[1].touch(home[0].set_of(entry.page), entry):
                return level
        return len(self.levels)

    def flush(self, doomed: Callable[[Entry], bool]) -> int:
        """Remove the entries that are doomed; return how many that were."""
        return sum(sets.drop(doomed) for sets in self.structures())

    def structures(self) -> Iterator[Sets]:
        """Yield the state of each structure, level by level."""
        for level in self.levels:
            yield from (sets for _, sets in level)

    def _home(self, level: int, entry: Entry) -> tuple[TlbStructure, Sets] | None:
        holds = [pair for pair in self.levels[level] if entry.size in pair[0].pages]
        if not holds:
            return None
        return holds[entry.page // holds[0][0].sets % len(holds)]
