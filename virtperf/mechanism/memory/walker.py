"""The page walker with its caches, as plainly as Python says it. Counts references, no times."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from virtperf.mechanism.memory.flushes import Flush, Tag
from virtperf.mechanism.memory.geometry import NO_WALK_CACHES, WalkCaches
from virtperf.mechanism.memory.mapping import Context, frame
from virtperf.mechanism.memory.pages import LEVEL_BITS, PageSize, address_bits, entry_shift
from virtperf.mechanism.memory.tlb import Sets

GUEST, HOST = 0, 1
"""Dimensions of a walk; natively all tables are the guest's."""


class Reference(NamedTuple):
    """One read of a table entry.

    Attributes
    ----------
    dimension : int
        GUEST or HOST.
    level : int
        Of the table, 1 for the lowest.
    owner : int
        The guest's address space, or the host root.
    entry : int
        Which entry of all tables of that level: the address divided by what an entry maps.
    """

    dimension: int
    level: int
    owner: int
    entry: int


class Walker:
    """Walks the tables of one or two dimensions, as far as its caches do not know the way.

    Parameters
    ----------
    caches : WalkCaches
    levels, nested_levels : int
        Depth of the guest's (or only) and of the host's tree, 4 or 5.

    Attributes
    ----------
    hits : int
        Lookups of an ``entry`` cache that hit; each takes the place of a reference.
    """

    def __init__(
        self, caches: WalkCaches = NO_WALK_CACHES, *, levels: int = 4, nested_levels: int = 4
    ) -> None:
        address_bits(levels), address_bits(nested_levels)  # refuses other depths
        self.caches, self.levels, self.nested_levels = caches, levels, nested_levels
        self.hits = 0
        self._prefixes = {k: Sets(1, caches.prefixes(k)) for k in range(2, 6)}
        self._nested = {k: Sets(1, caches.prefixes(k, nested=True)) for k in range(2, 6)}
        self._entries = Sets(1, caches.entries if caches.kind == "entry" else 0)
        self._pages = Sets(1, caches.nested_tlb)
        self._frames: dict[tuple[int, int, int], int] = {}
        self._used: dict[int | None, int] = {}

    def walk(self, address: int, context: Context) -> list[Reference]:
        """Return the reads of a walk, in order; `address` has only bits that are translated."""
        leaf = context.mapping.at(address).guest.level
        known, top = False, self.levels
        if self.caches.kind == "prefix":
            top = self._skip(self._prefixes, context.tag, address, leaf, top)
            known = top < self.levels and self.caches.combined == "host"
        reads: list[Reference] = []
        for level in range(top, leaf - 1, -1):
            if not known:
                reads += self._find_table(address, level, context)
            known = False
            read = Reference(GUEST, level, context.space, address >> entry_shift(level))
            if level == leaf or not self._cached(context.tag, read):
                reads.append(read)
        region = context.mapping.at(address)
        if region.host is not None:
            data = context.mapping.guest_physical(address)
            held = self.caches.nested_tlb_data
            reads += self._translate(data, region.host, context, through_tlb=held)
        return reads

    def flush(self, flush: Flush) -> None:
        """Take out what a flush says."""
        for sets in self._prefixes.values():
            sets.drop(lambda key: flush.structures(key[0]))
        at = flush.nested_address
        self._entries.drop(partial(_entry_goes, flush))
        for level, sets in self._nested.items():
            sets.drop(partial(_goes, flush, None if at is None else at >> entry_shift(level)))
        self._pages.drop(
            lambda key: flush.nested(key[0]) and (at is None or at >> key[1].shift == key[2])
        )

    # -- the guest's tables ---------------------------------------------------------------------

    def _find_table(self, address: int, level: int, context: Context) -> list[Reference]:
        """Return the reads that find the frame of the guest's table of a level."""
        size = context.mapping.tables_page
        if size is None:
            return []
        table = self._table(address, level, context)
        return self._translate(table, size, context, through_tlb=True)

    def _table(self, address: int, level: int, context: Context) -> int:
        """Return where the guest's table lies, in guest-physical bytes."""
        key = (context.space, level, address >> (entry_shift(level) + LEVEL_BITS))
        if key not in self._frames:
            root = context.tag.root
            first = frame(context.mapping.tables_at)
            self._frames[key] = first + self._used.get(root, 0)
            self._used[root] = self._used.get(root, 0) + 1
        return self._frames[key] << PageSize.K4.shift

    # -- the host's tables ----------------------------------------------------------------------

    def _translate(
        self, address: int, size: PageSize, context: Context, *, through_tlb: bool
    ) -> list[Reference]:
        """Return the reads that turn a guest-physical address into a host-physical one."""
        root = context.tag.root
        assert root is not None
        if through_tlb and self._pages.touch(0, (root, size, address >> size.shift)):
            return []
        top = self.nested_levels
        if self.caches.kind == "prefix":
            top = self._skip(self._nested, root, address, size.level, top)
        reads = []
        for level in range(top, size.level - 1, -1):
            read = Reference(HOST, level, root, address >> entry_shift(level))
            keeps = level > size.level and self.caches.caches_nested
            if not (keeps and self._cached(root, read)):
                reads.append(read)
        return reads

    # -- caches ---------------------------------------------------------------------------------

    def _skip(
        self, caches: dict[int, Sets], tag: Tag | int, address: int, leaf: int, levels: int
    ) -> int:
        """Return the level of the first table to read; the caches that missed are filled."""
        for level in range(leaf + 1, levels + 1):
            if caches[level].touch(0, (tag, address >> entry_shift(level))):
                return level - 1
        return levels

    def _cached(self, owner: Tag | int, read: Reference) -> bool:
        """Return whether the cache by entry address has an entry; afterwards it has."""
        hit = self._entries.touch(0, (owner, read))
        self.hits += hit
        return hit

    def caches_in_order(self) -> Iterator[Sets]:
        """Yield prefix caches of levels 2 to 5, those of the host, by entry, by page."""
        yield from (self._prefixes[k] for k in range(2, 6))
        yield from (self._nested[k] for k in range(2, 6))
        yield self._entries
        yield self._pages


def _goes(flush: Flush, prefix: int | None, key: tuple[int, int]) -> bool:
    """Return whether an entry of a root goes, by its root and, if that is said, its prefix."""
    return flush.nested(key[0]) and prefix in (None, key[1])


def _entry_goes(flush: Flush, key: tuple[Tag | int, Reference]) -> bool:
    """Return whether a table entry goes: a guest's by its tag, a host's by root and address."""
    owner, read = key
    if isinstance(owner, Tag):
        return flush.structures(owner)
    at = flush.nested_address
    return flush.nested(owner) and (at is None or at >> entry_shift(read.level) == read.entry)
