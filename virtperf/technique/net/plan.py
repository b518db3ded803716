"""What a network technique answers with: threads, doorbells, rings, and the ways out and in.

Names are local to a queue of the VM's interface: ``vcpu`` sends, ``handler`` is the vCPU that takes
the queue's interrupts; ``wire out`` and ``wire in`` are the directions of the physical NIC, ``dma``
what it takes to reach memory; ``softirq`` is the host's interrupt work on a pCPU, which the
interrupts of the physical NIC's queue go to. The way out begins on ``vcpu``, when its stack has
done with a message, and ends behind the line; the way in begins before the line, and ends on
``handler``, in its interrupt, before the stack.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from virtperf.dist import Deterministic
from virtperf.path import Bell, Path, serve
from virtperf.technique.costs import Costs
from virtperf.technique.io.dma import NO_IOMMU, Dma
from virtperf.technique.io.plan import Task as DomainTask
from virtperf.technique.io.plan import Thread
from virtperf.technique.net.message import Message

WIRE_OUT, WIRE_IN, DMA = "wire out", "wire in", "dma"
TX_RING, RX_RING = "TX ring", "RX ring"
DEVICE = ""
"""Who rings a doorbell that no worker rings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What a network technique has to know of the interface and of the NIC behind it.

    Attributes
    ----------
    line : float
        Time of a byte on the physical NIC's line, in ns.
    packet : float
        Least time between two packets that it can move in a direction, in ns.
    queues : int
        Queue pairs of the interface.
    ring, nic_ring : int
        Descriptors of the guest's rings, and of the physical NIC's where the host has it.
    largest : Message
        What takes most descriptors.
    poll : float
        How long the host's worker polls before it sleeps, in ns.
    suppress : bool
        Whether a worker that polls leaves its notifications off.
    dma : Dma
        How the device's DMA is translated; `pages` and `limit` are of each message, not of this.
    limit : float
        Time of a byte at the rate that a virtual function is limited to, in ns; 0 if it is not.
    others : int
        vCPUs of a driver domain beside the one that serves a queue.
    flip : bool
        Whether a driver domain gives received pages to the guest, in place of a copy.
    """

    line: float
    packet: float = 0.0
    queues: int = 1
    ring: int
    nic_ring: int
    largest: Message
    poll: float = 0.0
    suppress: bool = True
    dma: Dma = NO_IOMMU
    limit: float = 0.0
    others: int = 0
    flip: bool = False

    def on_wire(self, message: Message) -> float:
        """Return how long a message keeps a direction of the NIC busy, in ns.

        Its packets go through the NIC and over the line one behind the other, at the pace of the
        slower of both.
        """
        return max(self.line * message.wire_bytes, self.packet * message.packets)

    def messages_in(self, descriptors: int) -> int:
        """Return how many of the largest messages a ring of so many descriptors holds."""
        return max(1, descriptors // self.largest.packets)

    def sent(self, message: Message, costs: Costs) -> Path:
        """Return what the NIC does to send: it reads descriptor and data, and sends."""
        return (
            serve(DMA, Deterministic(2 * costs.ns("dma_read")), "NIC: DMA"),
            serve(WIRE_OUT, Deterministic(self.on_wire(message)), "wire"),
        )

    def received(self, message: Message, costs: Costs) -> Path:
        """Return what the NIC does to receive: data and descriptor are written, unawaited.

        A write is on its way half as long as a read and its answer; the interrupt, a write as
        well, comes behind the data.
        """
        return (
            serve(WIRE_IN, Deterministic(self.on_wire(message)), "wire"),
            serve(DMA, Deterministic(costs.ns("dma_read")), "NIC: DMA"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A list of work of a host thread that has several: it serves them in turn.

    Attributes
    ----------
    name, thread : str
    batch : int
        Requests it takes per turn at most; 0 is no limit.
    """

    name: str
    thread: str
    batch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A doorbell, and who rings it.

    Attributes
    ----------
    bell : Bell
    sender : str
        Local name of the worker; ``""`` is a device.
    moderated : bool
        Whether the physical NIC's moderation of interrupts is about it.
    interrupts : bool
        Whether it interrupts the guest, and its CPU technique says what that takes besides.
    event : bool
        Whether it is an event for Dom0, whose vCPU must be called up.
    """

    bell: Bell
    sender: str = DEVICE
    moderated: bool = False
    interrupts: bool = False
    event: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A network technique's answer.

    Attributes
    ----------
    out, into : callable
        The way of a message out of the guest, and into it.
    bells : tuple of Told
    threads : tuple of Thread
    tasks : tuple of Task
    locks : tuple of str
        Locks of the VM's own process, barging like pthread mutexes.
    credits : mapping of str to int
        Rings and queues of each queue of the interface: how many messages they hold.
    stations : tuple of str
        Servers of the VM's own, one message at a time.
    host : bool
        Whether the host's interrupt work has a part in it.
    spinlocks : tuple of str
        Locks of the VM's own whose waiters spin, first come first served.
    dom0 : tuple of DomainTask
        Threads and polls in the driver domain, of each queue; see `io.plan`.
    """

    out: Callable[[Message], Path]
    into: Callable[[Message], Path]
    bells: tuple[Told, ...]
    threads: tuple[Thread, ...] = ()
    tasks: tuple[Task, ...] = ()
    locks: tuple[str, ...] = ()
    credits: Mapping[str, int] = field(default_factory=dict)
    stations: tuple[str, ...] = ()
    host: bool = False
    spinlocks: tuple[str, ...] = ()
    dom0: tuple[DomainTask, ...] = ()
