"""What a read of a table entry takes: the data caches, as far as table entries live in them."""

from dataclasses import dataclass

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.tlb import Sets
from virtperf.mechanism.memory.walker import Reference

ENTRIES_PER_LINE = 8
"""A line of 64 bytes has eight table entries of 8 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PteCache:
    """One data cache: the part of it that table entries may fill, and its latency.

    Parameters
    ----------
    lines, ways : int
        Lines of 64 bytes that are left for table entries, and how many form a set. How large that
        part is depends on the program's own data, which is not simulated here: it is a statement
        of whoever sets the model up.
    cycles : int
        Latency of a load that hits.
    """

    lines: int
    ways: int
    cycles: int

    def __post_init__(self) -> None:
        if self.lines < 1 or self.ways < 1 or self.lines % self.ways:
            rule = f"a divisor of its lines, {self.lines}, both at least 1"
            raise ParameterError("PteCache", "ways", rule, self.ways)
        if self.cycles < 0:
            raise ParameterError("PteCache", "cycles", "at least 0", self.cycles)


@dataclass(frozen=True, slots=True, kw_only=True)
class PteCaches:
    """The data caches that serve a page walk, nearest first, and memory behind them.

    A walk is a chain of dependent loads, so what it takes is the sum of what its reads take.
    Each cache that missed has the line afterwards; all are LRU.

    Parameters
    ----------
    levels : tuple of PteCache
    memory_cycles : int
        Latency where no cache has the line.
    """

    levels: tuple[PteCache, ...] = ()
    memory_cycles: int = 0

    def __post_init__(self) -> None:
        if self.memory_cycles < 0:
            raise ParameterError("PteCaches", "memory_cycles", "at least 0", self.memory_cycles)


NO_PTE_CACHES = PteCaches()


class PteLines:
    """The state of these caches.

    A line's set is the number of the line within the tables of its level, so neighbours in the
    address space fall into neighbouring sets, as they do in a table.
    """

    def __init__(self, caches: PteCaches) -> None:
        self.caches = caches
        self.levels = [Sets(one.lines // one.ways, one.ways) for one in caches.levels]

    def read(self, read: Reference) -> int:
        """Return the latency of one table read, in cycles."""
        line = read.entry // ENTRIES_PER_LINE
        key = (read.dimension, read.level, read.owner, line)
        for cache, sets in zip(self.caches.levels, self.levels, strict=True):
            if sets.touch(line % len(sets.rows), key):
                return cache.cycles
        return self.caches.memory_cycles
