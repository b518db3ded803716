"""Native paging: the guest's page tables are the machine's, as on bare metal and in containers."""

from virtperf.path import Path, Transition
from virtperf.technique.costs import Costs


def own(operation: str) -> Path:
    """Return what the guest's kernel does itself."""
    return (Transition(name="kernel", reason=operation),)


class Native:
    """Native page tables (see `MemoryTechnique`)."""

    flushes_others = False
    dimensions = 1
    follows_host = False

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def page_fault(self) -> Path:
        """Return the kernel's own handling."""
        return own("page_fault")

    def first_touch(self) -> Path:
        """Return no steps: the hardware walks the table."""
        return ()

    def pte_write(self) -> Path:
        """Return one store."""
        return own("pte_write")

    def tlb_flush(self) -> Path:
        """Return the kernel's own flush of a page."""
        return own("tlb_flush")

    def address_space(self) -> Path:
        """Return the kernel's own switch."""
        return own("address_space")

    def fresh_page(self) -> Path:
        """Return no steps: the kernel that hands it out is the machine's."""
        return ()

    def host_page_in(self) -> Path:
        """Return no steps: as `fresh_page`."""
        return ()

    def page_in(self) -> Path:
        """Return the fault, and the entry cleared and flushed of the page that makes room."""
        return (*self.page_fault(), *self.pte_write(), *self.tlb_flush())
