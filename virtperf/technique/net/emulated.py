"""Full emulation of an e1000: every register access of the driver is an exit to QEMU.

A write of the transmit tail sends what the ring holds there and then, guest stopped, the big QEMU
lock held: the device model copies, cuts a burst into packets itself, and writes each to the tap
device. Both directions interrupt the guest, whose handler touches more registers: it reads the
cause, masks, flushes; and takes the mask away again. What comes in is the main loop's to copy.
"""

from virtperf.path import Bell, Path, Spawn, Step, end, give, leave, lock, ring, take, unlock, work
from virtperf.technique.costs import Costs
from virtperf.technique.io.threads import BIG_LOCK, IRQ, irq_ioctl, main_loop
from virtperf.technique.net import host
from virtperf.technique.net.message import Message
from virtperf.technique.net.plan import DEVICE, RX_RING, Plan, Port, Told
from virtperf.technique.net.stack import copied

CLEANUP = "vcpu: TX cleanup"
TX_IRQ = "tx irq"


def e1000(port: Port, costs: Costs) -> Plan:
    """Return the plan of an e1000 in QEMU."""
    thread = main_loop(costs)
    sent = Bell(name=TX_IRQ, to="handler.interrupt", rule="always", costs={}, counts="interrupts")
    return Plan(
        out=lambda message: _out(message, port, costs),
        into=lambda message: _into(message, port, costs),
        bells=(
            Told(bell=irq_ioctl(costs, thread), sender=thread.name, interrupts=True),
            Told(bell=sent, sender=DEVICE, interrupts=True),
            host.wakes(thread.name, costs),
            host.interrupt(costs),
        ),
        threads=(thread,),
        locks=(BIG_LOCK,),
        credits={RX_RING: port.messages_in(port.ring)} | host.rings(port, costs),
        host=True,
    )


def _out(message: Message, port: Port, costs: Costs) -> Path:
    """Return the write of the tail, and the interrupt that says that the ring is free again."""
    ns = message.packets * (costs.ns("tap_call") + costs.ns("host_forward"))
    sends = work("vcpu", ns + copied(message.data, costs), "vcpu: host network stack", masked=True)
    raised = work("vcpu", costs.ns("irq_ioctl"), "vcpu: interrupt ioctl", masked=True)
    cleaned = message.packets * costs.ns("nic_descriptor")
    told = Spawn(
        name="TX interrupt",
        path=(ring(TX_IRQ), *_handled(costs), work("handler", cleaned, CLEANUP), end()),
    )
    return (*_access(costs, "vcpu", sends, raised), told, *host.depart(message, port, costs))


def _into(message: Message, port: Port, costs: Costs) -> Path:
    """Return the main loop's copy, the interrupt and the registers its handler touches."""
    calls = message.packets * costs.ns("tap_call") + copied(message.data, costs)
    return (
        *host.arrive(message, port, costs),
        take(RX_RING),
        work("main-loop", calls, "main loop: host network stack"),
        work("main-loop", message.packets * costs.ns("device_model"), "main loop: device model"),
        give(host.TAP_QUEUE),
        ring(IRQ),
        *_handled(costs),
        give(RX_RING),
    )


def _handled(costs: Costs) -> Path:
    """Return the register accesses of an interrupt's handler."""
    return _access(costs, "handler") * costs.count("e1000_interrupt_accesses")


def _access(costs: Costs, on: str, *more: Step) -> Path:
    """Return one register access; `more` is done by the device model under the lock."""
    model = work(on, costs.ns("device_model"), "vcpu: device model", masked=True)
    return (leave("io", "user", where=on), lock(BIG_LOCK), model, *more, unlock(BIG_LOCK))
