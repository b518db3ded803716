"""TLB emulation: one table for the whole VM, which the hypervisor fills as hardware fills a TLB.

The table is what the hardware walks. It is empty after each load of CR3 by the guest, and gets an
entry at the first access to each page behind it: a hidden fault. Nobody has to watch the guest's
tables, for like hardware it may be out of date until the guest invalidates; but a process that
comes back has nothing left of what it had.
"""

from virtperf.path import Path, leave
from virtperf.technique.memory.native import own
from virtperf.technique.memory.shadow import FILL, WALK, Shadow

EMPTY = """
    mov  edi, [vcpu.table]
    mov  [edi + user], 0        ; the table's root forgets both halves; what hung there is free
    mov  [edi + kernel], 0
    inc  [vcpu.generation]
"""
"""Empty the table."""


class TlbEmulation(Shadow):
    """A table that is emptied at each process switch (see `MemoryTechnique`)."""

    def pte_write(self) -> Path:
        """Return one store: nobody watches."""
        return own("pte_write")

    def address_space(self) -> Path:
        """Return the load of CR3, and the hidden faults of all that the next turn touches."""
        pages = self._costs.count("turn_pages") if "turn_pages" in self._costs else 1
        return (
            leave("cr3-load", "kernel"),
            *self._software(EMPTY),
            *own("address_space"),
            *(leave("hidden-fault", "kernel"), *self._software(WALK + FILL)) * pages,
        )
