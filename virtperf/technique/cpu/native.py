"""What a kernel does natively, and does under every technique that lets it run unaided."""

from virtperf.path import Step, work
from virtperf.technique.costs import Costs


def process_switch(costs: Costs, where: str) -> Step:
    """Return the switch to another process, with interrupts off.

    Its load of CR3 is an exit neither natively nor under nested paging.
    """
    return work(where, costs.ns("process_switch"), "vcpu: process switch", masked=True)
