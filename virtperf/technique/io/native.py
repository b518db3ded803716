"""Native: the kernel's own driver, no hypervisor between it and the device.

Submit and completion run on the CPU that issued the request; the completion is an interrupt. All
of the driver's work, interrupt entry included, is in the measured CPU time per request. What an
IOMMU adds is not: it was off, or its map static.
"""

from virtperf.path import Bell, ring
from virtperf.technique.costs import Costs
from virtperf.technique.io.dma import maps
from virtperf.technique.io.plan import Guest, Plan


def plan(guest: Guest, costs: Costs) -> Plan:
    """Return submit, device, interrupt, completion; around the device, its maps."""
    dma = maps(guest.dma, costs)
    paths = {
        kind: (
            *guest.issue(),
            *dma.before,
            *guest.device(kind),
            *dma.walks,
            ring("irq"),
            *dma.after,
            *guest.reap(),
        )
        for kind in guest.service
    }
    irq = Bell(name="irq", to="handler.interrupt", rule="always", costs={}, counts="interrupts")
    return Plan(paths=paths, bells=(irq,))
