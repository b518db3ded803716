"""The tables of a scenario file: host, VMs, loads, devices, length of the run; frozen."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from virtperf.dist import Distribution
from virtperf.params import Quantity
from virtperf.scenario.fields import (
    Bandwidth,
    Channels,
    CpuTechnique,
    CpuTime,
    DiskTechnique,
    Duration,
    Rate,
    ServiceField,
    Size,
)

Direction = Literal["read", "write"]
Item = TypeVar("Item")
Tables = Annotated[tuple[Item, ...], Field(strict=False)]  # TOML has lists; a frozen model, tuples
Count = Annotated[int, Field(ge=1)]


def _reads() -> dict[Direction, float]:
    return {"read": 1.0}


class Frozen(BaseModel):
    """A table: frozen, strict about types, and closed to keys it does not know."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True
    )


class Host(Frozen):
    """Physical CPUs and how they are shared."""

    pcpus: Annotated[int, Field(ge=1, le=1024)] = 4
    """Physical CPUs that VMs and host threads share."""
    policy: Literal["round-robin", "pinned"] = "round-robin"
    """Who runs where: any worker anywhere in turn, or worker i on pCPU i mod pcpus."""
    slice: Annotated[Duration, Field(gt=0)] | None = None
    """Longest uninterrupted run while others wait; by default the platform's."""

    @property
    def slice_ns(self) -> float | None:
        """The slice in ns; None where the platform decides."""
        return self.slice


class Cpu(Frozen):
    """How the guest's instructions are executed."""

    technique: CpuTechnique
    """CPU technique; ``virtperf list techniques`` names them."""


class Disk(Frozen):
    """How the guest reaches a disk."""

    technique: DiskTechnique
    """Disk technique; ``virtperf list techniques`` names them."""
    device: str
    """Name of the device behind it; VMs may share one."""
    poll: Duration | None = None
    """How long the I/O thread polls before it sleeps (virtio); by default the platform's."""

    @property
    def poll_ns(self) -> float | None:
        """The poll window in ns; None where the platform decides."""
        return self.poll


class _Load(Frozen):
    kind: Literal["closed", "open"]
    """Who decides when the next request comes: the end of an earlier one, or the clock."""
    jobs: Count = 1
    """Independent sources of this load; they are dealt to the vCPUs round robin."""
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

    @property
    def size_bytes(self) -> int:
        """Bytes of a request."""
        return self.size

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of each direction in the mix; they sum to 1."""
        total = sum(self.mix.values())
        return MappingProxyType({name: weight / total for name, weight in self.mix.items()})


class ClosedLoad(_Load):
    """Each job keeps a number of requests in flight."""

    kind: Literal["closed"]
    outstanding: Count = 1
    """Requests of one job in flight (its queue depth)."""
    think: Duration = 0.0
    """Pause between the end of a request and the next one in its place."""

    @property
    def think_ns(self) -> float:
        """The pause in ns."""
        return self.think


class OpenLoad(_Load):
    """Requests arrive at a rate, whatever became of the earlier ones."""

    kind: Literal["open"]
    rate: Rate
    """Arrivals per second of the VM; its jobs split them."""
    arrivals: Literal["poisson", "deterministic"] = "poisson"
    """How arrivals are spaced."""


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
    cpu: Cpu
    """How instructions are executed."""
    disk: Disk
    """How the disk is reached."""
    load: Annotated[ClosedLoad | OpenLoad, Field(discriminator="kind")]
    """What the guest asks of its disk."""


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
