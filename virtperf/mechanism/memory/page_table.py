"""A page table of 2 to 5 levels, kept as runs of pages that nothing distinguishes."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.runs import Run, Runs

WRITABLE, ACCESSED, DIRTY, GLOBAL = 2, 32, 64, 256
"""Flags of an entry, at their places in an x86 one; absent entries are not kept."""
ENTRIES = 512
"""Entries of a table of any level."""
TABLE_BYTES = 4096
LEAF_LEVELS: Mapping[str, int] = {"4KiB": 1, "2MiB": 2, "1GiB": 3}
"""At which level the leaf of a page size stands; level 1 is the last table of a walk."""
Ranges = Mapping[int, list[tuple[int, int]]]
"""By level: (first, last + 1) of tables, by number (see `table_of`)."""
_SHIFT = 9
_FLAGS = WRITABLE | ACCESSED | DIRTY | GLOBAL
_LEVEL_SHIFT = 12


def leaf_pages(level: int) -> int:
    """Return how many 4 KiB pages a leaf of `level` maps."""
    return 1 << _SHIFT * (level - 1)


def table_of(page: int, level: int) -> int:
    """Return which of the tables of `level` a page's walk goes through."""
    return page >> _SHIFT * level


def number_of(tables: Ranges) -> int:
    """Return how many tables there are in ranges."""
    return sum(end - start for ranges in tables.values() for start, end in ranges)


class Leaf(NamedTuple):
    """What a walk ends at.

    Attributes
    ----------
    frame : int
        Frame of the 4 KiB page that was asked for, also within a larger leaf.
    flags : int
    level : int
        1, 2 or 3: a leaf of 4 KiB, 2 MiB or 1 GiB.
    """

    frame: int
    flags: int
    level: int

    def allows(self, write: bool) -> bool:
        """Return whether the leaf permits the access."""
        return not write or bool(self.flags & WRITABLE)


class Written(NamedTuple):
    """Entries that were written: leaves, and the tables that had to be hooked in for them."""

    leaves: int
    hooked: Ranges


class PageTable:
    """Map pages to frames; what it keeps grows with what differs, not with what is mapped.

    Page numbers are those of the `levels` x 9 translated bits; the copies of the topmost bit above
    them, which make an address canonical, are none of a table's business. Tables stay when their
    last entry goes, as in a kernel, until `prune`.

    Parameters
    ----------
    levels : {2, 3, 4, 5}
        4 or 5 on 64 bits. Fewer stand for 32 bits, though every table has 512 entries, also where
        such a machine's has 1,024 or the root has 4.

    Attributes
    ----------
    tables : mapping of int to int
        How many tables of each level there are; the root is always there.

    Raises
    ------
    ParameterError
        If there are fewer or more levels.

    Examples
    --------
    >>> table = PageTable()
    >>> table.map(0, frame=0, count=1 << 28)  # 1 TiB in pages of 4 KiB
    Written(leaves=268435456, hooked={1: [(0, 524288)], 2: [(0, 1024)], 3: [(0, 2)]})
    >>> table.lookup(7).frame, table.run_count
    (7, 4)
    """

    def __init__(self, levels: int = 4) -> None:
        if levels not in (2, 3, 4, 5):
            raise ParameterError("PageTable", "levels", "2 to 5", levels)
        self.levels = levels
        self._leaves = Runs()
        self._tables = {level: Runs() for level in range(1, levels)}

    @property
    def tables(self) -> dict[int, int]:
        """Tables in use by level."""
        return {level: runs.size for level, runs in self._tables.items()} | {self.levels: 1}

    @property
    def table_bytes(self) -> int:
        """Memory of all tables."""
        return TABLE_BYTES * sum(self.tables.values())

    @property
    def run_count(self) -> int:
        """How many runs of leaves and tables are kept: what it costs the simulation."""
        return len(self._leaves.all()) + sum(len(runs.all()) for runs in self._tables.values())

    @property
    def mapped_pages(self) -> int:
        """Pages of 4 KiB that are mapped, by leaves of any size."""
        return self._leaves.size

    def lookup(self, page: int) -> Leaf | None:
        """Return the leaf that maps `page`, or None; nothing is marked accessed."""
        run = self._leaves.find(page)
        return None if run is None else Leaf(run.at(page), run.tag & _FLAGS, _level(run))

    def leaves(self, page: int = 0, count: int | None = None) -> Iterator[tuple[int, int, Leaf]]:
        """Yield (first page, number of pages, first leaf) of each run within a range."""
        end = ENTRIES**self.levels if count is None else page + count
        for run in self._leaves.within(page, end):
            yield run.start, run.length, Leaf(run.value, run.tag & _FLAGS, _level(run))

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return (first, last + 1) of the parts of a range that are not mapped."""
        return list(self._leaves.gaps(start, end))

    def is_mapped(self, page: int, count: int = 1) -> bool:
        """Return whether anything is mapped within a range."""
        return next(self._leaves.within(page, page + count), None) is not None

    def map(
        self, page: int, frame: int, count: int = 1, *, flags: int = WRITABLE, level: int = 1
    ) -> Written:
        """Map `count` pages of 4 KiB from `page` to frames from `frame` on.

        Parameters
        ----------
        page, frame, count : int
            In units of 4 KiB; multiples of the leaf's size.
        flags : int
            Any of WRITABLE, ACCESSED, DIRTY, GLOBAL.
        level : {1, 2, 3}
            Size of the leaves.

        Raises
        ------
        ParameterError
            If something is mapped there, a table is in the way of a large leaf, or a number is
            out of range or not aligned.
        """
        self._check(page, count)
        self._check_leaf(page, frame, count, level)
        if self.is_mapped(page, count):
            raise ParameterError("PageTable", "page", "unmapped before it is mapped", page)
        for below in range(1, level):
            first, last = table_of(page, below), table_of(page + count - 1, below) + 1
            if self._tables[below].count(first, last):
                rule = "free of smaller tables (prune) where a large leaf is mapped"
                raise ParameterError("PageTable", "page", rule, page)
        self._leaves.put(page, page + count, frame, _tag(flags, level))
        hooked = {}
        for above in range(level, self.levels):
            first, last = table_of(page, above), table_of(page + count - 1, above) + 1
            if new := list(self._tables[above].gaps(first, last)):
                hooked[above] = new
                self._tables[above].put(first, last, first, 0)
        return Written(count // leaf_pages(level), hooked)

    def unmap(self, page: int, count: int = 1) -> int:
        """Clear the entries of a range, mapped or not; return how many had been present.

        Raises
        ------
        ParameterError
            If a larger leaf would be cut.
        """
        self._check_cut(page, count)
        return sum(_entries(run) for run in self._leaves.remove(page, page + count))

    def change(self, page: int, count: int = 1, *, set: int = 0, clear: int = 0) -> int:
        """Set and clear flags in a range; return how many entries are another now.

        Raises
        ------
        ParameterError
            If a larger leaf would be cut.
        """
        self._check_cut(page, count)
        changed = 0
        for run in list(self._leaves.within(page, page + count)):
            tag = run.tag & ~(clear & _FLAGS) | set & _FLAGS
            if tag != run.tag:
                self._leaves.put(run.start, run.end, run.value, tag)
                changed += _entries(run)
        return changed

    def mark(self, page: int, write: bool) -> None:
        """Set the accessed flag of the leaf at `page`, and the dirty one if it is written."""
        run = self._leaves.find(page)
        marks = ACCESSED | (DIRTY if write else 0)
        if run is not None and run.tag & marks != marks:
            pages = leaf_pages(_level(run))
            first = page // pages * pages
            self._leaves.put(first, first + pages, run.at(first), run.tag | marks)

    def split(self, page: int) -> None:
        """Break the large leaf at `page` into 512 of the next smaller size.

        Raises
        ------
        ParameterError
            If there is none.
        """
        run = self._leaves.find(page)
        if run is None or _level(run) == 1:
            raise ParameterError("PageTable", "page", "in a leaf of more than 4 KiB", page)
        level, pages = _level(run), leaf_pages(_level(run))
        first = page // pages * pages
        self._leaves.put(first, first + pages, run.at(first), _tag(run.tag, level - 1))
        table = table_of(first, level - 1)
        self._tables[level - 1].put(table, table + 1, table, 0)

    def prune(self, page: int, count: int = 1) -> Ranges:
        """Free the tables that meet a range and map nothing; return which."""
        self._check(page, count)
        freed: dict[int, list[tuple[int, int]]] = {}
        for level, tables in self._tables.items():
            span = 1 << _SHIFT * level
            bounds = (table_of(page, level), table_of(page + count - 1, level) + 1)
            for run in list(tables.within(*bounds)):
                used = Runs()
                for leaf in self._leaves.within(run.start * span, run.end * span):
                    if _level(leaf) <= level:
                        first, last = leaf.start // span, (leaf.end - 1) // span + 1
                        used.put(first, last, first, 0)
                for start, end in used.gaps(run.start, run.end):
                    tables.remove(start, end)
                    freed.setdefault(level, []).append((start, end))
        return freed

    def _check(self, page: int, count: int) -> None:
        if count < 1:
            raise ParameterError("PageTable", "count", "at least 1", count)
        if not 0 <= page <= ENTRIES**self.levels - count:
            bits = _SHIFT * self.levels
            raise ParameterError("PageTable", "page", f"of a space of 2^{bits} pages", page)

    def _check_leaf(self, page: int, frame: int, count: int, level: int) -> None:
        if level not in LEAF_LEVELS.values():
            raise ParameterError("PageTable", "level", "1, 2 or 3", level)
        if frame < 0:
            raise ParameterError("PageTable", "frame", "at least 0", frame)
        pages = leaf_pages(level)
        for field, value in (("page", page), ("frame", frame), ("count", count)):
            if value % pages:
                rule = f"a multiple of the {pages} pages of a leaf"
                raise ParameterError("PageTable", field, rule, value)

    def _check_cut(self, page: int, count: int) -> None:
        self._check(page, count)
        for edge in (page, page + count):
            leaf = self.lookup(edge)
            if leaf is not None and edge % leaf_pages(leaf.level):
                rule = "at the edge of a leaf: split the larger one first"
                raise ParameterError("PageTable", "page", rule, edge)


def _tag(flags: int, level: int) -> int:
    return flags & _FLAGS | level << _LEVEL_SHIFT


def _level(run: Run) -> int:
    return run.tag >> _LEVEL_SHIFT


def _entries(run: Run) -> int:
    return run.length // leaf_pages(_level(run))
