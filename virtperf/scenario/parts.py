"""The tables of a scenario file: host, VMs, loads, devices, length of the run; frozen."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from virtperf.dist import Deterministic, Distribution
from virtperf.errors import ParameterError
from virtperf.params import Quantity
from virtperf.scenario.arrivals import Arrivals, PoissonArrivals
from virtperf.scenario.fields import (
    Bandwidth,
    Channels,
    Constant,
    CpuTechnique,
    CpuTime,
    DiskTechnique,
    Duration,
    IsaName,
    MemoryTechnique,
    Pause,
    PolicyName,
    PositiveNumber,
    Rate,
    RefusalError,
    ServiceField,
    Size,
    Workers,
)
from virtperf.scenario.frozen import Affinity, Count, Frozen, Tables
from virtperf.scenario.network import (
    KINDS,
    Interface,
    NetLoad,
    PacketLoad,
    RrLoad,
    ServerLoad,
    StreamLoad,
)
from virtperf.scenario.split import Dom0, Grants, RingPages
from virtperf.scenario.trace import TraceField
from virtperf.technique import matrix
from virtperf.units import MAX_TICKS

Direction = Literal["read", "write"]


def _reads() -> dict[Direction, float]:
    return {"read": 1.0}


class Host(Frozen):
    """Physical CPUs and how they are shared."""

    pcpus: Annotated[int, Field(ge=1, le=1024)] = 4
    """Physical CPUs that VMs and host threads share."""
    smt: bool = False
    """Whether pCPUs 2k and 2k + 1 are the two threads of a core, and share its speed."""
    policy: PolicyName = "round-robin"
    """Who runs where; ``virtperf list policies`` names them."""
    slice: Annotated[Duration, Field(gt=0)] | None = None
    """Longest uninterrupted run while others wait; by default the policy's, or the platform's."""
    scheduler: dict[str, Constant] = Field(default_factory=dict)
    """Other constants of the policy, by name; ``virtperf show`` tells a policy's."""
    memory: Annotated[Size, Field(gt=0)] | None = None
    """Memory of the machine, which the guests' data share as they need it, and of which a device
    without an IOMMU reaches each page; by default data fit."""
    reclaim: Literal["swap", "balloon"] = "swap"
    """How the host gets memory back that guests need and it does not have: it pages out what it
    sees unused, or has the guests' balloons take it, upon which they page themselves."""
    swap: str | None = None
    """Name of the device that the host pages to."""
    dom0: Dom0 | None = None
    """Xen's driver domain, which split drivers (``xen-...``) go through; by default it is as Xen
    makes it."""

    @property
    def slice_ns(self) -> float | None:
        """The slice in ns; None where policy or platform decide."""
        return self.slice


class Cpu(Frozen):
    """How the guest's instructions are executed."""

    technique: CpuTechnique
    """CPU technique; ``virtperf list techniques`` names them."""
    isa: IsaName | None = None
    """What the guest is compiled for; by default x86, as wide as the platform's guests."""
    ring: Annotated[int, Field(ge=0, le=3)] | None = None
    """Where a guest's kernel runs that has lost its privilege; by default where it can."""


PageName: TypeAlias = Literal["4KiB", "2MiB", "1GiB"]


class Memory(Frozen):
    """How the guest's memory is mapped to the machine's."""

    technique: MemoryTechnique | None = None
    """Memory technique; ``virtperf list techniques`` names them. By default it is the one that goes
    with the CPU technique."""
    guest_page: PageName = "4KiB"
    """Pages of the guest's data: ``4KiB``, ``2MiB`` or ``1GiB``."""
    host_page: PageName = "4KiB"
    """Pages that the host backs the guest's memory with."""
    tags: bool | None = None
    """Whether TLB entries are told apart by guest and process; by default as the platform can."""
    size: Annotated[Size, Field(gt=0)] | None = None
    """What the guest has for the data of each process; with less than these, it pages. By default
    they fit."""
    swap: str | None = None
    """Name of the device that the guest pages to."""


class Disk(Frozen):
    """How the guest reaches a disk."""

    technique: DiskTechnique
    """Disk technique; ``virtperf list techniques`` names them."""
    device: str
    """Name of the device behind it; VMs may share one."""
    poll: Duration | None = None
    """How long an I/O thread polls before it sleeps; by default the platform's."""
    queues: Count | None = None
    """Queues of the disk, dealt to the vCPUs in turn; by default one each, if the device can."""
    iothreads: Count | None = None
    """I/O threads of QEMU that share the queues in turn; by default one."""
    workers: Workers | None = None
    """Workers of the host's kernel that share the queues in turn (vhost), or ``per-queue``; by
    default one."""
    iommu: (
        Literal["none", "static", "strict", "deferred", "viommu-strict", "viommu-deferred"] | None
    ) = None
    """How the device's DMA is translated: not at all; all memory mapped once; a map per request,
    invalidated at once or many together; the same by a guest in an IOMMU that it sees. By default
    none natively, static for passthrough and sriov."""
    posted: bool | None = None
    """Whether interrupts are posted (passthrough, sriov); by default as the platform's are."""
    buffers: Size | None = None
    """Memory that the requests' data lie in; by default what is under way at a time."""
    submission: Literal["each", "batch"] | None = None
    """When the driver tells the device (emulated-nvme*, virtio*, vhost*): at each request, the
    default, or once for all that a process submits together (``commit_rqs``)."""
    completion: Literal["interrupt", "poll"] | None = None
    """How the driver learns that a request is done (native, passthrough, sriov): by an interrupt,
    the default, or by looking until it is, one request at a time on a vCPU."""
    data: Literal["dma", "pio", "pio-string"] | None = None
    """How data are moved (native, emulated-ide): by the device, the default, or by the CPU through
    a register of 16 bits, each word or each string of them by an instruction."""
    vf_bandwidth: Bandwidth | None = None
    """Rate that the device limits a virtual function to (sriov); by default there is no limit."""
    ring_pages: RingPages | None = None
    """Pages of each ring of a split driver, a power of two; by default one."""
    grants: Grants | None = None
    """How the driver domain gets at the data (xen-blkfront): it maps and unmaps the pages of each
    request, has the hypervisor copy them, or maps pages once, and the guest copies. By default
    these are ``persistent``."""

    @property
    def poll_ns(self) -> float | None:
        """The poll window in ns; None where the platform decides."""
        return self.poll

    def queues_on(self, vcpus: int) -> int:
        """Return how many queues the disk has in a VM of so many vCPUs."""
        return min(self.queues or matrix.default_queues(self.technique) or vcpus, vcpus)

    def threads_for(self, vcpus: int) -> int:
        """Return how many host threads share the queues, where that can be chosen."""
        if isinstance(self.workers, str):
            return self.queues_on(vcpus)
        return self.iothreads or self.workers or 1


class Tick(Frozen):
    """The timer tick of a guest's kernel, on each of its vCPUs."""

    kind: Literal["periodic", "tickless"]
    """Always, or not while the vCPU is idle."""
    rate: Rate = 250.0
    """Ticks per second (``CONFIG_HZ`` of a Linux kernel)."""


class _Polling(Frozen):
    max: Annotated[Duration, Field(gt=0)]
    """Longest window: how long at most before it sleeps."""
    start: Annotated[Duration, Field(gt=0)] = 10_000.0
    """First step of the window, which adapts itself."""
    grow: Count = 2
    """Factor by which the window grows after a halt that a longer one would have covered."""
    shrink: Annotated[int, Field(ge=0)] = 0
    """Divisor by which it shrinks after a halt that none may cover; 0 shrinks it to nothing."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.start > self.max:
            raise RefusalError(
                f".start must be at most max ({self.max:g} ns), got {self.start:g} ns"
            )
        return self


class HaltPoll(_Polling):
    """How the host polls for a halted vCPU: a CPU's time for the time of a wake-up (KVM)."""


class GuestPoll(_Polling):
    """How the guest polls before it halts, so that it need not leave (Linux, haltpoll)."""

    start: Annotated[Duration, Field(gt=0)] = 50_000.0
    """First step of the window, which adapts itself."""
    shrink: Annotated[int, Field(ge=0)] = 2
    """Divisor by which it shrinks after a halt that none may cover; 0 shrinks it to nothing."""


class Section(Frozen):
    """A lock that all processes of a guest share, taken by each request in the kernel."""

    discipline: Literal["ticket", "unfair", "mutex-direct", "mutex-barging", "paravirtual"] = (
        "ticket"
    )
    """Who gets it when it is released; waiters of the first two spin, of the mutexes sleep, of the
    last halt when they have spun for a while, and are kicked by who releases it to them."""
    hold: Annotated[Duration, Field(gt=0)]
    """How long a request holds it."""


class PauseExits(Frozen):
    """Exits of vCPUs that spin (PLE, pause filter), and what the hypervisor does then."""

    window: Annotated[Duration, Field(gt=0)] | None = None
    """CPU time that a vCPU spins before it exits; by default the platform's."""
    grow: Annotated[int, Field(ge=1, le=64)] = 2
    """What a vCPU's window is multiplied by at each exit, until it is put on a pCPU anew: 2 under
    KVM, 1 under Xen."""
    directed: bool = True
    """Whether the pCPU goes to another vCPU of the VM that waits for one (KVM), or to whoever is
    next (Xen)."""


class Moderation(Frozen):
    """When a device that moderates its interrupts sends one."""

    timer: Annotated[Duration, Field(gt=0)]
    """Longest delay of a completion's interrupt."""
    count: Annotated[int, Field(ge=0)] = 0
    """Completions that are told of at once; 0 is no limit."""


class _Load(Frozen):
    kind: Literal["closed", "open", "trace"]
    """Who decides when the next request comes: the end of an earlier one, or the clock."""
    jobs: Count = 1
    """Processes that each make this load; they are dealt to the vCPUs in turn."""
    size: Size = 4096
    """Bytes of a request."""
    mix: Annotated[dict[Direction, Annotated[float, Field(gt=0)]], Field(min_length=1)] = Field(
        default_factory=_reads
    )
    """Weights of reads and writes."""
    cpu_user: CpuTime | None = None
    """Native user CPU time of a request; by default the platform's."""
    cpu_kernel: CpuTime | None = None
    """Native kernel CPU time of a request; by default the platform's."""
    lock: Section | None = None
    """A critical section of the kernel on the way of each request; by default there is none."""
    workload: str | None = None
    """What is computed before each request: one unit of a shipped workload, or of a file's."""

    @property
    def size_bytes(self) -> int:
        """Bytes of a request."""
        return self.size

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of each direction in the mix; they sum to 1."""
        total = sum(self.mix.values())
        return MappingProxyType({name: weight / total for name, weight in self.mix.items()})

    @property
    def order(self) -> tuple[int, ...] | None:
        """Numbers of the directions in `shares`, one request after the other; None: by chance."""
        return None

    def gap(self) -> Distribution | None:
        """Return the time between the arrivals of one job; None if they are not by the clock."""
        return None


class ClosedLoad(_Load):
    """Each job keeps a number of requests in flight."""

    kind: Literal["closed"]
    outstanding: Count = 1
    """Requests of one job in flight (its queue depth)."""
    think: Pause = Deterministic(0.0)
    """Pause between the end of a request and the next one in its place, or its distribution."""


class OpenLoad(_Load):
    """Requests arrive at a rate, whatever became of the earlier ones."""

    kind: Literal["open"]
    rate: Rate | None = None
    """Arrivals per second of the VM; left out where `arrivals` has rates or gaps of its own."""
    arrivals: Arrivals = PoissonArrivals(kind="poisson")
    """How arrivals are spaced, a name or a table; each job does so for itself, at its share."""

    def gap(self) -> Distribution:
        """Return the time between the arrivals of one job."""
        return self.arrivals.gap(self.rate, self.jobs)


class TraceLoad(_Load):
    """Requests arrive when those of a recording did, in every copy of the VM and every run alike.

    The first comes one mean gap after the beginning; after the last the trace starts over, one
    mean gap later, so that a run may be of any length.
    """

    kind: Literal["trace"]
    jobs: Annotated[int, Field(ge=1, le=1)] = 1
    """One: a trace is one sequence of arrivals."""
    file: TraceField
    """CSV file, relative to this one: a header with ``time_s``, ``time_us`` or ``time_ns``, and
    perhaps ``direction``, which takes the place of `mix`."""
    speed: PositiveNumber = 1.0
    """What the rate of arrivals is multiplied by."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.file.directions and "mix" in self.model_fields_set:
            raise RefusalError(".mix must be left out where file has a column direction")
        if not 1 <= self.file.instants[-1] / self.speed < MAX_TICKS:
            must = "such that the trace lasts from 1 ps to 106 days"
            raise RefusalError(f".speed must be {must}, got {self.speed!r}")
        return self

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of each direction in the trace, or in the mix; they sum to 1."""
        return self.file.shares or super().shares

    @property
    def order(self) -> tuple[int, ...] | None:
        """Numbers of the directions in `shares`, one request after the other; None: by chance."""
        numbers = {name: number for number, name in enumerate(self.file.shares)}
        return tuple(numbers[name] for name in self.file.directions) or None

    def gap(self) -> Distribution:
        """Return the time between arrivals."""
        return self.file.gaps(self.speed)


class WorkLoad(Frozen):
    """Each job does units of a workload, one after the other: no disk, just the CPU."""

    kind: Literal["work"]
    workload: str
    """Name of a shipped workload, or path of a workload file relative to this one."""
    jobs: Count = 1
    """Processes that each do this; they are dealt to the vCPUs in turn."""
    think: Pause = Deterministic(0.0)
    """Pause between two units, or its distribution."""


DiskLoad: TypeAlias = ClosedLoad | OpenLoad | TraceLoad


class Vm(Frozen):
    """One or more equal virtual machines."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    """Unique name."""
    count: Count = 1
    """How many copies of this VM run."""
    vcpus: Count = 1
    """Virtual CPUs of each copy."""
    guest: Literal["unmodified", "ported"] = "unmodified"
    """Whether the guest knows its hypervisor."""
    weight: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Share of each vCPU and host thread against others; by default the policy's standard."""
    cap: PositiveNumber | None = None
    """Most CPU time that its vCPUs may use together, in pCPUs; by default there is no limit."""
    affinity: Affinity | None = None
    """pCPUs that its vCPUs may use; by default all."""
    working_set: Size | None = None
    """What a vCPU works with in a slice, in bytes; it is loaded again after others ran."""
    thread_affinity: Affinity | None = None
    """pCPUs that its host threads may use; by default all."""
    slice: Annotated[Duration, Field(gt=0)] | None = None
    """Longest run of a guest's process while others wait on its vCPU; by default the platform's."""
    pause_exits: PauseExits | None = None
    """When a vCPU that spins leaves the guest; by default it never does."""
    pv_tlb_flush: bool = False
    """Whether its kernel leaves the TLBs of vCPUs that have no pCPU to the hypervisor (KVM)."""
    tick: Tick | None = None
    """Timer ticks of the guest's kernel; by default there are none."""
    halt_poll: HaltPoll | None = None
    """Polling by the host before a halted vCPU sleeps; by default there is none."""
    guest_poll: GuestPoll | None = None
    """Polling by the guest before it halts; by default there is none."""
    cpu: Cpu
    """How instructions are executed."""
    memory: Memory | None = None
    """How memory is mapped; by default as goes with the CPU technique."""
    disk: Disk | None = None
    """How the disk is reached; left out where the load is work alone, or the network's."""
    nic: Interface | None = None
    """How the network is reached; left out where the load is not the network's."""
    load: Annotated[
        ClosedLoad
        | OpenLoad
        | TraceLoad
        | WorkLoad
        | RrLoad
        | ServerLoad
        | StreamLoad
        | PacketLoad,
        Field(discriminator="kind"),
    ]
    """What the guest asks of its disk, of its CPU or of its network."""

    @property
    def computes(self) -> str | None:
        """The workload of which its load does units, alone or before each request; None if none."""
        found: str | None = getattr(self.load, "workload", None)
        return found

    @property
    def on_disk(self) -> "tuple[Disk, DiskLoad]":
        """The disk and its load, of a VM that has them.

        Raises
        ------
        ParameterError
            If its load is not a disk's.
        """
        if self.disk is None or not isinstance(self.load, DiskLoad):
            raise ParameterError(self.name, "load.kind", "closed, open or trace", self.load.kind)
        return self.disk, self.load

    @property
    def on_nic(self) -> "tuple[Interface, NetLoad]":
        """The network interface and its load, of a VM that has them.

        Raises
        ------
        ParameterError
            If its load is not the network's.
        """
        if self.nic is None or not isinstance(self.load, NetLoad):
            raise ParameterError(
                self.name, "load.kind", f"one of {', '.join(KINDS)}", self.load.kind
            )
        return self.nic, self.load


class ServiceScale(Frozen):
    """Factors on the service times when channels stand at the ends of their range."""

    low: Annotated[float, Field(gt=0)] = 1.0
    """Factor at the low end."""
    high: Annotated[float, Field(gt=0)] = 1.0
    """Factor at the high end."""


class Device(Frozen):
    """A physical device: channels that serve in parallel."""

    channels: Channels
    """Requests the device serves at a time."""
    service: ServiceField
    """How long a channel serves a request."""
    bandwidth: Bandwidth | None = None
    """Of the link behind the channels, one transfer at a time; by default it is no limit."""
    moderation: Moderation | None = None
    """Of its interrupts; by default each completion raises one."""
    vfs: Count | None = None
    """Virtual functions that it can have (sriov); by default it has none."""
    vf_queues: Count | None = None
    """Queues of each virtual function; by default as many as are asked for."""
    group: str | None = None
    """Devices of one IOMMU group go to one owner; by default each can be told apart."""
    iommu: str = "iommu"
    """Name of the IOMMU that it sits behind, and perhaps shares with others."""
    service_scale: ServiceScale = ServiceScale()
    """What keeps the device at its measured throughput over the range of its channels."""
    origin: str = ""
    """Where the device's numbers come from."""
    assumed: Tables[str] = ()
    """What was assumed to get them; reports print it."""

    @property
    def channels_quantity(self) -> Quantity:
        """Channels with their source and range."""
        return self.channels

    def service_of(self, direction: str) -> Distribution:
        """Return the service time of a direction, ``"read"`` or ``"write"``."""
        return {"read": self.service.read, "write": self.service.write}[direction]


class RunPlan(Frozen):
    """How long to simulate, how often, and from which seed."""

    requests: Count | None = None
    """Requests per replication; by default chosen from theory's event count."""
    replications: Count = 10
    """Independent replications."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Root of all randomness."""
    engine: Literal["fast", "sim"] | None = None
    """Engine that makes the runs, compiled or SimPy; by default the fast one where it can."""
    timeline: Count | None = None
    """Requests to record, in ``results/timeline`` if ``--out`` names no folder."""
