"""The memory of an emulated machine: every access is looked up in a software TLB.

What the accesses cost is part of the code, see the CPU technique; here is what its misses and
flushes ask for.
"""

from virtperf.path import Path, leave
from virtperf.technique.memory.host_fault import page_in, zeroed
from virtperf.technique.memory.native import Native


class Softmmu(Native):
    """A software TLB (see `MemoryTechnique`)."""

    dimensions = 0

    def page_fault(self) -> Path:
        """Return the guest's handling between two misses: before it, and of the access again."""
        return (leave("tlb-miss", "kernel"), *super().page_fault(), leave("tlb-miss", "kernel"))

    def first_touch(self) -> Path:
        """Return a miss of the software TLB, which walks the guest's table."""
        return (leave("tlb-miss", "kernel"),)

    def tlb_flush(self) -> Path:
        """Return the guest's flush, and that of the software TLB."""
        return (*super().tlb_flush(), leave("tlb-flush", "kernel"))

    def address_space(self) -> Path:
        """Return the guest's switch, and the flush of the software TLB."""
        return (*super().address_space(), leave("tlb-flush", "kernel"))

    def fresh_page(self) -> Path:
        """Return the host's allocation: the emulator is a process that touches new memory."""
        return zeroed(self._costs)

    def host_page_in(self) -> Path:
        """Return the fault of the emulator's process: its software TLB knows nothing of it."""
        return page_in(self._costs)
