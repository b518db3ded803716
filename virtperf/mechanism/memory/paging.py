"""What every technique of memory virtualization answers: what happened, and how often."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.page_table import WRITABLE, Leaf, Ranges, leaf_pages, number_of
from virtperf.mechanism.memory.paging_counts import PagingCounts, Transitions
from virtperf.mechanism.memory.pmap import Backing, PMap


class Paging(ABC):
    """The memory of one VM under some technique. It spends no time; it counts.

    The guest's kernel changes its tables through `map`, `unmap`, `change` and `free_tables`, tells
    of invalidations and process switches, and accesses pages. Like real hardware, a technique may
    use an old translation until the guest invalidates it; a page that becomes present needs none.

    Parameters
    ----------
    pmap : PMap
        The host's map of this guest's memory.

    Attributes
    ----------
    counts : PagingCounts
        What happened so far.
    current : AddressSpace or None
        Whose table is loaded.
    """

    def __init__(self, pmap: PMap) -> None:
        self.pmap = pmap
        self.counts = PagingCounts()
        self.current: AddressSpace | None = None
        pmap.when_dropped.append(self._dropped)

    def access(self, space: AddressSpace, page: int, *, write: bool = False) -> bool:
        """Refer to a page; return whether that went through.

        If not, it is a true fault: the guest's kernel has it now.

        Raises
        ------
        ParameterError
            If another address space is loaded.
        """
        self._check_loaded(space)
        self.counts.accesses += 1
        return self._access(space, page, write)

    def sweep(self, space: AddressSpace, page: int, count: int, *, write: bool = False) -> int:
        """Refer to every page of a range, once and in order; return how many went through."""
        return sum(self.access(space, one, write=write) for one in range(page, page + count))

    def map(
        self,
        space: AddressSpace,
        page: int,
        frame: int,
        count: int = 1,
        *,
        flags: int = WRITABLE,
        level: int = 1,
    ) -> None:
        """Let the guest map pages to guest frames (see `PageTable.map`)."""
        written = space.table.map(page, frame, count, flags=flags, level=level)
        if written.hooked:
            self._hooked(space, written.hooked)
        self._count_writes(space, page, count, level, written.leaves)

    def unmap(self, space: AddressSpace, page: int, count: int = 1) -> int:
        """Let the guest clear the entries that are present in a range; return how many."""
        runs = list(space.table.leaves(page, count))
        cleared = space.table.unmap(page, count)
        self._count_runs(space, runs)
        return cleared

    def change(
        self,
        space: AddressSpace,
        page: int,
        count: int = 1,
        *,
        set: int = 0,
        clear: int = 0,
        rewrite: bool = False,
    ) -> int:
        """Let the guest set and clear flags; return how many entries that changed.

        Entries that have them so are not written, unless a kernel does not look: with `rewrite`.
        """
        runs = [
            run
            for run in space.table.leaves(page, count)
            if rewrite or (run[2].flags & ~clear | set) != run[2].flags
        ]
        changed = space.table.change(page, count, set=set, clear=clear)
        self._count_runs(space, runs)
        return changed

    def replace(self, space: AddressSpace, page: int, frame: int, *, flags: int) -> None:
        """Let the guest write another frame into the entry of a mapped 4 KiB page: one write.

        Raises
        ------
        ParameterError
            If the page is not mapped by an entry of its own.
        """
        leaf = space.table.lookup(page)
        if leaf is None or leaf.level != 1:
            raise ParameterError("paging", "page", "mapped by an entry of its own", page)
        space.table.unmap(page)
        self.map(space, page, frame, flags=flags)

    def free_tables(self, space: AddressSpace, page: int, count: int = 1) -> None:
        """Let the guest free those of its tables that map nothing, within a range."""
        freed = space.table.prune(page, count)
        if freed:
            self._unhooked(space, freed)

    def invalidate(self, space: AddressSpace, page: int) -> None:
        """Let the guest invalidate the translation of a page (INVLPG)."""
        self.counts.invalidations += 1
        self._invalidate(space, page)

    def switch_to(self, space: AddressSpace) -> None:
        """Let the guest load a base pointer: another process, or the same to flush everything."""
        self.counts.address_space_loads += 1
        self.current = space
        self._load(space)

    def flush(self) -> None:
        """Let the guest invalidate all that the process it runs has: it loads its base again."""
        assert self.current is not None
        self.switch_to(self.current)

    def exit_space(self, space: AddressSpace) -> None:
        """Forget what was kept for a process that has ended.

        Raises
        ------
        ParameterError
            If it is still loaded: a kernel switches away first.
        """
        if space is self.current:
            raise ParameterError("paging", "space", "switched away from before it ends", space)
        self._exit(space)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Stand for a region in which a ported kernel may put off its updates."""
        yield

    def transfer(self, frame: int, *, write: bool = False) -> Backing:
        """Let a device read or write a guest frame; the host must have it in memory."""
        return self._host(frame, write)

    @abstractmethod
    def translate(self, space: AddressSpace, page: int) -> int | None:
        """Return the machine frame that hardware finds for a read now, or None; change nothing."""

    @abstractmethod
    def transitions(self) -> Transitions:
        """Return how often what left the guest did, by transition and reason."""

    @abstractmethod
    def _access(self, space: AddressSpace, page: int, write: bool) -> bool: ...

    # What follows, a technique overrides if the event means something to it.

    def _written(  # noqa: B027
        self, space: AddressSpace, page: int, entries: int, level: int
    ) -> None:
        """Answer the guest's write of neighbouring leaf entries of `level`, from `page` on."""

    def _hooked(self, space: AddressSpace, tables: Ranges) -> None:
        """Answer the guest's writes of the entries that hook new tables in."""
        self.counts.pte_writes += number_of(tables)

    def _unhooked(self, space: AddressSpace, tables: Ranges) -> None:
        """Answer the guest's writes of the entries that freed tables hung on."""
        self.counts.pte_writes += number_of(tables)

    def _invalidate(self, space: AddressSpace, page: int) -> None: ...  # noqa: B027

    def _load(self, space: AddressSpace) -> None: ...  # noqa: B027

    def _exit(self, space: AddressSpace) -> None: ...  # noqa: B027

    def _dropped(self, frame: int, count: int) -> None:  # noqa: B027
        """Let go of guest frames whose backing the host takes away or breaks up."""

    def _host(self, frame: int, write: bool) -> Backing:
        """Return a guest frame's backing, with the host's faults counted."""
        backing = self.pmap.back(frame, write)
        self.counts.host_minor += backing.how == "minor"
        self.counts.host_major += backing.how == "major"
        return backing

    def _check_loaded(self, space: AddressSpace) -> None:
        if space is not self.current:
            raise ParameterError("paging", "space", f"{self.current}, which is loaded", space)

    def _count_writes(
        self, space: AddressSpace, page: int, count: int, level: int, entries: int
    ) -> None:
        self.counts.pte_writes += entries
        self._written(space, page, entries, level)

    def _count_runs(self, space: AddressSpace, runs: list[tuple[int, int, Leaf]]) -> None:
        for page, count, leaf in runs:
            self._count_writes(space, page, count, leaf.level, count // leaf_pages(leaf.level))
