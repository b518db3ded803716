"""Native paging: the guest's tables are the machine's."""

from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.page_table import ACCESSED, DIRTY
from virtperf.mechanism.memory.paging import Paging
from virtperf.mechanism.memory.paging_counts import Transitions
from virtperf.mechanism.memory.pmap import Backing


class NativePaging(Paging):
    """Bare metal, and containers: the hardware walks the kernel's own table (see `Paging`).

    A frame is a machine frame, so the host's map is the identity and nothing is ever missing.

    Examples
    --------
    >>> from virtperf.mechanism.memory.pmap import PMap
    >>> native, shell = NativePaging(PMap(1 << 20)), AddressSpace("shell")
    >>> native.switch_to(shell)
    >>> native.map(shell, page=0, frame=0, count=1 << 20)
    >>> native.sweep(shell, 0, 1 << 20), native.access(shell, 1 << 20)
    (1048576, False)
    """

    def _access(self, space: AddressSpace, page: int, write: bool) -> bool:
        leaf = space.table.lookup(page)
        if leaf is None or not leaf.allows(write):
            self.counts.true_faults += 1
            return False
        space.table.mark(page, write)
        return True

    def sweep(self, space: AddressSpace, page: int, count: int, *, write: bool = False) -> int:
        """Refer to every page of a range at once (see `Paging.sweep`)."""
        self._check_loaded(space)
        runs = [run for run in space.table.leaves(page, count) if run[2].allows(write)]
        done = sum(pages for _, pages, _ in runs)
        self.counts.accesses += count
        self.counts.true_faults += count - done
        for first, pages, _ in runs:
            mark_all(space, first, pages, write)
        return done

    def translate(self, space: AddressSpace, page: int) -> int | None:
        """Return what the kernel's table says."""
        leaf = space.table.lookup(page)
        return None if leaf is None else leaf.frame

    def transfer(self, frame: int, *, write: bool = False) -> Backing:
        """Return the frame itself."""
        return Backing(frame, 1, "resident")

    def transitions(self) -> Transitions:
        """Return nothing: there is nowhere to go."""
        return {}


def mark_all(space: AddressSpace, page: int, count: int, write: bool) -> None:
    """Mark the leaves of a range accessed, or dirty too; those it cuts are marked as a whole."""
    marks = ACCESSED | (DIRTY if write else 0)
    for edge in (page, page + count - 1):
        space.table.mark(edge, write)
    for start, pages, leaf in list(space.table.leaves(page, count)):
        if leaf.flags & marks != marks:
            space.table.change(start, pages, set=marks)
