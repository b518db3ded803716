"""Native: the kernel's own driver, no hypervisor between it and the device.

Submit and completion run on the CPU that issued the request; the completion is an interrupt, or
is seen by a driver that polls. All of the driver's work, interrupt entry included, is in the
measured CPU time per request, and so is no less where it polls. What an IOMMU adds is not in it: it
was off, or its map static. Data come by DMA, or by programmed I/O: then the CPU moves them word by
word, and waits for the bus at each.
"""

from virtperf.path import Bell, Path, work
from virtperf.technique.costs import Costs
from virtperf.technique.io.dma import maps
from virtperf.technique.io.plan import Guest, Plan

PIO = "vcpu: programmed I/O"


def plan(guest: Guest, costs: Costs) -> Plan:
    """Return submit, device, completion; around the device, its maps and the CPU's own copies."""
    dma = maps(guest.dma, costs)
    paths = {
        kind: (
            *guest.issue(),
            *dma.before,
            *(_words(guest, costs, "vcpu") if kind == "write" else ()),
            *guest.served(kind, walks=dma.walks),
            *dma.after,
            *(_words(guest, costs, "handler") if kind == "read" else ()),
            *guest.reap(),
        )
        for kind in guest.service
    }
    irq = Bell(name="irq", to="handler.interrupt", rule="always", costs={}, counts="interrupts")
    return Plan(paths=paths, bells=() if guest.polled else (irq,))


def _words(guest: Guest, costs: Costs, on: str) -> Path:
    """Return the data port's cycles: a string instruction saves instructions, not cycles."""
    if not guest.words:
        return ()
    ns = guest.words * costs.ns("pio_word")
    return (work(on, ns, PIO, counts="port_words", times=guest.words),)
