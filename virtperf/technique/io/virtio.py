"""virtio-blk with one I/O thread: a ring in shared memory, doorbells only when they are needed.

The guest's driver publishes a request and kicks only if it crosses the index the device side
asked for; the kick is an exit that ends in the kernel (ioeventfd). The I/O thread takes all that
is in the ring, submits it to the host in one call, and asks to be kicked again only when it is
about to sleep. Completions of one turn raise one interrupt (irqfd), again by index. A request
takes an entry of the ring until the guest has seen its completion; when none is left, others wait.
"""

from virtperf.path import CONSUMER_STATES, Bell, Path, Ringing, give, leave, ring, take, work
from virtperf.technique.costs import Costs
from virtperf.technique.io.plan import Guest, Plan, Slots, Thread

RING = "ring entries"


def plan(guest: Guest, costs: Costs) -> Plan:
    """Return the ring, its two doorbells and the I/O thread."""
    paths: dict[str, Path] = {}
    for kind in guest.service:
        paths[kind] = (
            *guest.issue(),
            take(RING),
            ring("kick"),
            work("iothread", costs.ns("virtio_pop"), "iothread: virtio"),
            work("iothread", costs.ns("host_submit"), "iothread: host I/O"),
            *guest.device(kind, hold="defer"),
            ring("aio"),
            work("iothread", costs.ns("host_complete"), "iothread: host I/O"),
            work("iothread", costs.ns("virtio_complete"), "iothread: virtio"),
            ring("irq", hold="defer"),
            give(RING),
            *guest.reap(),
        )
    return Plan(
        paths=paths,
        bells=(_kick(costs), _aio(costs), _irq(costs)),
        threads=(_iothread(guest, costs),),
        slots=Slots(name=RING, count=costs.count("virtio_ring")),
    )


def _iothread(guest: Guest, costs: Costs) -> Thread:
    """Return the I/O thread; it polls its ring and the host's completions before it sleeps."""
    poll = costs.ns("iothread_poll") if guest.poll is None else guest.poll
    wake = work("iothread", costs.ns("thread_wake_cpu"), "iothread: wake-up")
    pickup = work("iothread", costs.ns("poll_pickup"), "iothread: polling")
    return Thread(
        name="iothread",
        role="iothread",
        wake=(wake,),
        pickup=(pickup,),
        batch=costs.count("iothread_batch"),
        poll=poll,
        poll_start=costs.ns("iothread_poll_start"),
    )


def _kick(costs: Costs) -> Bell:
    """Return the queue notification: an exit matched by ioeventfd in the kernel."""
    signal = work("vcpu", costs.ns("eventfd_signal"), "vcpu: eventfd", masked=True)
    sender: Path = (leave("kick", "kernel"), signal)
    delay = costs.ns("thread_wake_delay")
    costs_by_state = {
        state: Ringing(sender=sender, delay=delay if state == "asleep" else 0.0)
        for state in CONSUMER_STATES
    }
    return Bell(
        name="kick", to="iothread", rule="event-index", costs=costs_by_state, counts="kicks"
    )


def _aio(costs: Costs) -> Bell:
    """Return the host's completion: an eventfd, seen without a wake-up by a thread that polls."""
    asleep = Ringing(delay=costs.ns("thread_wake_delay"))
    return Bell(name="aio", to="iothread", rule="always", costs={"asleep": asleep})


def _irq(costs: Costs) -> Bell:
    """Return the completion interrupt: an eventfd that the kernel turns into an injection."""
    signal = work("iothread", costs.ns("eventfd_signal"), "iothread: eventfd", masked=True)
    return Bell(
        name="irq",
        to="handler.interrupt",
        rule="event-index",
        costs={state: Ringing(sender=(signal,)) for state in CONSUMER_STATES},
        counts="interrupts",
    )
