"""What a kernel does natively, and does under every technique that lets it run unaided."""

from virtperf.path import Step, Transition, work
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.operations import OPERATIONS

LONG_MODE = 64  # bits
USER, KERNEL = "vcpu: guest user", "vcpu: guest kernel"


def process_switch(costs: Costs, where: str) -> Step:
    """Return the switch to another process, with interrupts off.

    Its load of CR3 is an exit neither natively nor under nested paging.
    """
    return work(where, costs.ns("process_switch"), "vcpu: process switch", masked=True)


def native(costs: Costs, operation: str, where: str) -> Step:
    """Return what an operation costs where nothing comes between it and the machine."""
    account = USER if operation == "rdtsc" else KERNEL
    free = OPERATIONS[operation].free
    return work(where, 0.0 if free else costs.ns(f"native_{operation}"), account)


def further(
    costs: Costs, transition: Transition, where: str, head: str = "vcpu: exit"
) -> tuple[Step, ...]:
    """Return what a crossing takes beyond the hypervisor: a device model's process, or sleep."""
    key = {"user": "exit_user", "blocking": "exit_blocking"}.get(transition.to)
    if key is None:
        return ()
    return (work(where, costs.ns(key), f"{head} {transition.reason}", masked=True),)


def shares_ring(costs: Costs) -> bool:
    """Return whether a kernel without privilege must share a ring with its users.

    Without segment limits, in long mode, only the last ring is safe for a kernel that may not touch
    its hypervisor (see `mechanism.privilege`).
    """
    return "guest_bits" in costs and costs.count("guest_bits") >= LONG_MODE


def plain_code(where: str, user_ns: float, kernel_ns: float) -> tuple[Step, ...]:
    """Return code that runs as it is."""
    return (work(where, user_ns, USER), work(where, kernel_ns, KERNEL))
