"""Xen's split block driver: blkfront in the guest, a ring of shared pages, blkback in Dom0.

The front end writes a request into its ring, under the ring's lock, and sends an event only if it
crosses the index that the back end asked for; sending is a call of the hypervisor. In Dom0 a kernel
thread per ring takes requests, gets at their data by grants, and hands each to the block layer. The
device's interrupt enters Xen, which makes it an event for Dom0; there the softirq behind its
handler ends the grants, writes the response, and tells the guest, if that asked for it. All of
Dom0 runs on vCPUs: where these have no pCPU, they must be scheduled first.

Native costs of the guest are those before and behind the driver. A request has an entry of the ring
until the guest has seen its response; when none is left, the process that has another one sleeps,
which takes a switch away from it and one back.
"""

from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    Path,
    Ringing,
    Transition,
    give,
    lock,
    ring,
    take,
    unlock,
    work,
)
from virtperf.technique.costs import Costs
from virtperf.technique.io.grants import PAGE, TABLE, Grants
from virtperf.technique.io.plan import Guest, Plan, Slots, Task

RING, RING_LOCK = "ring entries", "ring lock"
KICK, PIRQ, SOFTIRQ, IRQ = "kick", "pirq", "softirq", "irq"
BLKBACK = "blkback"
FRONT, BACK = "vcpu: blkfront", "dom0: blkback"
SEND = "event_channel_op"


def ring_entries(pages: int, costs: Costs) -> int:
    """Return how many requests a ring of so many pages holds: a power of two.

    Examples
    --------
    >>> from virtperf import catalog
    >>> [ring_entries(pages, Costs(catalog.devices())) for pages in (1, 16, 64)]
    [32, 512, 2048]
    """
    room = pages * PAGE - costs.count("blkif_ring_header")
    return 1 << (room // costs.count("blkif_ring_entry")).bit_length() - 1


def plan(guest: Guest, costs: Costs) -> Plan:
    """Return blkfront and blkback."""
    grants = Grants(
        guest.grants,
        guest.size,
        direct=costs.count("blkif_segments"),
        others=guest.others,
        costs=costs,
    )
    return Plan(
        paths={kind: _path(guest, costs, kind, grants) for kind in guest.service},
        bells=(_kick(costs), _pirq(costs), _softirq(), _response()),
        tasks=(Task(name=BLKBACK, batch=1),),
        slots=Slots(name=RING, count=ring_entries(guest.ring_pages, costs)),
        spinlocks=(TABLE,),
        queue_locks=(RING_LOCK,),
    )


def _path(guest: Guest, costs: Costs, kind: str, grants: Grants) -> Path:
    front = costs.ns("front_end")
    before = grants.copied_by_guest("vcpu") if kind == "write" else ()
    after = grants.copied_by_guest("handler") if kind == "read" else ()
    rest: Path = (
        lock(RING_LOCK),
        work("vcpu", front, FRONT, masked=True),
        *grants.granted("vcpu"),
        *before,
        unlock(RING_LOCK),
        ring(KICK),
        work("dom0", costs.ns("back_end_pop"), BACK),
        *grants.fetched(kind),
        work("dom0", costs.ns("host_submit"), "dom0: host I/O"),
        *guest.device(kind),
        ring(PIRQ),
        ring(SOFTIRQ),
        work("dom0", costs.ns("host_complete"), "dom0: host I/O"),
        *grants.returned(kind),
        work("dom0", costs.ns("back_end_push"), BACK),
        ring(IRQ),
        lock(RING_LOCK),
        work("handler", front, FRONT, masked=True),
        *after,
        unlock(RING_LOCK),
        give(RING),
        *guest.reap(),
    )
    slept = work("vcpu", 2 * costs.ns("process_switch"), "vcpu: sleeps for a ring entry")
    waits: Path = (slept, take(RING), *rest)
    return (*guest.issue(), take(RING, otherwise=waits), *rest)


def _kick(costs: Costs) -> Bell:
    """Return the front end's event; the back end's thread is woken, whatever its vCPU does."""
    sends = (Transition(name="hypercall", reason=SEND),)
    woken = (
        work("dom0", costs.ns("event_handler"), "dom0: event"),
        work("dom0", costs.ns("kthread_wake_cpu"), "dom0: wake-up of a thread"),
    )
    costs_by_state = {state: Ringing(sender=sends, target=woken) for state in CONSUMER_STATES}
    return Bell(name=KICK, to=BLKBACK, rule="event-index", costs=costs_by_state, counts="kicks")


def _pirq(costs: Costs) -> Bell:
    """Return the device's interrupt: Xen takes it, and makes it an event of Dom0."""
    taken = (
        work("dom0", costs.ns("xen_interrupt"), "dom0: interrupt in Xen", masked=True),
        work("dom0", costs.ns("event_handler"), "dom0: event"),
    )
    costs_by_state = {state: Ringing(target=taken) for state in CONSUMER_STATES}
    return Bell(name=PIRQ, to="dom0.interrupt", rule="always", costs=costs_by_state, counts="pirqs")


def _softirq() -> Bell:
    return Bell(name=SOFTIRQ, to="dom0", rule="always", costs={})


def _response() -> Bell:
    """Return the back end's event, by index; delivering it is the guest's CPU technique's."""
    sends = (Transition(name="hypercall", reason=SEND, where="dom0"),)
    return Bell(
        name=IRQ,
        to="handler.interrupt",
        rule="event-index",
        costs={state: Ringing(sender=sends) for state in CONSUMER_STATES},
        counts="interrupts",
    )
