"""What a guest asks of a disk, or of its CPU alone: the tables of a scenario file that say so."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from virtperf.dist import Deterministic, Distribution
from virtperf.scenario.arrivals import Arrivals, PoissonArrivals
from virtperf.scenario.fields import (
    CpuTime,
    Duration,
    Pause,
    PositiveNumber,
    Rate,
    RefusalError,
    RequestSize,
)
from virtperf.scenario.frozen import Depth, Frozen, Jobs
from virtperf.scenario.trace import TraceField
from virtperf.units import MAX_TICKS

Direction = Literal["read", "write"]


def _reads() -> dict[Direction, float]:
    return {"read": 1.0}


class Section(Frozen):
    """A lock that all processes of a guest share, taken by each request in the kernel."""

    discipline: Literal["ticket", "unfair", "mutex-direct", "mutex-barging", "paravirtual"] = (
        "ticket"
    )
    """Who gets it when it is released; waiters of the first two spin, of the mutexes sleep, of the
    last halt when they have spun for a while, and are kicked by who releases it to them."""
    hold: Annotated[Duration, Field(gt=0)]
    """How long a request holds it."""


class _Load(Frozen):
    kind: Literal["closed", "open", "trace"]
    """Who decides when the next request comes: the end of an earlier one, or the clock."""
    jobs: Jobs = 1
    """Processes that each make this load; they are dealt to the vCPUs in turn."""
    size: RequestSize = 4096
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
    numbers: dict[str, Any] = Field(default_factory=dict)
    """Numbers of the workload set anew: a value in its unit, ``"1.1x"``, ``"low"``, a table."""

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
    outstanding: Depth = 1
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
    numbers: dict[str, Any] = Field(default_factory=dict)
    """Numbers of the workload set anew: a value in its unit, ``"1.1x"``, ``"low"``, a table."""
    jobs: Jobs = 1
    """Processes that each do this; they are dealt to the vCPUs in turn."""
    think: Pause = Deterministic(0.0)
    """Pause between two units, or its distribution."""


DiskLoad: TypeAlias = ClosedLoad | OpenLoad | TraceLoad
