"""Direct page tables of a ported guest: it reads them, and asks the hypervisor to change them.

The hardware walks the guest's own tables, which are read-only to it; each change is checked by the
hypervisor. A fault comes to the hypervisor first, which hands it on. (Barham et al., SOSP 2003.)
"""

from virtperf.path import Path, Transition
from virtperf.technique.costs import Costs
from virtperf.technique.memory.native import own


class DirectTables:
    """Direct (PV) page tables (see `MemoryTechnique`)."""

    flushes_others = True
    dimensions = 1
    follows_host = False

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def page_fault(self) -> Path:
        """Return the fault, handed on by the hypervisor, and one update: too few for a batch."""
        return (
            Transition(name="reflect", reason="page-fault"),
            *own("page_fault"),
            Transition(name="hypercall", reason="mmu_update"),
        )

    def first_touch(self) -> Path:
        """Return no steps: the hardware walks the guest's own table."""
        return ()

    def pte_write(self) -> Path:
        """Return an update that waits in the queue for others: it pays its share of a batch."""
        return (Transition(name="multicall", reason="mmu_update"),)

    def tlb_flush(self) -> Path:
        """Return the hypercall: the hypervisor keeps the guest from INVLPG."""
        return (Transition(name="hypercall", reason="tlb_flush"),)

    def fresh_page(self) -> Path:
        """Return no steps: its machine frames were all given when it was built."""
        return ()

    def host_page_in(self) -> Path:
        """Return no steps: the hypervisor never takes away what a table of the guest may name."""
        return ()

    def page_in(self) -> Path:
        """Return the fault with its update, and the update and flush of the page that goes."""
        return (*self.page_fault(), *self.pte_write(), *self.tlb_flush())

    def address_space(self) -> Path:
        """Return the hypercall that loads another base pointer."""
        return (
            *own("address_space"),
            Transition(name="hypercall", reason="new_baseptr"),
        )
