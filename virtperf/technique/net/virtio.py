"""virtio-net: rings in shared memory, doorbells only when they are needed; three back ends.

The guest publishes a packet, or a burst that is cut behind it, and kicks only if it crosses the
index that the back end asked for. The back end copies it and sends it through the tap device; with
the copy made the entry is free, and no interrupt says so. What is received waits in the tap
device's queue until the back end copies it into the guest's buffers; a turn raises one interrupt.

QEMU's main loop makes a system call for each; a worker of the host's kernel (vhost) none. A queue
pair has one worker: what it sends holds up what it receives, by turns of a weight. A core that
polls for ever (vhost-user) drives the NIC itself, and the host has no part in it.
"""

from dataclasses import replace

from virtperf.path import Bell, Path, Step, end, give, ring, take, work
from virtperf.technique.costs import Costs
from virtperf.technique.io.plan import Thread
from virtperf.technique.io.threads import BIG_LOCK, IRQ, KICK, ioeventfd, irqfd, main_loop
from virtperf.technique.net import host
from virtperf.technique.net.message import Message
from virtperf.technique.net.plan import DEVICE, RX_RING, TX_RING, Plan, Port, Task, Told
from virtperf.technique.net.stack import copied

NIC_POLL = "nic poll"
WORKER, TX, RX = "vhost-worker", "vhost-worker.tx", "vhost-worker.rx"
QEMU_OUT = ("virtio_pop", "tap_call", "virtio_complete")
QEMU_IN = ("tap_call", "virtio_pop", "virtio_complete")
VHOST_OUT, VHOST_IN = ("vhost_net_send",), ("vhost_net_receive",)
DPDK_OUT, DPDK_IN = ("vhost_user_pop", "pmd_packet"), ("pmd_packet", "vhost_user_complete")


def on_main_loop(port: Port, costs: Costs) -> Plan:
    """Return virtio-net without vhost: QEMU's main loop sends and receives."""
    thread = replace(main_loop(costs), batch=costs.count("virtio_tx_burst"))
    kick = Told(bell=ioeventfd(costs, thread), sender="vcpu")
    return Plan(
        out=lambda message: _sent(message, port, costs, thread, QEMU_OUT),
        into=lambda message: _received(message, port, costs, thread, QEMU_IN),
        bells=(kick, host.wakes(thread.name, costs), *_interrupts(costs, thread)),
        threads=(thread,),
        locks=(BIG_LOCK,),
        credits=_rings(port) | host.rings(port, costs),
        host=True,
    )


def vhost(port: Port, costs: Costs) -> Plan:
    """Return vhost-net: a worker of the host's kernel for each queue pair."""
    thread = _worker(port, costs)
    kick = replace(ioeventfd(costs, thread), to=TX)
    if not port.suppress:
        kick = replace(kick, rule="re-enabled")
    weight = _weight(port, costs)
    return Plan(
        out=lambda message: _sent(message, port, costs, thread, VHOST_OUT),
        into=lambda message: _received(message, port, costs, thread, VHOST_IN),
        bells=(Told(bell=kick, sender="vcpu"), host.wakes(RX, costs), *_interrupts(costs, thread)),
        threads=(thread,),
        tasks=(
            Task(name=TX, thread=WORKER, batch=weight),
            Task(name=RX, thread=WORKER, batch=weight),
        ),
        credits=_rings(port) | host.rings(port, costs),
        host=True,
    )


def vhost_user(port: Port, costs: Costs) -> Plan:
    """Return vhost-user-net: a core looks at the guest's rings and at the NIC's, for ever."""
    half = costs.ns("ring_poll") * 2 * port.queues / 2
    core = Thread(
        name="polling-core",
        role="polling core",
        pickup=(work("polling-core", half, "polling core: poll pick-up"),),
        endless=True,
    )
    found = Bell(name=NIC_POLL, to=core.name, rule="always", costs={})
    held = port.messages_in(port.nic_ring)
    return Plan(
        out=lambda message: _polled_out(message, port, costs, core),
        into=lambda message: _polled_in(message, port, costs, core),
        bells=(
            Told(bell=ioeventfd(costs, core), sender="vcpu"),
            Told(bell=found, sender=DEVICE),
            _irqfd(costs, core),
        ),
        threads=(core,),
        credits=_rings(port) | {host.NIC_TX: held, host.NIC_RX: held},
    )


# -- ways ---------------------------------------------------------------------------------------


def _sent(
    message: Message, port: Port, costs: Costs, thread: Thread, names: tuple[str, ...]
) -> Path:
    """Return the way out through a thread that copies into the host's stack."""
    return (
        take(TX_RING),
        ring(KICK),
        _moved(message, costs, thread, names),
        work(thread.name, host.forward_ns(message, costs), f"{thread.role}: network stack"),
        give(TX_RING),
        *host.depart(message, port, costs),
    )


def _received(
    message: Message, port: Port, costs: Costs, thread: Thread, names: tuple[str, ...]
) -> Path:
    """Return the way in through a thread that copies out of the tap device's queue.

    Without a buffer of the guest it leaves the packet there, and comes back when there is one.
    """
    return (
        *host.arrive(message, port, costs),
        take(RX_RING),
        _moved(message, costs, thread, names),
        give(host.TAP_QUEUE),
        ring(IRQ, hold="defer"),
        give(RX_RING),
    )


def _polled_out(message: Message, port: Port, costs: Costs, core: Thread) -> Path:
    return (
        take(TX_RING),
        ring(KICK),
        _moved(message, costs, core, DPDK_OUT),
        give(TX_RING),
        take(host.NIC_TX),
        *port.sent(message, costs),
        give(host.NIC_TX),
    )


def _polled_in(message: Message, port: Port, costs: Costs, core: Thread) -> Path:
    return (
        *port.received(message, costs),
        take(host.NIC_RX, otherwise=(end("lost: NIC ring full"),)),
        ring(NIC_POLL),
        take(RX_RING),
        _moved(message, costs, core, DPDK_IN),
        give(host.NIC_RX),
        ring(IRQ, hold="defer"),
        give(RX_RING),
    )


def _moved(message: Message, costs: Costs, thread: Thread, names: tuple[str, ...]) -> Step:
    """Return what a thread does to move a message between the guest's memory and its own."""
    ns = sum(costs.ns(name) for name in names) + copied(message.data, costs)
    return work(thread.name, ns, f"{thread.role}: virtio")


# -- parts --------------------------------------------------------------------------------------


def _worker(port: Port, costs: Costs) -> Thread:
    """Return the workers, one for each queue pair, which share nothing."""
    wake = work(WORKER, costs.ns("kthread_wake_cpu"), "vhost worker: wake-up")
    pickup = work(WORKER, costs.ns("ring_poll"), "vhost worker: poll pick-up")
    return Thread(
        name=WORKER,
        role="vhost worker",
        count=port.queues,
        wake=(wake,),
        pickup=(pickup,) if port.poll else (),
        poll=port.poll,
    )


def _weight(port: Port, costs: Costs) -> int:
    """Return the messages a worker takes of a ring before it looks after the other one."""
    fit = costs.count("vhost_net_byte_weight") // max(1, port.largest.data)
    return max(1, min(costs.count("vhost_net_weight"), fit))


def _rings(port: Port) -> dict[str, int]:
    """Return what the guest's rings hold: a message takes an entry, as descriptors are chained."""
    return {TX_RING: port.ring, RX_RING: port.ring}


def _interrupts(costs: Costs, thread: Thread) -> tuple[Told, ...]:
    return (_irqfd(costs, thread), host.interrupt(costs))


def _irqfd(costs: Costs, thread: Thread) -> Told:
    return Told(bell=irqfd(costs, thread), sender=thread.name, interrupts=True)
