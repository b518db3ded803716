"""A guest's kernel as far as paging goes: areas, demand paging, a limit of resident pages."""

from collections import Counter
from typing import Literal

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.frames import FramePool
from virtperf.mechanism.memory.page_table import ACCESSED, DIRTY, ENTRIES, WRITABLE, Leaf
from virtperf.mechanism.memory.paging import Paging
from virtperf.mechanism.memory.paging_counts import FaultCounts
from virtperf.mechanism.memory.resident import Resident
from virtperf.mechanism.memory.runs import Runs

FLUSH_CEILING = 33
"""Pages up to which Linux invalidates one by one; beyond, it loads the base pointer again
(arch/x86/mm/tlb.c, tlb_single_page_flush_ceiling)."""
_WRITTEN = WRITABLE | ACCESSED | DIRTY
_Page = tuple[AddressSpace, int]


class Guest:
    """Map pages when they are first used, and take them away when memory is short.

    It works on any technique, and does what a kernel on bare metal would: what that costs is what
    the technique counts. A page begins as zeros; one that was written is written to the disk when
    it has to go, and comes back by a major fault.

    Parameters
    ----------
    paging : Paging
    frames : FramePool
        Guest frames it may use.
    resident : int, optional
        Most pages that are mapped at a time, of all its processes.
    policy : {'lru', 'clock'}
        The clock clears accessed flags as it goes, which are writes of table entries.
    flush_ceiling : int
        Pages up to which it invalidates one by one (1 in Linux 2.4, 33 since 3.16).
    rewrites : bool
        Whether fork protects each entry of a writable area, even if it is protected, as Linux did
        until 2018 [1]_. Its port to Xen looked first.
    flushes_areas : bool
        Whether exit flushes after each area, as Linux 2.4 did on one processor [2]_, or does not.

    Attributes
    ----------
    counts : FaultCounts
        The kernel's own.

    Raises
    ------
    ParameterError
        If the limit is below what one instruction may need.

    References
    ----------
    .. [1] Linux 2.4.16, mm/memory.c, ``copy_page_range``; commit 1b2de5d039c8, "mm/cow: don't
       bother write protecting already write-protected pages".
    .. [2] Linux 2.4.16, mm/mmap.c, ``exit_mmap``; include/asm-generic/tlb.h, where
       ``tlb_finish_mmu`` is ``flush_tlb_range``; include/asm-i386/pgalloc.h, where that is a load
       of CR3.

    Examples
    --------
    >>> from virtperf.mechanism.memory.nested_paging import NestedPaging
    >>> from virtperf.mechanism.memory.pmap import PMap
    >>> guest = Guest(NestedPaging(PMap(1024)), FramePool(1024), resident=6)
    >>> shell = AddressSpace("shell")
    >>> guest.add_area(shell, page=0, count=100)
    >>> guest.paging.switch_to(shell)
    >>> for page in (*range(7), 0):
    ...     _ = guest.access(shell, page, write=True)
    >>> guest.counts
    FaultCounts(minor=7, major=1, copied=0, page_outs=2, discarded=0)
    """

    def __init__(
        self,
        paging: Paging,
        frames: FramePool,
        *,
        resident: int | None = None,
        policy: Literal["lru", "clock"] = "lru",
        flush_ceiling: int = FLUSH_CEILING,
        rewrites: bool = False,
        flushes_areas: bool = False,
    ) -> None:
        if flush_ceiling < 1:
            raise ParameterError("guest", "flush_ceiling", "at least 1", flush_ceiling)
        self.paging = paging
        self.flush_ceiling = flush_ceiling
        self.rewrites = rewrites
        self.flushes_areas = flushes_areas
        self.frames = frames
        self.counts = FaultCounts()
        self.resident: Resident[_Page] | None = None
        if resident is not None:
            self.resident = Resident(resident, policy)
        self._areas: dict[AddressSpace, Runs] = {}
        self._on_disk: dict[AddressSpace, set[int]] = {}
        self._sharers: Counter[int] = Counter()

    def add_area(
        self, space: AddressSpace, page: int, count: int, *, writable: bool = True
    ) -> None:
        """Let a process use a range of pages; none of them is mapped yet (mmap)."""
        areas = self._areas.setdefault(space, Runs())
        if areas.count(page, page + count):
            raise ParameterError("guest", "page", "in no area yet", page)
        areas.put(page, page + count, page, WRITABLE if writable else 0)

    def access(self, space: AddressSpace, page: int, *, write: bool = False) -> bool:
        """Refer to a page, faults included; return False if the process may not."""
        while not self.paging.access(space, page, write=write):
            if not self._fault(space, page, write):
                return False
        if self.resident is not None:
            self.resident.use((space, page))
        return True

    def add_kernel(self, space: AddressSpace, pages: dict[int, int]) -> None:
        """Let a process have the kernel's own pages, each in its frame, without an area.

        The kernel's part is the same in the tables of all processes: nobody writes its entries
        when a process comes or goes.
        """
        for page, frame in pages.items():
            space.table.map(page, frame, flags=_WRITTEN)

    def remove_area(self, space: AddressSpace, page: int, count: int) -> int:
        """Unmap a range, free its frames and tables (munmap); return how many were mapped."""
        runs = list(space.table.leaves(page, count))
        with self.paging.batch():
            self.paging.unmap(space, page, count)
            self.paging.free_tables(space, page, count)
        mapped = [(first + i, leaf.frame + i) for first, n, leaf in runs for i in range(n)]
        self._flush(space, [one for one, _ in mapped])
        for one, frame in mapped:
            if self.resident is not None:
                self.resident.drop((space, one))
            self._free(frame)
        here = self._on_disk.get(space, set())
        here -= {one for one in here if page <= one < page + count}
        self._areas[space].remove(page, page + count)
        return len(mapped)

    def fork(self, parent: AddressSpace, child: AddressSpace) -> None:
        """Copy the table of a process; what it may write is shared and read-only until written.

        Every entry that is present is copied, as in Linux before it left out those of files.

        Raises
        ------
        ParameterError
            If there is a limit of resident pages: whose a shared page is, is not modelled.
        """
        if self.resident is not None:
            raise ParameterError("guest", "resident", "unlimited to fork", self.resident.limit)
        self._areas[child] = Runs()
        with self.paging.batch():
            for area in self._areas[parent].all():
                self._areas[child].put(*area)
                again = self.rewrites and area.tag & WRITABLE > 0
                for page, count, leaf in list(parent.table.leaves(area.start, area.length)):
                    self.paging.change(parent, page, count, clear=WRITABLE, rewrite=again)
                    flags = leaf.flags & ~(WRITABLE | ACCESSED)
                    self.paging.map(child, page, leaf.frame, count, flags=flags, level=leaf.level)
                    self._sharers.update(range(leaf.frame, leaf.frame + count))
        if parent is self.paging.current:
            self.paging.flush()

    def exit(self, space: AddressSpace, successor: AddressSpace) -> None:
        """End a process: its entries are cleared and its tables freed while it is still loaded."""
        areas = self._areas.pop(space, Runs()).all()
        runs = [run for area in areas for run in space.table.leaves(area.start, area.length)]
        with self.paging.batch():
            for area in areas:
                self.paging.unmap(space, area.start, area.length)
                if self.flushes_areas:
                    self.paging.flush()
            if self.flushes_areas:
                self.paging.flush()
            self.paging.free_tables(space, 0, ENTRIES**space.table.levels)
        self.paging.switch_to(successor)
        self.paging.exit_space(space)
        for page, count, leaf in runs:
            for offset in range(count):
                if self.resident is not None:
                    self.resident.drop((space, page + offset))
                self._free(leaf.frame + offset)
        self._on_disk.pop(space, None)

    def give_frames(self, count: int) -> list[tuple[int, int]]:
        """Give up frames, as to a balloon: free ones, and those of pages that must go for it.

        Returns
        -------
        list of (int, int)
            First frame and number of each run.

        Raises
        ------
        ParameterError
            If not even all resident pages together free so many.
        """
        can = self.frames.free + (0 if self.resident is None else len(self.resident))
        if count > can:
            raise ParameterError("guest", "count", f"at most the {can} frames it can free", count)
        while self.resident is not None and self.frames.free < count:
            self._evict(*self.resident.victim(self._take_accessed))
        return self.frames.take_pieces(count)

    def _fault(self, space: AddressSpace, page: int, write: bool) -> bool:
        """Handle a true fault; return False if it is the process's own."""
        area = self._areas.get(space, Runs()).find(page)
        if area is None or (write and not area.tag & WRITABLE):
            return False
        leaf = space.table.lookup(page)
        if leaf is not None:
            self._copy(space, page, leaf)
            return True
        if page in self._on_disk.get(space, ()):
            self.counts.major += 1
            frame = self._take_frame(space, page)
            self.paging.transfer(frame, write=True)
        else:
            self.counts.minor += 1
            frame = self._take_frame(space, page)
        flags = area.tag | ACCESSED | (DIRTY if write else 0)
        self.paging.map(space, page, frame, flags=flags)
        return True

    def _copy(self, space: AddressSpace, page: int, leaf: Leaf) -> None:
        """Give a process a page of its own that it shared until now, or just let it write."""
        self.counts.minor += 1
        with self.paging.batch():
            if self._sharers[leaf.frame] == 0:
                self.paging.change(space, page, set=_WRITTEN)
            else:
                self.counts.copied += 1
                self._free(leaf.frame)
                self.paging.replace(space, page, self._take_frame(space, page), flags=_WRITTEN)
            self._flush(space, [page])

    def _take_frame(self, space: AddressSpace, page: int) -> int:
        if self.resident is not None:
            if self.resident.is_full:
                self._evict(*self.resident.victim(self._take_accessed))
            self.resident.add((space, page))
        frame = self.frames.take()
        if frame is None and self.resident is not None and len(self.resident) > 1:
            self._evict(*self.resident.victim(self._take_accessed))
            frame = self.frames.take()
        if frame is None:
            rule = "enough for what is mapped, or more than the resident limit"
            raise ParameterError("guest", "frames", rule, self.frames.total)
        return frame

    def _evict(self, space: AddressSpace, page: int) -> None:
        """Take a page away; what the disk does not have is written to it first."""
        leaf = space.table.lookup(page)
        assert leaf is not None
        self.paging.unmap(space, page)
        self._flush(space, [page])
        if leaf.flags & DIRTY:
            self.counts.page_outs += 1
            self._on_disk.setdefault(space, set()).add(page)
            if self.paging.transfer(leaf.frame).how == "major":
                self.paging.counts.double_pagings += 1
        else:
            self.counts.discarded += 1
        self._free(leaf.frame)

    def _take_accessed(self, where: _Page) -> bool:
        return self.paging.change(*where, clear=ACCESSED) > 0

    def _free(self, frame: int) -> None:
        if self._sharers[frame]:
            self._sharers[frame] -= 1
        else:
            self.frames.give(frame)

    def _flush(self, space: AddressSpace, pages: list[int]) -> None:
        """Invalidate pages one by one, or all at once if they are many."""
        if space is not self.paging.current:
            return
        if len(pages) > self.flush_ceiling:
            self.paging.flush()
        else:
            for page in pages:
                self.paging.invalidate(space, page)
