"""Native paging: the guest's page tables are the machine's, as on bare metal and in containers."""

from virtperf.path import Path, work
from virtperf.technique.costs import Costs

KERNEL = "vcpu: guest kernel"


class Native:
    """Native page tables (see `MemoryTechnique`)."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def _kernel(self, name: str) -> Path:
        return (work("vcpu", self._costs.ns(f"native_{name}"), KERNEL),)

    def page_fault(self) -> Path:
        """Return the kernel's own handling."""
        return self._kernel("page_fault")

    def first_touch(self) -> Path:
        """Return no steps: the hardware walks the table."""
        return ()

    def pte_write(self) -> Path:
        """Return one store."""
        return self._kernel("pte_write")

    def address_space(self) -> Path:
        """Return the kernel's own switch."""
        return self._kernel("address_space")
