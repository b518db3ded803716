"""Native: the kernel's own driver sends and receives, no hypervisor between it and the NIC.

A doorbell is a posted write, part of the driver's time. What was sent is cleaned up in an
interrupt that sending and receiving share. A full ring stops a sender; what comes when the ring of
receive buffers is empty is lost.
"""

from dataclasses import replace

from virtperf.dist import Deterministic
from virtperf.mechanism.memory.pages import PAGE_SHIFT
from virtperf.path import (
    Bell,
    Part,
    Path,
    Spawn,
    Step,
    Transition,
    end,
    give,
    ring,
    serve,
    take,
    work,
)
from virtperf.technique.costs import Costs
from virtperf.technique.io.dma import Maps, maps
from virtperf.technique.net.message import Message
from virtperf.technique.net.plan import DEVICE, RX_RING, TX_RING, Plan, Port, Told

IRQ = "irq"
LIMIT = "VF rate limit"
CLEANUP = "vcpu: TX cleanup"


def plan(port: Port, costs: Costs) -> Plan:
    """Return the way out and in of the machine itself."""
    irq = Bell(name=IRQ, to="handler.interrupt", rule="always", costs={}, counts="interrupts")
    return own_driver(port, costs, irq)


def own_driver(port: Port, costs: Costs, irq: Bell) -> Plan:
    """Return the plan of a driver that has a NIC, or a function of one, to itself."""
    held = port.messages_in(port.ring)
    return Plan(
        out=lambda message: _out(message, port, costs),
        into=lambda message: _into(message, port, costs),
        bells=(Told(bell=irq, sender=DEVICE, moderated=True, interrupts=True),),
        locks=maps(port.dma, costs).locks,
        credits={TX_RING: held, RX_RING: held},
        stations=(LIMIT,) if port.limit else (),
    )


def _out(message: Message, port: Port, costs: Costs) -> Path:
    dma = _maps(message.frame_bytes, port, costs)
    cleaned = message.descriptors * costs.ns("nic_descriptor")
    cleanup = Spawn(
        name="TX cleanup",
        path=(ring(IRQ), work("handler", cleaned, CLEANUP), *dma.after, give(TX_RING), end()),
    )
    limit: Path = ()
    if port.limit:
        limit = (serve(LIMIT, Deterministic(port.limit * message.wire_bytes), LIMIT),)
    return (*dma.before, take(TX_RING), *limit, *dma.walks, *port.sent(message, costs), cleanup)


def _into(message: Message, port: Port, costs: Costs) -> Path:
    """Return the way in: a packet's buffer was mapped before; it is unmapped, another is mapped."""
    dma = _maps(message.packets << PAGE_SHIFT, port, costs)
    refilled = tuple(_on_handler(part) for part in dma.before)
    return (
        *port.received(message, costs),
        take(RX_RING, otherwise=(end("lost: RX ring full"),)),
        *dma.walks,
        ring(IRQ),
        *dma.after,
        *refilled,
        give(RX_RING),
    )


def _maps(buffers: int, port: Port, costs: Costs) -> Maps:
    """Return what translation adds for so many bytes of buffers, mapped in one go."""
    return maps(replace(port.dma, pages=max(1, -(-buffers >> PAGE_SHIFT))), costs)


def _on_handler(part: Part) -> Part:
    """Return what a map takes, for the vCPU that handles the interrupt."""
    if isinstance(part, Step | Transition) and part.where == "vcpu":
        return replace(part, where="handler")
    return part
