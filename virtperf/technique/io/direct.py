"""Direct access: a device, or a virtual function of one, belongs to the guest.

The guest's own driver writes its descriptors, and the doorbell is a store to the device's register,
mapped into the guest: nothing leaves the guest on the way out. The IOMMU makes machine addresses of
the guest's. On the way back the device's interrupt is posted, if the hardware can: a vCPU that runs
takes it without an exit; one that sleeps is woken by a short interrupt of the host; one that has no
pCPU finds it when it enters the guest again. Where interrupts are not posted, each is the host's:
it forces the vCPU out, and comes back through eventfd and injection.
"""

from virtperf.dist import Deterministic
from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    ConsumerState,
    Path,
    Ringing,
    leave,
    ring,
    serve,
    work,
)
from virtperf.technique.costs import Costs
from virtperf.technique.io.dma import maps
from virtperf.technique.io.plan import Guest, Plan

LIMIT = "VF rate limit"
HOST_INTERRUPT, WAKE_UP = "host: interrupt of a device", "host: wake-up interrupt"


def passthrough(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of a whole device that is given to one guest."""
    return _plan(guest, costs, ())


def sriov(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of a virtual function: all share the device's channels and its link."""
    limit = guest.dma.limit
    if not limit:
        return _plan(guest, costs, ())
    return _plan(guest, costs, (serve(LIMIT, Deterministic(limit), LIMIT),), (LIMIT,))


def _plan(guest: Guest, costs: Costs, limit: Path, stations: tuple[str, ...] = ()) -> Plan:
    dma = maps(guest.dma, costs)
    paths: dict[str, Path] = {
        kind: (
            *guest.issue(),
            *dma.before,
            *limit,
            *guest.device(kind),
            *dma.walks,
            ring("irq"),
            *dma.after,
            *guest.reap(),
        )
        for kind in guest.service
    }
    return Plan(
        paths=paths, bells=(irq(guest.dma.posted, costs),), locks=dma.locks, stations=stations
    )


def irq(posted: bool | None, costs: Costs) -> Bell:
    """Return the device's interrupt; what delivering it takes besides is the CPU technique's.

    Whether it is `posted` is the platform's, if nobody says so.
    """
    if posted is None:
        posted = bool(costs.count("interrupt_posting"))
    states: dict[ConsumerState, Ringing] = {}
    if posted:
        woken = work("handler", costs.ns("wakeup_interrupt"), WAKE_UP, masked=True)
        states["asleep"] = Ringing(target=(woken,))
    else:
        handled = work("handler", costs.ns("host_interrupt"), HOST_INTERRUPT, masked=True)
        states |= {state: Ringing(target=(handled,)) for state in CONSUMER_STATES}
        states["other"] = Ringing(target=(leave("interrupt", "kernel"), handled))
    return Bell(
        name="irq", to="handler.interrupt", rule="always", costs=states, counts="interrupts"
    )
