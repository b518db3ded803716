"""The tables of a scenario file that are about networks: NICs, a VM's interface, what it carries.

A frame on the wire takes 38 bytes more than the IP packet in it, and 84 at least.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from virtperf.dist import Deterministic, Distribution
from virtperf.scenario.arrivals import Arrivals, PoissonArrivals
from virtperf.scenario.fields import (
    Bandwidth,
    CpuTime,
    Duration,
    NicTechnique,
    Pause,
    PositiveNumber,
    Rate,
    RequestSize,
    Size,
)
from virtperf.scenario.frozen import Count, Depth, Frozen, Jobs, Tables

IommuMode: TypeAlias = Literal[
    "none", "static", "strict", "deferred", "viommu-strict", "viommu-deferred"
]


Receive: TypeAlias = Literal["copy", "flip"]


class PacketModeration(Frozen):
    """Interrupts that wait for a time, or for a number of packets."""

    timer: Annotated[Duration, Field(gt=0)]
    """Longest delay of an interrupt."""
    count: Annotated[int, Field(ge=0)] = 0
    """Packets that are told of at once; 0 is no limit."""


class AdaptiveModeration(Frozen):
    """Interrupts as often as packets would else overflow buffers, decided from the offered load.

    The rate is ``max(packets per second * headroom / buffers, least)``, per queue, and stays what
    it was when the system was built.
    """

    headroom: PositiveNumber = 1.2
    """By how much interrupts come earlier than buffers are full."""
    buffers: Count = 64
    """The fewer of the ring's descriptors and the application's buffers."""
    least: Rate = 1000.0
    """Lowest rate of interrupts, which bounds the delay when little comes."""


class Nic(Frozen):
    """A physical network interface; it serves each direction by itself."""

    rate: Bandwidth
    """Line rate, for example ``10Gbit/s``."""
    packets: Rate | None = None
    """Packets that it can move per second and direction; by default the line is the only limit."""
    ring: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Descriptors of each of its rings; by default those of the platform's driver."""
    moderation: PacketModeration | None = None
    """Of its interrupts; by default each packet raises one, unless the last is being handled."""
    adaptive: AdaptiveModeration | None = None
    """Of its interrupts, in place of `moderation`: a timer that follows the load."""
    cpus: Annotated[Tables[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = None
    """pCPUs that take its interrupts, queue by queue in turn; by default all."""
    vfs: Count | None = None
    """Virtual functions that it can have (sriov); by default it has none."""
    vf_queues: Count | None = None
    """Queue pairs of each virtual function; by default as many as are asked for."""
    group: str | None = None
    """Devices of one IOMMU group go to one owner; by default each can be told apart."""
    iommu: str = "iommu"
    """Name of the IOMMU that it sits behind, and perhaps shares with others."""


class Interface(Frozen):
    """How the guest reaches a network."""

    technique: NicTechnique
    """Network technique; ``virtperf list techniques`` names them."""
    device: str
    """Name of the physical NIC behind it; VMs may share one."""
    queues: Count | None = None
    """Queue pairs, dealt to the vCPUs in turn; by default one each, if the device can."""
    ring: Annotated[int, Field(ge=1)] | None = None
    """Entries of each of its rings; by default those of the virtual device or of the NIC."""
    mtu: Annotated[int, Field(ge=68, le=65535)] = 1500
    """Largest IP packet."""
    tso: bool = True
    """Whether the guest hands on segments of up to 64 KiB, to be cut behind it (TSO, GSO)."""
    gro: bool = True
    """Whether received packets of a burst come to the guest as one (LRO, GRO)."""
    poll: Duration | None = None
    """How long the host's worker polls before it sleeps (vhost-net); by default it does not."""
    busy_poll: Annotated[Duration, Field(gt=0)] | None = None
    """How long a process that reads looks for packets itself before it sleeps (virtio, vhost), as
    by ``net.core.busy_read``: the driver's interrupts are off meanwhile, and its vCPU busy."""
    suppress: bool = True
    """Whether a worker that polls leaves its notifications off. If not, it asks for the next one
    at each pass over an empty ring, and there is no taking back an event index (vhost-net)."""
    iommu: IommuMode | None = None
    """How the device's DMA is translated; by default none natively, static where it is given."""
    posted: bool | None = None
    """Whether interrupts are posted (passthrough, sriov); by default as the platform's are."""
    vf_bandwidth: Bandwidth | None = None
    """Rate that the NIC limits a virtual function's sending to (sriov); by default none."""
    receive: Receive | None = None
    """How a driver domain hands received pages on (xen-netfront): has them copied, or gives the
    guest the page itself, as Xen 2 did; by default they are copied."""
    load: "OwnLoad | None" = None
    """What goes through it, where its VM has other loads beside; by default the VM's `load`."""


class _NetLoad(Frozen):
    jobs: Jobs = 1
    """Processes that each make this load; they are dealt to the vCPUs in turn."""
    cpu_user: CpuTime | None = None
    """CPU time of the application for a request; by default it does nothing."""

    def gap(self) -> Distribution | None:
        """Return the time between the arrivals of one job; None if they are not by the clock."""
        return None


class RrLoad(_NetLoad):
    """A client asks, the guest answers at once (as netperf's TCP_RR): nothing but latency."""

    kind: Literal["rr"]
    outstanding: Depth = 1
    """Transactions that each job has under way."""
    request: Size = 1
    """Bytes of a request."""
    reply: Size = 1
    """Bytes of a reply."""
    think: Pause = Deterministic(0.0)
    """From the reply's last bit to the next request's first: the client, and the way there and
    back."""


class ServerLoad(_NetLoad):
    """Requests come in by the network, are computed, and are answered."""

    kind: Literal["server"]
    outstanding: Depth = 1
    """Requests of each job under way, where no `rate` is given."""
    think: Pause = Deterministic(0.0)
    """Pause of a client, with the way there and back, where no `rate` is given."""
    rate: Rate | None = None
    """Requests per second of the VM, whatever became of the earlier ones."""
    arrivals: Arrivals = PoissonArrivals(kind="poisson")
    """How they are spaced, where a `rate` is given."""
    request: Size = 100
    """Bytes of a request."""
    reply: Size = 1024
    """Bytes of a reply."""
    block: RequestSize | None = None
    """Bytes that each request reads of the VM's `disk`, after the application's time and before the
    reply; by default nothing is read."""

    def gap(self) -> Distribution | None:
        """Return the time between the arrivals of one job; None if they are not by the clock."""
        return None if self.rate is None else self.arrivals.gap(self.rate, self.jobs)


class StreamLoad(_NetLoad):
    """As much as goes through a TCP connection, acknowledged segment by segment."""

    kind: Literal["stream"]
    direction: Literal["out", "in"] = "out"
    """Whether the guest sends it or receives it."""
    segment: Size | None = None
    """Bytes that go down or come up the stack at a time; by default 64 KiB, or a packet's where
    these are not cut or put together behind the guest."""
    window: Depth = 16
    """Segments of each job under way."""
    rtt: Pause = Deterministic(0.0)
    """The way to the other side and back, with what it does there."""


class PacketLoad(_NetLoad):
    """Packets of UDP, out or in, at a rate or as many as go."""

    kind: Literal["packets"]
    direction: Literal["out", "in"] = "out"
    """Whether the guest sends them or receives them."""
    size: Size = 18
    """Bytes of data in each."""
    outstanding: Depth = 64
    """Packets of each job under way, where no `rate` is given: what a socket's buffer holds."""
    rate: Rate | None = None
    """Packets per second of the VM, whatever became of the earlier ones."""
    arrivals: Arrivals = PoissonArrivals(kind="poisson")
    """How they are spaced, where a `rate` is given."""

    def gap(self) -> Distribution | None:
        """Return the time between the packets of one job; None if they are not by the clock."""
        return None if self.rate is None else self.arrivals.gap(self.rate, self.jobs)


NetLoad: TypeAlias = RrLoad | ServerLoad | StreamLoad | PacketLoad
OwnLoad: TypeAlias = Annotated[NetLoad, Field(discriminator="kind")]
KINDS = ("rr", "server", "stream", "packets")
"""What `load.kind` may be of a VM with a NIC."""

Interface.model_rebuild()  # its load is of types that stand below it
