"""Nested paging, EPT and NPT: the guest's page tables are its own, and hardware walks both.

Page faults, page-table writes and loads of CR3 stay in the guest. What the second dimension costs
is in the walks, and in the violations of pages that the host has not given yet: not modelled here.
"""

from virtperf.technique.memory.native import Native


class Nested(Native):
    """Nested page tables (see `MemoryTechnique`): for the CPU, as if they were native."""

    dimensions = 2
