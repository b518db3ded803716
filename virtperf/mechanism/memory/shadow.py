"""Shadow page tables: per process, filled on faults, kept true by write protection."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.entries import Entries, composed
from virtperf.mechanism.memory.out_of_sync import OutOfSync
from virtperf.mechanism.memory.page_table import ACCESSED, ENTRIES, Leaf, Ranges, leaf_pages
from virtperf.mechanism.memory.paging import Paging
from virtperf.mechanism.memory.paging_counts import Transitions, transitions
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.shadow_tables import ShadowTable, ShadowTables

FLOOD_WRITES = 3
"""Trapped writes to a table that nobody walks, after which KVM stops shadowing it."""
Bypass = Literal["none", "in-sync", "ideal"]


class ShadowPaging(Paging):
    """Shadow tables as in KVM (see `Paging`); other hypervisors are other parameters.

    Parameters
    ----------
    pmap : PMap
    on_write : {'update', 'drop'}
        What a trapped write does to the shadow entry. It is updated only if the guest's entry is
        marked accessed, as Linux marks those it fills upon a fault; else it is dropped.
    bypass : {'none', 'in-sync', 'ideal'}
        Whether hardware gives faults on absent entries to the guest directly, which it may where
        the shadow is known to be absent for the same reason: in tables in sync. ``'ideal'`` lets
        it do so out of sync too, where no hardware could know; a bound.
    out_of_sync : int or None
        How many leaf tables may be out of sync, None for any number: 0 as before 2008, 3 per vCPU
        in Xen, no bound in KVM. Beyond it the oldest is brought in sync.
    prefetch : int
        Aligned neighbours that a fill looks at: 8 in KVM, 1 for none.
    flood_writes : int, optional
        Trapped writes without an access in between, after which a table is dropped.
    max_tables : int, optional
        See `ShadowTables`.
    watches_freed : bool
        Whether a table that the guest frees stays write-protected. A guest that keeps freed tables
        in a list (Linux 2.4, asm-i386/pgalloc.h) then builds those of its next process in them,
        each write trapped. False: the protection goes when the table is taken out of its tree.

    Notes
    -----
    Tables belong to a process here; a hypervisor shares those of guest tables that processes
    share, such as the kernel's. That large shadow pages are forbidden around guest tables is left
    out, as it is not known here in which frames these lie.

    References
    ----------
    .. [1] Linux, ``Documentation/virt/kvm/x86/mmu.rst``; ``arch/x86/kvm/mmu.c`` of Linux 2.6.28.
    """

    def __init__(
        self,
        pmap: PMap,
        *,
        on_write: Literal["update", "drop"] = "update",
        bypass: Bypass = "none",
        out_of_sync: int | None = 0,
        prefetch: int = 1,
        flood_writes: int | None = FLOOD_WRITES,
        max_tables: int | None = None,
        watches_freed: bool = False,
    ) -> None:
        if on_write not in ("update", "drop"):
            raise ParameterError("shadow", "on_write", "update or drop", on_write)
        if bypass not in ("none", "in-sync", "ideal"):
            raise ParameterError("shadow", "bypass", "none, in-sync or ideal", bypass)
        if not 1 <= prefetch <= ENTRIES or ENTRIES % prefetch:
            raise ParameterError("shadow", "prefetch", "a power of two up to 512", prefetch)
        if flood_writes is not None and flood_writes < 1:
            raise ParameterError("shadow", "flood_writes", "at least 1", flood_writes)
        super().__init__(pmap)
        self.on_write = on_write
        self.bypass = bypass
        self.prefetch = prefetch
        self.flood_writes = flood_writes
        self.watches_freed = watches_freed
        self._freed: Counter[int] = Counter()
        self._tables = ShadowTables(max_tables)
        self._entries: dict[AddressSpace, Entries] = {}
        self._unsync = OutOfSync(out_of_sync)

    def _access(self, space: AddressSpace, page: int, write: bool) -> bool:
        entries = self._entries.setdefault(space, Entries())
        entry = entries.find(page)
        if entry is not None and not self._tables.reaches(space, entry.level, page):
            entry = None
        if entry is not None and (entry.writable or not write):
            self._used(space, entry.level, page)
            if self.pmap.limited:
                self.pmap.back(entry.guest_frame, write)
            return True
        leaf = space.table.lookup(page)
        if leaf is None or not leaf.allows(write):
            self.counts.true_faults += 1
            self.counts.bypassed_faults += leaf is None and self._bypasses(space, page)
            return False
        if entry is None:
            self.counts.hidden_missing += 1
        else:
            self.counts.hidden_dirty += 1
        self._fill(space, page, write, leaf)
        return True

    def translate(self, space: AddressSpace, page: int) -> int | None:
        """Return what the shadow of the space holds."""
        entry = self._entries[space].find(page) if space in self._entries else None
        if entry is None or not self._tables.reaches(space, entry.level, page):
            return None
        return entry.at(page)

    def transitions(self) -> Transitions:
        """Return the exits; true faults that hardware did not hand to the guest are reflected."""
        counts = self.counts
        faults = counts.true_faults - counts.bypassed_faults
        return transitions(
            ("exit", "page-fault", faults),
            ("reflect", "page-fault", faults),
            ("exit", "hidden-fault", counts.hidden_faults),
            ("trace", "pte-write", counts.trapped_writes),
            ("exit", "cr3-load", counts.address_space_loads),
            ("exit", "invlpg", counts.invalidations),
        )

    def _fill(self, space: AddressSpace, page: int, write: bool, leaf: Leaf) -> None:
        space.table.mark(page, write)
        backing = self._host(leaf.frame, write)
        marked = space.table.lookup(page)
        assert marked is not None
        entry = composed(page, marked, backing)
        recycled = self._tables.build(space, entry.level, page, leaf.level)
        self.counts.recycled_tables += len(recycled)
        self._drop_tables(recycled)
        self._entries[space].put(page, entry)
        self._used(space, entry.level, page)
        if entry.level == leaf.level == 1:
            self._prefetch(space, page)
        self._count_tables()

    def _prefetch(self, space: AddressSpace, page: int) -> None:
        first = page // self.prefetch * self.prefetch
        for near in range(first, first + self.prefetch):
            if self._entries[space].find(near) is None:
                self.counts.prefetched_entries += self._instantiate(space, near)

    def _instantiate(self, space: AddressSpace, page: int) -> bool:
        """Fill the entry of a page that nobody has asked for, if that takes no fault."""
        leaf = space.table.lookup(page)
        if leaf is None or leaf.level > 1 or not leaf.flags & ACCESSED:
            return False
        backing = self.pmap.find(leaf.frame)
        if backing is None:
            return False
        self._entries[space].put(page, composed(page, leaf, backing))
        return True

    def _written(self, space: AddressSpace, page: int, entries: int, level: int) -> None:
        span, pages = leaf_pages(level + 1), leaf_pages(level)
        end = page + entries * pages
        for table in self._tables.within(space, level, page // span, (end - 1) // span + 1):
            first = max(page, table.first_page)
            last = min(end, table.first_page + table.pages)
            self._written_in(table, range(first, last, pages))

    def _written_in(self, table: ShadowTable, pages: range) -> None:
        """Answer the writes of entries of one guest table that is shadowed."""
        if table.is_direct or not table.in_sync:
            return
        if table.level == 1 and self._unsync.limit != 0:
            self.counts.trapped_writes += 1
            self.counts.unsyncs += 1
            for oldest in self._unsync.let_go(table):
                self._resync(oldest)
            return
        for page in pages:
            self.counts.trapped_writes += 1
            table.idle_writes += 1
            if table.idle_writes == self.flood_writes:
                self.counts.flooded_tables += 1
                self._drop_tables([table])
                return
            self._follow(table.space, page, table.level)

    def _follow(self, space: AddressSpace, page: int, level: int) -> None:
        """Let the shadow follow a write it has seen: a large entry is dropped with all under it."""
        if level > 1:
            self._zap_below(space, page, level)
            return
        dropped = self._entries[space].drop_range(page, 1)
        if self.on_write == "update" and self._instantiate(space, page):
            self.counts.updated_entries += 1
        else:
            self.counts.dropped_entries += dropped

    def _zap_below(self, space: AddressSpace, page: int, level: int) -> None:
        pages = leaf_pages(level)
        self.counts.dropped_entries += self._entries[space].drop_range(page, pages)
        for below in range(1, level):
            number = page >> 9 * below
            tables = self._tables.within(space, below, number, number + (pages >> 9 * below))
            self._drop_tables(table for table in tables if table.is_direct)

    def _hooked(self, space: AddressSpace, tables: Ranges) -> None:
        super()._hooked(space, tables)
        top = space.table.levels
        if not self._tables.find(space, top, 0):
            self._reuse(space, top, 0)
        self._hook_writes(space, tables)
        for level in sorted(tables, reverse=True):
            for first, last in tables[level]:
                for number in range(first, last):
                    self._reuse(space, level, number)

    def _unhooked(self, space: AddressSpace, tables: Ranges) -> None:
        super()._unhooked(space, tables)
        self._hook_writes(space, tables)
        for level, ranges in tables.items():
            for first, last in ranges:
                gone = self._tables.within(space, level, first, last)
                self.counts.zapped_tables += len(gone)
                self._freed[level] += len(gone) * self.watches_freed
                self._drop_tables(gone)

    def _reuse(self, space: AddressSpace, level: int, number: int) -> None:
        """Let a new table be one that was freed and is still watched, if there is any."""
        if self._freed[level]:
            self._freed[level] -= 1
            self._tables.build(space, level, number * leaf_pages(level + 1), level)
            self._entries.setdefault(space, Entries())

    def _hook_writes(self, space: AddressSpace, tables: Ranges) -> None:
        """Answer writes of upper entries: their tables are always in sync."""
        for level, ranges in tables.items():
            for first, last in ranges:
                above = self._tables.within(space, level + 1, first >> 9, (last - 1 >> 9) + 1)
                for table in above:
                    low, high = table.number << 9, (table.number + 1) << 9
                    self.counts.trapped_writes += min(last, high) - max(first, low)

    def _invalidate(self, space: AddressSpace, page: int) -> None:
        if space in self._entries:
            self._look_again(space, page)

    def _look_again(self, space: AddressSpace, page: int) -> None:
        """Read the guest's entry behind a shadow entry, and let this say the same."""
        entry = self._entries[space].find(page)
        if entry is None or entry.guest_level > 1:
            return
        before, leaf = entry, space.table.lookup(page)
        self._entries[space].drop_range(page, 1)
        same = leaf is not None and leaf.frame == before.guest_frame
        if not (same and self._instantiate(space, page)):
            self.counts.dropped_entries += 1

    def _load(self, space: AddressSpace) -> None:
        for table in self._unsync.take(space):
            self._resync(table)

    def _resync(self, table: ShadowTable) -> None:
        self.counts.resyncs += 1
        self.counts.resynced_entries += ENTRIES
        table.in_sync = True
        table.idle_writes = 0
        for page in range(table.first_page, table.first_page + table.pages):
            self._look_again(table.space, page)

    def _exit(self, space: AddressSpace) -> None:
        tables = self._tables.of(space)
        self.counts.zapped_tables += len(tables)
        for table in tables:
            self._freed[table.level] += self.watches_freed and table.level == space.table.levels
        self._drop_tables(tables)
        self._entries.pop(space, None)

    def _dropped(self, frame: int, count: int) -> None:
        for entries in self._entries.values():
            self.counts.host_invalidations += entries.drop_frames(frame, count)

    def _drop_tables(self, tables: Iterable[ShadowTable]) -> None:
        """Free tables with their entries, and what stands for large guest pages in them.

        Tables under a freed one stay, as their guest tables are still watched; a hidden fault
        links them again.
        """
        doomed = dict.fromkeys(tables)
        for table in list(doomed):
            doomed |= dict.fromkeys(self._tables.under(table))
        self._tables.drop(doomed)
        for table in doomed:
            self._unsync.forget(table)
            entries = self._entries[table.space]
            dropped = entries.drop_range(table.first_page, table.pages, table.level)
            self.counts.dropped_entries += dropped
        self._count_tables()

    def _used(self, space: AddressSpace, level: int, page: int) -> None:
        table = self._tables.find(space, level, page)
        assert table is not None
        table.idle_writes = 0

    def _bypasses(self, space: AddressSpace, page: int) -> bool:
        if self.bypass == "none" or not self._tables.reaches(space, 1, page):
            return False
        table = self._tables.find(space, 1, page)
        return table is not None and (table.in_sync or self.bypass == "ideal")

    def _count_tables(self) -> None:
        self.counts.tables = len(self._tables)
        self.counts.peak_tables = max(self.counts.peak_tables, self.counts.tables)
