"""The host's side of a paravirtual path: the NIC's interrupt, the bridge, the tap device, wake-ups.

The physical NIC interrupts a pCPU, whoever runs there. The handler's software interrupt takes the
packet through the driver and the bridge into the queue of the guest's tap device, and wakes
whoever reads it. On the way out the reader's own thread goes through the bridge to the NIC's
driver; what it sent is cleaned up in an interrupt.
"""

from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    ConsumerState,
    Path,
    Ringing,
    Spawn,
    end,
    give,
    ring,
    take,
    work,
)
from virtperf.technique.costs import Costs
from virtperf.technique.net.message import Message
from virtperf.technique.net.plan import DEVICE, Port, Told

NIC_TX, NIC_RX = "NIC TX ring", "NIC RX ring"
TAP_QUEUE = "tap queue"
NIC_IRQ, TAP = "nic irq", "tap"
SOFTIRQ = "host interrupts"
"""Role of the host's interrupt work."""


def interrupt(costs: Costs) -> Told:
    """Return the physical NIC's interrupt of the host; it is off while packets are polled."""
    taken = work("softirq", costs.ns("net_interrupt"), f"{SOFTIRQ}: NIC", masked=True)
    states: dict[ConsumerState, Ringing] = {
        state: Ringing(target=(taken,)) for state in CONSUMER_STATES if state != "active"
    }
    bell = Bell(name=NIC_IRQ, to="softirq", rule="always", costs=states, counts="host_interrupts")
    return Told(bell=bell, sender=DEVICE, moderated=True)


def wakes(to: str, costs: Costs) -> Told:
    """Return the tap device's wake-up of whoever reads it, `to` being that one's inbox."""
    woken = work("softirq", costs.ns("eventfd_signal"), f"{SOFTIRQ}: wake-up", masked=True)
    asleep = Ringing(sender=(woken,), delay=costs.ns("thread_wake_delay"))
    bell = Bell(name=TAP, to=to, rule="always", costs={"asleep": asleep})
    return Told(bell=bell, sender="softirq")


def arrive(message: Message, port: Port, costs: Costs) -> Path:
    """Return the way from the wire into the tap device's queue, and the wake-up."""
    return (
        *port.received(message, costs),
        take(NIC_RX, otherwise=(end("lost: NIC ring full"),)),
        ring(NIC_IRQ),
        work("softirq", received_ns(message, costs), f"{SOFTIRQ}: network stack"),
        give(NIC_RX),
        take(TAP_QUEUE, otherwise=(end("lost: tap queue full"),)),
        ring(TAP),
    )


def received_ns(message: Message, costs: Costs) -> float:
    """Return how long an interrupt's handler is on its way from the NIC over the bridge."""
    return costs.ns("host_receive") + _further(message, costs)


def forward_ns(message: Message, costs: Costs) -> float:
    """Return how long a thread is on its way through the bridge to the NIC's driver."""
    return costs.ns("host_forward") + _further(message, costs)


def depart(message: Message, port: Port, costs: Costs) -> Path:
    """Return the way from the NIC's driver over the wire; a full ring stops who comes to it."""
    cleaned = message.descriptors * costs.ns("nic_descriptor")
    cleanup = Spawn(
        name="TX cleanup",
        path=(
            ring(NIC_IRQ),
            work("softirq", cleaned, f"{SOFTIRQ}: TX cleanup"),
            give(NIC_TX),
            end(),
        ),
    )
    return (take(NIC_TX), *port.sent(message, costs), cleanup)


def rings(port: Port, costs: Costs) -> dict[str, int]:
    """Return what the rings of the host's NIC and the tap device's queue hold."""
    held = port.messages_in(port.nic_ring)
    return {NIC_TX: held, NIC_RX: held, TAP_QUEUE: costs.count("tap_queue")}


def _further(message: Message, costs: Costs) -> float:
    """Return what each further packet of a burst takes a driver, its stack sees one."""
    return (message.packets - 1) * costs.ns("nic_descriptor") if message.packets > 1 else 0.0
