"""What TLBs and walk caches a processor has: sizes, ways, pages held, replacement. No state."""

import re
from dataclasses import dataclass
from typing import Literal

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.pseudo_lru import tree_fits

Index = Literal["linear", "xor"]
Policy = Literal["lru", "fifo", "plru"]
ALL_PAGES = (PageSize.K4, PageSize.M2, PageSize.G1)
_WRITTEN = re.compile(r"(?:FA(\d+)|(\d+)X(\d+))(?::([0-9A-Z+]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlbStructure:
    """One array of TLB entries.

    Parameters
    ----------
    entries, ways : int
        Entries in all, and in each set; as many ways as entries is fully associative. Any whole
        number of sets is allowed.
    pages : tuple of PageSize
        Page sizes that share the array.
    index : {'linear', 'xor'}
        How a page number becomes a set: the remainder by the number of sets, or, for a power of
        two of them, its low bits XOR as many bits above them.
    policy : {'lru', 'fifo', 'plru'}
        Who is replaced: what was used least recently, what came first, or what a tree points at
        (see `PseudoLruRow`), for a power of two of ways or three times one.

    Raises
    ------
    ParameterError
        If ways do not divide entries, no page is held, ``xor`` has no power of two of sets, or no
        tree has so many ways.
    """

    entries: int
    ways: int
    pages: tuple[PageSize, ...] = ALL_PAGES
    index: Index = "linear"
    policy: Policy = "lru"

    def __post_init__(self) -> None:
        owner = "TlbStructure"
        if self.entries < 1:
            raise ParameterError(owner, "entries", "at least 1", self.entries)
        if self.ways < 1 or self.entries % self.ways:
            rule = f"a divisor of its {self.entries} entries"
            raise ParameterError(owner, "ways", rule, self.ways)
        if not self.pages or len(set(self.pages)) < len(self.pages):
            raise ParameterError(owner, "pages", "one or more different page sizes", self.pages)
        if self.index not in ("linear", "xor"):
            raise ParameterError(owner, "index", "linear or xor", self.index)
        if self.policy not in ("lru", "fifo", "plru"):
            raise ParameterError(owner, "policy", "lru, fifo or plru", self.policy)
        if self.policy == "plru" and not tree_fits(self.ways):
            rule = "lru or fifo unless ways are a power of two or three times one"
            raise ParameterError(owner, "policy", rule, "plru")
        if self.index == "xor" and self.sets & (self.sets - 1):
            raise ParameterError(owner, "index", "linear unless sets are a power of two", "xor")

    @property
    def sets(self) -> int:
        """Number of sets."""
        return self.entries // self.ways

    @property
    def fold(self) -> int:
        """How many bits an XOR index folds; 0 for a linear index."""
        return self.sets.bit_length() - 1 if self.index == "xor" else 0

    def set_of(self, page: int) -> int:
        """Return the set of a page number (the address divided by the size of the page)."""
        return (page ^ (page >> self.fold)) % self.sets if self.fold else page % self.sets


@dataclass(frozen=True, slots=True, kw_only=True)
class TlbGeometry:
    """The TLBs an access meets, nearest first.

    Parameters
    ----------
    levels : tuple of tuple of TlbStructure
        Each level is the structures that are looked up side by side. Where several hold the same
        page size, the bit of the page number above the set index of the first of them says which
        one has it (assumed: no source tells how parts with such pairs choose).
    splits_1g : bool
        Whether the processor keeps a 1 GiB page as 2 MiB entries.
    name : str
        For messages.

    Raises
    ------
    ParameterError
        If there is no level, or a level without a structure.
    """

    levels: tuple[tuple[TlbStructure, ...], ...]
    splits_1g: bool = False
    name: str = "TlbGeometry"

    def __post_init__(self) -> None:
        if not self.levels or not all(self.levels):
            rule = "one or more, each with a structure"
            raise ParameterError(self.name, "levels", rule, len(self.levels))

    def candidates(self, level: int, size: PageSize) -> tuple[TlbStructure, ...]:
        """Return the structures of a level that hold pages of a size; none if it has no such."""
        return tuple(one for one in self.levels[level] if size in one.pages)

    def entry_size(self, size: PageSize) -> PageSize:
        """Return what a translation of `size` is kept as.

        Raises
        ------
        ParameterError
            If the first level holds no such pages.
        """
        kept = PageSize.M2 if self.splits_1g and size is PageSize.G1 else size
        if not self.candidates(0, kept):
            held = sorted({page for one in self.levels[0] for page in one.pages})
            rule = f"held by its first level: {' '.join(page.label for page in held)}"
            raise ParameterError(self.name, "page", rule, kept.label)
        return kept

    def reach(self, level: int, size: PageSize) -> int:
        """Return the bytes that a level can map with pages of a size."""
        return sum(one.entries for one in self.candidates(level, size)) * size.bytes


def structure(
    written: str, *, pages: tuple[PageSize, ...] = ALL_PAGES, policy: Policy = "lru"
) -> TlbStructure:
    """Return the structure that is written as sets x ways, or FA and entries.

    Parameters
    ----------
    written : str
        ``16x4`` has 64 entries in 16 sets; ``FA64`` has as many in one. ``16x4:4K+2M`` holds pages
        of these sizes only.
    pages : tuple of PageSize
        What it holds if that is not written.
    policy : {'lru', 'fifo', 'plru'}

    Raises
    ------
    ParameterError
        If it is written otherwise.

    Examples
    --------
    >>> structure("128x12").entries
    1536
    """
    found = _WRITTEN.fullmatch(written.strip().upper())
    sets, ways = (int(found[2] or 1), int(found[1] or found[3])) if found else (0, 0)
    if not found or not sets or not ways:
        rule = "SETSxWAYS such as 16x4, or FA64 for fully associative"
        raise ParameterError("TlbStructure", "level", rule, written)
    if found[4]:
        pages = tuple(PageSize.of(one) for one in found[4].split("+"))
    return TlbStructure(entries=sets * ways, ways=ways, pages=pages, policy=policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkCaches:
    """What shortens a page walk. All are fully associative and LRU.

    Parameters
    ----------
    kind : {'prefix', 'entry', 'none'}
        ``prefix``: paging-structure caches (Intel), one for each level, found by the leading bits
        of the address; the deepest hit skips all levels above it. ``entry``: a page-walk cache
        (AMD), found by the address of a table entry; each level is still visited.
    by_level : tuple of (int or None)
        ``prefix``: entries for tables of level 2 (2 MiB prefixes), 3, 4 and so on; what is left
        out has none. None is without end.
    nested_by_level : tuple of (int or None)
        The same for prefixes of guest-physical addresses in the host's tree.
    entries : int or None
        ``entry``: entries of the one cache.
    caches_nested : bool
        ``entry``: whether entries of the host's tables are cached too.
    nested_tlb : int or None
        Entries of the cache of guest-physical pages; 0 for none.
    nested_tlb_data : bool
        Whether it holds data pages too, or pages with guest tables only.
    combined : {'host', 'guest'}
        ``prefix`` under nested paging: whether an entry has the host-physical address of the
        guest's next table, so that this table needs no nested walk, or its guest-physical one.

    References
    ----------
    .. [1] Intel SDM vol. 3, 28.3.1: combined and guest-physical paging-structure caches.
    .. [2] T. Barr, A. Cox, S. Rixner, "Translation caching: skip, don't walk (the page table)",
       ISCA 2010.
    .. [3] R. Bhargava et al., "Accelerating two-dimensional page walks for virtualized systems",
       ASPLOS 2008.
    """

    kind: Literal["prefix", "entry", "none"] = "none"
    by_level: tuple[int | None, ...] = ()
    nested_by_level: tuple[int | None, ...] = ()
    entries: int | None = 0
    caches_nested: bool = True
    nested_tlb: int | None = 0
    nested_tlb_data: bool = True
    combined: Literal["host", "guest"] = "host"

    def __post_init__(self) -> None:
        sizes = (*self.by_level, *self.nested_by_level, self.entries, self.nested_tlb)
        for size in sizes:
            if size is not None and size < 0:
                raise ParameterError("WalkCaches", "entries", "at least 0", size)
        for field in ("by_level", "nested_by_level"):
            if len(getattr(self, field)) > 4:
                rule = "at most 4: levels 2 to 5"
                raise ParameterError("WalkCaches", field, rule, getattr(self, field))

    def prefixes(self, level: int, *, nested: bool = False) -> int | None:
        """Return the entries of the prefix cache of a level, 0 if it has none."""
        sizes = self.nested_by_level if nested else self.by_level
        if self.kind != "prefix" or not 2 <= level < 2 + len(sizes):
            return 0
        return sizes[level - 2]


NO_WALK_CACHES = WalkCaches()
INTEL = WalkCaches(
    kind="prefix", by_level=(32, 16, 4, 2), nested_by_level=(32, 16, 4, 2), nested_tlb=32
)
"""Round sizes of the right order (assumed; Intel publishes none): 32, 16 and 4 entries."""
AMD_K10 = WalkCaches(kind="entry", entries=24, nested_tlb=16, nested_tlb_data=False)
"""24 entries, and 16 of the nested TLB for guest-table frames (ASPLOS 2008, recalled)."""
IDEAL = WalkCaches(
    kind="prefix", by_level=(None,) * 4, nested_by_level=(None,) * 4, nested_tlb=None
)
"""Without end: every table entry but the leaf, and every guest-physical page, is read once."""
