"""Direct (paravirtual) page tables: hardware walks the guest's own, the hypervisor writes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.page_table import ENTRIES, WRITABLE, Ranges, number_of
from virtperf.mechanism.memory.paging import Paging
from virtperf.mechanism.memory.paging_counts import Transitions, transitions
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.multicall import MulticallQueue

_ARGUMENT_BYTES = {"mmu_update": 16, "mmuext_op": 24, "update_va_mapping": 0}
# Of the queue's buffer, on 64 bits; the last has its arguments in the call itself (Xen, xen.h).


class DirectPaging(Paging):
    """Tables that a ported guest reads itself and changes by hypercall (see `Paging`).

    The entries hold machine frames, so all of the guest's memory is there from the beginning: what
    it was never given, or gave back to a balloon, it may not map. Its tables are read-only to it
    once they are pinned. A fault comes to the hypervisor, which bounces it to the guest.

    Parameters
    ----------
    pmap : PMap
    guest : {'ported', 'unmodified'}
    updates : {'hypercall', 'trapped'}
        Whether the guest asks for updates, or writes and has each write trapped and emulated.
    pins : {'load', 'first', 'kept'}
        When a process's tables are pinned: when it is first loaded, until when they are built
        freely (Linux since 2.6.23), or before their first entry is written. ``'kept'`` is that,
        and freed tables stay pinned in lists, for the next process; a table that is hooked in has
        the queue flushed (the port of 2003: XenoLinux 2.4.21, asm-xeno/pgalloc.h).
    queue : MulticallQueue, optional
        Where requests of a batch wait; outside of `batch`, each goes at once.

    Raises
    ------
    ParameterError
        If the guest is not ported, or the host would page its memory out.
    """

    def __init__(
        self,
        pmap: PMap,
        *,
        guest: Literal["ported", "unmodified"] = "ported",
        updates: Literal["hypercall", "trapped"] = "hypercall",
        pins: Literal["load", "first", "kept"] = "load",
        queue: MulticallQueue | None = None,
    ) -> None:
        if guest != "ported":
            rule = "ported: its own tables hold machine frames, and it has to ask for each change"
            raise ParameterError("direct", "guest", rule, guest)
        if updates not in ("hypercall", "trapped"):
            raise ParameterError("direct", "updates", "hypercall or trapped", updates)
        if pins not in ("load", "first", "kept"):
            raise ParameterError("direct", "pins", "load, first or kept", pins)
        if pmap.limited:
            rule = "without a limit: the host cannot page out frames whose numbers the guest holds"
            raise ParameterError("direct", "pmap", rule, "a limit")
        super().__init__(pmap)
        self.updates = updates
        self.pins = pins
        self.queue = queue or MulticallQueue()
        self._pinned: set[AddressSpace] = set()
        self._kept = 0
        self._is_batching = False
        pmap.populate(0, pmap.guest_frames)

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
        """Let the guest map frames it owns (see `Paging.map`).

        Raises
        ------
        ParameterError
            If it does not own one of them.
        """
        if sum(run.length for run in self.pmap.runs(frame, frame + count)) != count:
            raise ParameterError("direct", "frame", "frames that the guest owns", frame)
        if self.pins != "load" and space not in self._pinned and not space.table.mapped_pages:
            self.pin(space)
        super().map(space, page, frame, count, flags=flags, level=level)

    def pin(self, space: AddressSpace) -> None:
        """Have the tables of a process checked and made read-only, at once: after that, ask.

        Linux does so when a new process is first loaded, and builds its tables freely until then.
        """
        self._fix(space, pinned=True)

    def unpin(self, space: AddressSpace) -> None:
        """Take the tables of a process back, as before they are torn down."""
        self._fix(space, pinned=False)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Put off updates, as in lazy mode, to the end of the region or until the queue is full."""
        outer, self._is_batching = self._is_batching, True
        try:
            yield
        finally:
            self._is_batching = outer
            if not outer:
                self._issue()

    def flush(self) -> None:
        """Ask for it, within a batch with the updates that have waited for it."""
        if self._is_batching:
            self._ask("mmuext_op")
            self._issue()
        else:
            super().flush()

    def translate(self, space: AddressSpace, page: int) -> int | None:
        """Return what the guest's table says, in machine frames."""
        leaf = space.table.lookup(page)
        backing = None if leaf is None else self.pmap.find(leaf.frame)
        return None if backing is None else backing.frame

    def transitions(self) -> Transitions:
        """Return what was asked for; what waited in a queue for others is told as a multicall."""
        counts = self.counts
        return transitions(
            ("reflect", "page-fault", counts.true_faults),
            ("hypercall", "mmu_update", counts.unbatched_updates),
            ("multicall", "mmu_update", counts.hypercall_updates - counts.unbatched_updates),
            ("hypercall", "mmuext_op", counts.unbatched_operations),
            ("multicall", "mmuext_op", counts.hypercall_operations - counts.unbatched_operations),
            ("hypercall", "new_baseptr", counts.address_space_loads),
            ("exit", "pte-write", counts.trapped_writes),
        )

    def _access(self, space: AddressSpace, page: int, write: bool) -> bool:
        leaf = space.table.lookup(page)
        if leaf is None or not leaf.allows(write):
            self.counts.true_faults += 1
            return False
        space.table.mark(page, write)
        return True

    def _written(self, space: AddressSpace, page: int, entries: int, level: int) -> None:
        if space not in self._pinned:
            return
        if self.updates == "trapped" and level == 1:
            self.counts.trapped_writes += entries
            return
        for _ in range(entries):
            self._ask("mmu_update")

    def _hooked(self, space: AddressSpace, tables: Ranges) -> None:
        super()._hooked(space, tables)
        if space in self._pinned:
            for _ in range(number_of(tables)):
                new = 1 - self._take_kept(1)
                self._ask(*(("update_va_mapping", "mmuext_op") * new), "mmu_update")
                self._validate(new)
                if self.pins == "kept":
                    self._issue()

    def _unhooked(self, space: AddressSpace, tables: Ranges) -> None:
        super()._unhooked(space, tables)
        if space in self._pinned:
            for _ in range(number_of(tables)):
                if self.pins == "kept":
                    self._kept += 1
                    self._ask("mmu_update")
                else:
                    self._ask("mmu_update", "mmuext_op", "update_va_mapping")

    def _invalidate(self, space: AddressSpace, page: int) -> None:
        self._ask("mmuext_op")

    def _load(self, space: AddressSpace) -> None:
        if space not in self._pinned:
            self.pin(space)
        self.counts.hypercalls += 1

    def _exit(self, space: AddressSpace) -> None:
        if space in self._pinned:
            self.unpin(space)

    def _dropped(self, frame: int, count: int) -> None:
        """Do nothing: a guest has unmapped what it gives to a balloon, or the call fails."""

    def _fix(self, space: AddressSpace, *, pinned: bool) -> None:
        if (space in self._pinned) is pinned:
            rule = f"{'not ' if pinned else ''}pinned before it is {'' if pinned else 'un'}pinned"
            raise ParameterError("direct", "space", rule, space)
        tables = sum(space.table.tables.values())
        if pinned:
            self._pinned.add(space)
            tables -= self._take_kept(tables)
            self._validate(tables)
        else:
            self._pinned.remove(space)
            if self.pins == "kept":
                self._kept += tables
                return
        if tables:
            with self.batch():
                for _ in range(tables):
                    self._ask("update_va_mapping")
                self._ask("mmuext_op")

    def _take_kept(self, tables: int) -> int:
        """Return how many of so many new tables have been kept, pinned, from those that ended."""
        taken = min(tables, self._kept)
        self._kept -= taken
        return taken

    def _validate(self, tables: int) -> None:
        self.counts.pinned_tables += tables
        self.counts.validated_entries += tables * ENTRIES

    def _ask(self, *kinds: str) -> None:
        """Queue requests that belong together; outside of a batch they go, and nothing else."""
        updates = kinds.count("mmu_update")
        self.counts.hypercall_updates += updates
        self.counts.hypercall_operations += len(kinds) - updates
        for kind in kinds:
            flushed = self.queue.add(_ARGUMENT_BYTES[kind], kind)
            self.counts.hypercalls += flushed is not None
        if not self._is_batching:
            if len(kinds) == 1:
                self.counts.unbatched_updates += updates
                self.counts.unbatched_operations += 1 - updates
            self._issue()

    def _issue(self) -> None:
        self.counts.hypercalls += self.queue.flush() is not None
