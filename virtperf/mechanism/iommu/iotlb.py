"""The IOTLB: what an IOMMU remembers of the tables, and goes on using until it is told not to."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from virtperf.errors import ParameterError
from virtperf.mechanism.iommu.tables import Translation, span_of
from virtperf.mechanism.memory.geometry import TlbStructure
from virtperf.mechanism.memory.pages import PageSize


class Key(NamedTuple):
    """What an entry is found by; `page` counts pages of `size`."""

    domain: str
    size: PageSize
    page: int

    def covers(self, first: int, pages: int) -> bool:
        """Return whether the entry has to do with one of so many 4 KiB pages."""
        span = span_of(self.size)
        return self.page * span < first + pages and first < (self.page + 1) * span


class Iotlb:
    """A set-associative, LRU cache of translations, tagged by protection domain.

    Parameters
    ----------
    structure : TlbStructure or None
        Its size and ways; pages of all sizes share it. None remembers nothing.

    Attributes
    ----------
    hits, misses, evictions : int

    Raises
    ------
    ParameterError
        If the structure replaces otherwise.
    """

    def __init__(self, structure: TlbStructure | None) -> None:
        if structure is not None and structure.policy != "lru":
            raise ParameterError("Iotlb", "structure", "one that replaces by LRU", structure.policy)
        self.structure = structure
        self.hits = self.misses = self.evictions = 0
        sets = 0 if structure is None else structure.sets
        self._rows: list[OrderedDict[Key, Translation]] = [OrderedDict() for _ in range(sets)]

    def __len__(self) -> int:
        return sum(map(len, self._rows))

    def look_up(self, domain: str, iova: int) -> Translation | None:
        """Return what is remembered of an IOVA page, and count a hit or a miss."""
        for size in PageSize:
            key = Key(domain, size, iova // span_of(size))
            row = self._row(key)
            if row is not None and key in row:
                row.move_to_end(key)
                self.hits += 1
                return row[key]
        self.misses += 1
        return None

    def fill(self, domain: str, iova: int, found: Translation) -> None:
        """Remember what a walk has found; the least recently used of the set makes room."""
        key = Key(domain, found.size, iova // span_of(found.size))
        row = self._row(key)
        if row is None or self.structure is None:
            return
        if key not in row and len(row) == self.structure.ways:
            row.popitem(last=False)
            self.evictions += 1
        row[key] = found
        row.move_to_end(key)

    def drop(self, doomed: Callable[[Key], bool]) -> int:
        """Forget the entries that are doomed; return how many those were."""
        gone = 0
        for row in self._rows:
            for key in [key for key in row if doomed(key)]:
                del row[key]
                gone += 1
        return gone

    def __iter__(self) -> Iterator[tuple[Key, Translation]]:
        for row in self._rows:
            yield from row.items()

    def _row(self, key: Key) -> OrderedDict[Key, Translation] | None:
        return None if self.structure is None else self._rows[self.structure.set_of(key.page)]
