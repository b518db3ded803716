"""The tables of a scenario file: host, VMs, devices, length of the run; frozen."""

from typing import Annotated, Any, Literal, NamedTuple, Self, TypeAlias

from pydantic import Field, model_validator

from virtperf.dist import Distribution
from virtperf.errors import ParameterError
from virtperf.params import ParameterSet, Quantity
from virtperf.scenario import numbers
from virtperf.scenario.fields import (
    Bandwidth,
    Channels,
    Constant,
    CpuTechnique,
    DiskTechnique,
    Duration,
    IsaName,
    MemoryTechnique,
    PolicyName,
    PositiveNumber,
    Rate,
    RefusalError,
    ServiceField,
    Size,
    Workers,
)
from virtperf.scenario.frozen import Affinity, Copies, Count, Frozen, Tables, Vcpus
from virtperf.scenario.loads import ClosedLoad, DiskLoad, OpenLoad, TraceLoad, WorkLoad
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
from virtperf.technique import matrix


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
    iothread: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] | None = None
    """Name of an I/O thread of QEMU, which disks of a VM that name the same share; by default each
    has its own."""
    load: Annotated[ClosedLoad | OpenLoad | TraceLoad, Field(discriminator="kind")] | None = None
    """What the guest asks of this disk, where its VM has other loads beside; by default the VM's
    `load` is the disk's."""

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


class Vm(Frozen):
    """One or more equal virtual machines."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    """Unique name."""
    count: Copies = 1
    """How many copies of this VM run."""
    vcpus: Vcpus = 1
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
    """How the disk is reached; left out where nothing is asked of one."""
    disks: Annotated[Tables[Disk], Field(min_length=1)] | None = None
    """Several disks, each with a `load` of its own."""
    nic: Interface | None = None
    """How the network is reached; left out where nothing is asked of it."""
    load: (
        Annotated[
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
        | None
    ) = None
    """What the guest asks of its disk, of its network or of its CPU; left out where each of its
    devices has a load of its own."""

    @property
    def loads_at(self) -> "tuple[tuple[str, DiskLoad | WorkLoad | NetLoad], ...]":
        """All that is asked at the same time, its own load and those of its devices: and where."""
        devices = {"disk": self.disk, "nic": self.nic}
        devices |= {f"disks[{number}]": disk for number, disk in enumerate(self.disks or ())}
        found = {"load": self.load}
        found |= {f"{at}.load": one.load for at, one in devices.items() if one is not None}
        return tuple((at, load) for at, load in found.items() if load is not None)

    @property
    def loads(self) -> "tuple[DiskLoad | WorkLoad | NetLoad, ...]":
        """All that is asked at the same time: its own load, and those of its devices."""
        return tuple(load for _, load in self.loads_at)

    @property
    def jobs(self) -> int:
        """Processes of all its loads."""
        return sum(load.jobs for load in self.loads)

    @property
    def computes(self) -> str | None:
        """The workload of which a load does units, alone or before each request; None if none."""
        found: str | None = getattr(self.computing, "workload", None)
        return found

    @property
    def workload(self) -> ParameterSet | None:
        """The numbers of the workload it does, those that its load sets itself among them."""
        own: dict[str, Any] = getattr(self.computing, "numbers", {})
        return None if self.computes is None else numbers.workload(self.computes, own)

    @property
    def computing(self) -> "DiskLoad | WorkLoad | NetLoad | None":
        """The load that does units of a workload; None if none does."""
        return next((one for one in self.loads if getattr(one, "workload", None)), None)

    @property
    def techniques(self) -> tuple[str, ...]:
        """Those of its disks and of its interface, each once."""
        devices = (self.disk, *(self.disks or ()), self.nic)
        return tuple(dict.fromkeys(one.technique for one in devices if one is not None))

    @property
    def on_disks(self) -> "tuple[OnDisk, ...]":
        """Its disks, each with what is asked of it."""
        found = []
        if self.disk is not None:
            own = self.disk.load
            if own is None and isinstance(self.load, DiskLoad):
                own = self.load
            served = own is None and self.nic is not None
            if served:
                own = _blocks_of(self.on_nic[1])
            if own is not None:
                found.append(OnDisk(self, "disk", self.disk, own, served))
        for number, disk in enumerate(self.disks or ()):
            if disk.load is not None:
                found.append(OnDisk(self, f"disks[{number}]", disk, disk.load))
        return tuple(found)

    @property
    def on_disk(self) -> "tuple[Disk, DiskLoad]":
        """Its first disk with what is asked of it, of a VM that has one.

        Raises
        ------
        ParameterError
            If nothing is asked of a disk.
        """
        for use in self.on_disks:
            return use.disk, use.load
        raise ParameterError(self.name, "load.kind", "closed, open or trace", self._kind)

    @property
    def on_nic(self) -> "tuple[Interface, NetLoad]":
        """The network interface and its load, of a VM that has them.

        Raises
        ------
        ParameterError
            If nothing is asked of a network.
        """
        load = self.load if self.nic is None or self.nic.load is None else self.nic.load
        if self.nic is None or not isinstance(load, NetLoad):
            raise ParameterError(self.name, "load.kind", f"one of {', '.join(KINDS)}", self._kind)
        return self.nic, load

    @property
    def _kind(self) -> str | None:
        return None if self.load is None else self.load.kind


class OnDisk(NamedTuple):
    """A disk of a VM and what is asked of it.

    Attributes
    ----------
    vm : Vm
    at : str
        Which of the VM's it is: ``disk``, ``disks[0]``.
    disk : Disk
    load : DiskLoad
    served : bool
        Whether its requests are parts of those of the network's load.
    """

    vm: Vm
    at: str
    disk: Disk
    load: DiskLoad
    served: bool = False

    @property
    def address(self) -> str:
        """Address of its load within the scenario, the VM by its name."""
        own = self.disk.load is not None
        return f"{self.vm.name}.{self.at}.load" if own else f"{self.vm.name}.load"


def _blocks_of(load: "NetLoad") -> "ClosedLoad | OpenLoad | None":
    """Return the blocks that a server reads as a load of a disk; None if it reads none.

    The application's time is the server's own, so that of a block has none.
    """
    if not isinstance(load, ServerLoad) or load.block is None:
        return None
    words: dict[str, Any] = {"jobs": load.jobs, "size": load.block, "cpu_user": "0us"}
    if load.rate is None:
        return ClosedLoad(kind="closed", outstanding=load.outstanding, think=load.think, **words)
    return OpenLoad(kind="open", rate=load.rate, arrivals=load.arrivals, **words)


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
