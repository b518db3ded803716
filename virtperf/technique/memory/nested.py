"""Nested paging, EPT and NPT: the guest's page tables are its own, and hardware walks both.

Page faults, page-table writes and loads of CR3 stay in the guest. What the second dimension costs
is in the walks, and in the violations of pages that the host has not given yet, or has paged out.
"""

from virtperf.path import Path, leave
from virtperf.technique.memory.host_fault import page_in, zeroed
from virtperf.technique.memory.native import Native


class Nested(Native):
    """Nested page tables (see `MemoryTechnique`): for the CPU, as if they were native."""

    dimensions = 2

    def fresh_page(self) -> Path:
        """Return the violation, upon which the host allocates and zeroes."""
        return (leave("ept-violation", "kernel"), *zeroed(self._costs))

    def host_page_in(self) -> Path:
        """Return the violation, and the host's way to its disk and back."""
        return (leave("ept-violation", "kernel"), *page_in(self._costs))
