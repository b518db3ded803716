"""Nested paging (EPT, NPT): the guest's tables are its own, and a second one maps its frames."""

from typing import Literal

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.native import mark_all
from virtperf.mechanism.memory.page_table import DIRTY, WRITABLE, PageTable, leaf_pages
from virtperf.mechanism.memory.paging import Paging
from virtperf.mechanism.memory.paging_counts import Transitions, transitions
from virtperf.mechanism.memory.pmap import PMap


class NestedPaging(Paging):
    """A second table from guest frames to machine frames, filled by violations (see `Paging`).

    True faults, writes of tables, invalidations and loads of CR3 stay in the guest, whether it is
    unmodified or a ported one in a hardware container. What is missing in the second table, or
    write-protected there, is a violation. The guest frames in which the guest keeps its page
    tables are not in it: `dense_tables` says how many there are.

    Parameters
    ----------
    pmap : PMap
        Its page size is that of the second table's leaves.
    levels : {4, 5}
        Of the second table.
    accessed_dirty : bool
        Whether hardware marks its leaves accessed and dirty. Without it (EPT before Haswell) a
        dirty log has to write-protect them, and each first write is a violation.
    fault_around : int
        Aligned host pages mapped upon one violation, as far as they are backed; 1 for none.

    Attributes
    ----------
    table : PageTable
        The second table, indexed by guest frame.

    Examples
    --------
    >>> vm, shell = NestedPaging(PMap(1 << 27)), AddressSpace("shell")  # 512 GiB
    >>> vm.switch_to(shell)
    >>> vm.map(shell, page=0, frame=0, count=1 << 27)
    >>> vm.sweep(shell, 0, 1 << 27)
    134217728
    >>> vm.counts.violations, sum(vm.table.tables.values())
    (134217728, 262658)
    """

    def __init__(
        self,
        pmap: PMap,
        *,
        levels: Literal[4, 5] = 4,
        accessed_dirty: bool = True,
        fault_around: int = 1,
    ) -> None:
        if fault_around < 1:
            raise ParameterError("NestedPaging", "fault_around", "at least 1", fault_around)
        super().__init__(pmap)
        self.table = PageTable(levels)
        self.accessed_dirty = accessed_dirty
        self.fault_around = fault_around
        self._logging = self._has_logged = False
        self._count_tables()

    def _access(self, space: AddressSpace, page: int, write: bool) -> bool:
        leaf = space.table.lookup(page)
        if leaf is None or not leaf.allows(write):
            self.counts.true_faults += 1
            return False
        space.table.mark(page, write)
        self._reach(leaf.frame, write)
        return True

    def sweep(self, space: AddressSpace, page: int, count: int, *, write: bool = False) -> int:
        """Refer to every page of a range, by runs of them (see `Paging.sweep`)."""
        if self.pmap.limited or self.pmap.is_broken or self._has_logged or self.fault_around > 1:
            return super().sweep(space, page, count, write=write)
        self._check_loaded(space)
        runs = [run for run in space.table.leaves(page, count) if run[2].allows(write)]
        done = sum(pages for _, pages, _ in runs)
        self.counts.accesses += count
        self.counts.true_faults += count - done
        for first, pages, leaf in runs:
            mark_all(space, first, pages, write)
            self._reach_all(leaf.frame, pages)
        return done

    def translate(self, space: AddressSpace, page: int) -> int | None:
        """Return what the two tables together say."""
        leaf = space.table.lookup(page)
        second = None if leaf is None else self.table.lookup(leaf.frame)
        return None if second is None else second.frame

    def transitions(self) -> Transitions:
        """Return the violations: nothing else leaves."""
        return transitions(("exit", "ept-violation", self.counts.violations))

    def start_dirty_log(self) -> None:
        """Begin to note which guest frames are written, by 4 KiB: large leaves are split."""
        self._logging = self._has_logged = True
        for first, count, leaf in list(self.table.leaves()):
            for level in range(leaf.level, 1, -1):
                for frame in range(first, first + count, leaf_pages(level)):
                    self.table.split(frame)
        self._count_tables()
        self.take_dirty_log()

    def take_dirty_log(self) -> list[tuple[int, int]]:
        """Return (first, number) of the guest frames written since last time, and begin anew.

        Frames in which the guest keeps its tables are missing from it: with accessed and dirty
        flags, hardware counts its own reads of them as writes, so a real log has them too.
        """
        dirty = [(at, n) for at, n, leaf in self.table.leaves() if leaf.flags & DIRTY]
        protect = 0 if self.accessed_dirty else WRITABLE
        for first, count, _ in list(self.table.leaves()):
            changed = self.table.change(first, count, clear=DIRTY | protect)
            self.counts.host_invalidations += changed
        return dirty

    def stop_dirty_log(self) -> None:
        """Note writes no longer. Leaves stay small, and protected until they are written."""
        self._logging = False

    def _reach(self, frame: int, write: bool) -> None:
        second = self.table.lookup(frame)
        if second is None or not second.allows(write):
            self.counts.violations += 1
            backing = self._host(frame, write)
            if second is None:
                self._fill_around(frame, backing.level, write)
            else:
                self.table.change(frame, set=WRITABLE)
        elif self.pmap.limited:
            self.pmap.back(frame, write)
        if self._logging and write:
            self.table.change(frame, set=DIRTY)

    def _reach_all(self, frame: int, count: int) -> None:
        """Do at once what `_reach` does for frame after frame of host pages that are whole."""
        pages = leaf_pages(self.pmap.level)
        first, last = frame // pages * pages, -(-(frame + count) // pages) * pages
        for start, end in self.table.gaps(first, last):
            self.counts.host_minor += self.pmap.populate(start, end - start)
            if self.pmap.is_broken:  # the host had to piece a page together
                for one in range(max(start, frame), min(end, frame + count)):
                    self._reach(one, write=False)
                continue
            self.counts.violations += (end - start) // pages
            self._install(start, end)

    def _fill_around(self, frame: int, level: int, write: bool) -> None:
        pages = leaf_pages(level)
        first = frame // pages * pages
        if self._logging or self.table.is_mapped(first, pages):
            first, pages = frame, 1
        self._install(first, first + pages, protected=not write)
        around = self.fault_around * pages
        start = frame // around * around
        for one in range(start, start + around, pages):
            near = self.pmap.find(one) if one < self.pmap.guest_frames else None
            fits = near is not None and (pages == 1 or near.level == level)
            if fits and not self.table.is_mapped(one, pages):
                self._install(one, one + pages, protected=True)

    def _install(self, start: int, end: int, protected: bool = False) -> None:
        """Map a range as the host backs it; while writes are logged by faults, as read-only."""
        protect = protected and self._logging and not self.accessed_dirty
        for run in list(self.pmap.runs(start, end)):
            level = run.tag if run.length >= leaf_pages(run.tag) else 1
            flags = 0 if protect else WRITABLE
            self.table.map(run.start, run.value, run.length, flags=flags, level=level)
        self._count_tables()

    def _count_tables(self) -> None:
        self.counts.tables = sum(self.table.tables.values())
        self.counts.peak_tables = max(self.counts.peak_tables, self.counts.tables)

    def _dropped(self, frame: int, count: int) -> None:
        self.counts.host_invalidations += self.table.unmap(frame, count)
