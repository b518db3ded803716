"""TLB emulation: one table per VM stands for the TLB, and is emptied as often."""

from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.entries import Entries, composed
from virtperf.mechanism.memory.paging import Paging
from virtperf.mechanism.memory.paging_counts import Transitions, transitions
from virtperf.mechanism.memory.pmap import PMap


class TlbEmulation(Paging):
    """A virtual TLB: filled by hidden faults, emptied when the guest loads CR3 (see `Paging`).

    The guest's tables are not watched. They need not be: it has to invalidate what it changes, as
    on a real TLB, and each invalidation leaves to the hypervisor, which drops the entry.

    Parameters
    ----------
    pmap : PMap
    keep_global : bool
        Whether entries of pages marked global outlive a load of CR3.

    Examples
    --------
    >>> vm, shell = TlbEmulation(PMap(1024)), AddressSpace("shell")
    >>> vm.switch_to(shell)
    >>> vm.map(shell, page=0, frame=0, count=4)
    >>> [vm.access(shell, page) for page in (0, 1, 0, 9)]
    [True, True, True, False]
    >>> vm.counts.hidden_missing, vm.counts.true_faults
    (2, 1)
    """

    def __init__(self, pmap: PMap, *, keep_global: bool = False) -> None:
        super().__init__(pmap)
        self.keep_global = keep_global
        self._entries = Entries()

    def __len__(self) -> int:
        """Entries that are filled in."""
        return len(self._entries)

    def _access(self, space: AddressSpace, page: int, write: bool) -> bool:
        entry = self._entries.find(page)
        if entry is not None and (entry.writable or not write):
            if self.pmap.limited:
                self.pmap.back(entry.guest_frame, write)
            return True
        leaf = space.table.lookup(page)
        if leaf is None or not leaf.allows(write):
            self.counts.true_faults += 1
            return False
        if entry is None:
            self.counts.hidden_missing += 1
        else:
            self.counts.hidden_dirty += 1
        space.table.mark(page, write)
        backing = self._host(leaf.frame, write)
        marked = space.table.lookup(page)
        assert marked is not None
        self._entries.put(page, composed(page, marked, backing))
        return True

    def translate(self, space: AddressSpace, page: int) -> int | None:
        """Return what the emulated TLB holds."""
        entry = self._entries.find(page) if space is self.current else None
        return None if entry is None else entry.at(page)

    def transitions(self) -> Transitions:
        """Return the exits; each true fault is handed on to the guest besides."""
        counts = self.counts
        return transitions(
            ("exit", "page-fault", counts.true_faults),
            ("reflect", "page-fault", counts.true_faults),
            ("exit", "hidden-fault", counts.hidden_faults),
            ("exit", "cr3-load", counts.address_space_loads),
            ("exit", "invlpg", counts.invalidations),
        )

    def _invalidate(self, space: AddressSpace, page: int) -> None:
        self.counts.dropped_entries += self._entries.invalidate(page)

    def _load(self, space: AddressSpace) -> None:
        self.counts.dropped_entries += self._entries.clear(self.keep_global)

    def _dropped(self, frame: int, count: int) -> None:
        self.counts.host_invalidations += self._entries.drop_frames(frame, count)
