"""Shadow tables whose guest tables are written freely for a while."""

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.shadow_tables import ShadowTable


class OutOfSync:
    """The shadow tables that are out of sync, oldest first.

    Parameters
    ----------
    limit : int, optional
        Most of them at a time; 0 lets none out of sync, None any number.

    Raises
    ------
    ParameterError
        If the limit is negative.

    References
    ----------
    .. [1] Xen, ``arch/x86/mm/shadow``: 3 tables per vCPU. Linux 2.6.28, ``arch/x86/kvm/mmu.c``,
       ``kvm_unsync_page``.
    """

    def __init__(self, limit: int | None) -> None:
        if limit is not None and limit < 0:
            raise ParameterError("shadow", "out_of_sync", "at least 0, or none", limit)
        self.limit = limit
        self._tables: dict[ShadowTable, None] = {}

    def __len__(self) -> int:
        return len(self._tables)

    def let_go(self, table: ShadowTable) -> list[ShadowTable]:
        """Let a table out of sync; return those that must come back for it."""
        back = []
        if self.limit is not None and len(self._tables) == self.limit:
            back = [next(iter(self._tables))]
            self.forget(back[0])
        table.in_sync = False
        self._tables[table] = None
        return back

    def take(self, space: AddressSpace) -> list[ShadowTable]:
        """Return the tables of a space, which are to be brought in sync; they count no longer."""
        back = [table for table in self._tables if table.space is space]
        for table in back:
            self.forget(table)
        return back

    def forget(self, table: ShadowTable) -> None:
        """Let a table go that is in sync, or is no more."""
        self._tables.pop(table, None)
