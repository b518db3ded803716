"""Native: the kernel's own driver, no hypervisor between it and the device.

Submit and completion run on the CPU that issued the request; the completion is an interrupt. All
of the driver's work, interrupt entry included, is in the measured CPU time per request.
"""

from virtperf.path import Bell, ring
from virtperf.technique.costs import Costs
from virtperf.technique.io.plan import Guest, Plan


def plan(guest: Guest, costs: Costs) -> Plan:
    """Return submit, device, interrupt, completion."""
    del costs  # nothing is added to what was measured
    paths = {
        kind: (*guest.issue(), *guest.device(kind), ring("irq"), *guest.reap())
        for kind in guest.service
    }
    irq = Bell(name="irq", to="handler.interrupt", rule="always", costs={}, counts="interrupts")
    return Plan(paths=paths, bells=(irq,))
