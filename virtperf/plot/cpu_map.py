"""Which CPU technique is quickest, over exits and kernel work: the numbers of the winner map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from virtperf import catalog
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.params import ParameterSet, Quantity
from virtperf.plot.cpu_data import SHADOWED, has_nested_paging, way
from virtperf.technique.cpu.operations import OPERATIONS
from virtperf.technique.cpu.price import price

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNIT_NS = 1e6  # of the guest's own code: what "per ms" is counted in
CONTENDERS = ("trap-emulate", "binary-translation", "paravirtual", SHADOWED, "hardware")
PER_CALL = ("interrupt_flag_changes", "popfs", "returns")
_EVENTS = [one.events for one in OPERATIONS.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Time of a millisecond of guest code under a technique: linear in both axes of the map.

    Attributes
    ----------
    base, per_event, per_share : float
        Time without events in user code alone; of each event; and of a kernel share of 1, in ns.
    """

    base: float
    per_event: float
    per_share: float

    def ns(self, events: Any, share: Any) -> Any:
        """Return the time with so many events per ms of guest code, at a share of kernel work."""
        return self.base + self.per_event * events + self.per_share * share


@dataclass(frozen=True, slots=True, kw_only=True)
class WinnerMap:
    """Which technique is quickest.

    Attributes
    ----------
    platform, base, operation : str
        Machine, workload whose kernel code it is, and the operation that makes the exits.
    exits : ndarray, shape (columns,)
        Exits per ms of guest code, under hardware assistance with shadow paging.
    shares : ndarray, shape (rows,)
        Share of kernel work in the guest's code.
    times : mapping of str to ndarray, shape (rows, columns)
        Time of a ms of guest code by technique, in ns.
    planes : mapping of str to Plane
        The same as formulas.
    per_event : float
        Exits of one operation.
    calls : float
        System calls per ms of kernel code.
    """

    platform: str
    base: str
    operation: str
    exits: NDArray[Any]
    shares: NDArray[Any]
    times: Mapping[str, NDArray[Any]]
    planes: Mapping[str, Plane]
    per_event: float
    calls: float

    @property
    def winners(self) -> NDArray[Any]:
        """Index into `times` of the quickest, shape (rows, columns); of equals the later one."""
        import numpy as np

        stack = np.stack(list(self.times.values()))[::-1]
        found: NDArray[Any] = len(stack) - 1 - np.argmin(stack, axis=0)
        return found

    def winner(self, exits: float, share: float) -> str:
        """Return the quickest technique at one place."""
        events = exits / self.per_event
        return min(
            reversed(list(self.planes)), key=lambda name: self.planes[name].ns(events, share)
        )

    def crossover(self, a: str, b: str, share: float) -> float | None:
        """Return the exits per ms at which `a` and `b` take the same time; None if nowhere."""
        one, two = self.planes[a], self.planes[b]
        slope = one.per_event - two.per_event
        if not slope:
            return None
        events = (two.ns(0, share) - one.ns(0, share)) / slope
        return events * self.per_event if events > 0 else None

    def calls_per_event(self, a: str, b: str) -> float | None:
        """Return how many system calls weigh as much as one event, between two techniques."""
        exits = self.crossover(a, b, 1.0)
        return self.calls / (exits / self.per_event) if exits else None


def contenders(platform: ParameterSet) -> tuple[str, ...]:
    """Return those of `CONTENDERS` that a platform has the numbers for."""
    names = []
    for name in CONTENDERS:
        if name == "hardware" and not has_nested_paging(platform):
            continue
        try:
            _at(platform, catalog.workload("fork-storm"), name, "port_read", 1.0, 0.5)
        except UnknownNameError:
            continue
        names.append(name)
    return tuple(names)


def winner_table(
    platform: ParameterSet,
    base: ParameterSet,
    operation: str = "pte_write",
    *,
    techniques: Sequence[str] | None = None,
    exits: Sequence[float] | None = None,
    shares: Sequence[float] | None = None,
    footprint: float | None = None,
) -> WinnerMap:
    """Return the quickest technique over exits and share of kernel work.

    Varied are two things: how many operations of one kind there are per ms of guest code, and what
    share of that code is the kernel's. With the kernel's share come its system calls, with them
    its changes of the interrupt flag, POPFs and returns, as many per instruction of kernel code as
    in `base`. Cycles per instruction, blocks and indirect branches are those of `base`; every
    other operation is left out.

    Parameters
    ----------
    platform, base : ParameterSet
    operation : str
        What makes the exits: ``"pte_write"``, ``"port_read"``, ``"msr_write"``.
    techniques : sequence of str, optional
        `contenders` of the platform by default.
    exits, shares : sequence of float, optional
        Exits per ms of guest code, and shares of kernel work.
    footprint : float, optional
        Different instructions executed; that of `base` by default. Of the techniques that contend
        none is priced by it, for the code cache of binary translation is taken to be warm.

    Raises
    ------
    ParameterError
        If the operation has no exit under hardware assistance, or `base` no system calls.
    """
    import numpy as np

    base = base if footprint is None else _with(base, footprint=footprint)
    names = techniques if techniques is not None else contenders(platform)
    columns = np.asarray(exits if exits is not None else np.logspace(0, 4, 401), dtype=float)
    rows = np.asarray(shares if shares is not None else np.linspace(0, 1, 301), dtype=float)
    per_event = _exits_of(platform, base, operation)
    planes = {name: _plane(platform, base, name, operation) for name in names}
    across, up = np.meshgrid(columns / per_event, rows)
    return WinnerMap(
        platform=platform.name,
        base=base.name,
        operation=operation,
        exits=columns,
        shares=rows,
        times={name: plane.ns(across, up) for name, plane in planes.items()},
        planes=planes,
        per_event=per_event,
        calls=UNIT_NS / _call_ns(platform, base),
    )


def synthetic(
    platform: ParameterSet, base: ParameterSet, operation: str, events: float, share: float
) -> ParameterSet:
    """Return a workload of one ms of guest code, see `winner_table`."""
    cycle_ns = 1e9 / platform["frequency"].base
    instructions = UNIT_NS / cycle_ns / base["cycles_per_instruction"].value
    kernel = instructions * share
    per_instruction = {
        key: base[key].value / (base["instructions"].value * base["kernel_share"].value)
        for key in ("syscalls", *PER_CALL)
        if key in base
    }
    numbers = {key: kernel * each for key, each in per_instruction.items()}
    name = OPERATIONS[operation].events
    numbers[name] = numbers.get(name, 0.0) + events
    return _with(
        ParameterSet(base.name, {k: q for k, q in base.items() if k not in _EVENTS}),
        instructions=instructions,
        kernel_share=share,
        **numbers,
    )


def _with(base: ParameterSet, **numbers: float) -> ParameterSet:
    """Return a workload with these numbers, the ranges of which are left out."""
    source = f"varied from {base.name}, see virtperf.plot.cpu_map"
    like = Quantity(value=1.0, unit="1", source=source, evidence="derived", checked="own")
    new = {key: replace(like, value=float(value)) for key, value in numbers.items()}
    return ParameterSet(base.name, {**base, **new}, title=base.title)


def _at(
    platform: ParameterSet,
    base: ParameterSet,
    name: str,
    operation: str,
    events: float,
    share: float,
) -> float:
    return price(platform, synthetic(platform, base, operation, events, share), *way(name)).ns


def _plane(platform: ParameterSet, base: ParameterSet, name: str, operation: str) -> Plane:
    """Return the formula: a unit's time is a sum of numbers times costs, so three prices do."""
    at = [_at(platform, base, name, operation, *place) for place in ((0, 0), (100, 0), (0, 1))]
    return Plane(base=at[0], per_event=(at[1] - at[0]) / 100, per_share=at[2] - at[0])


def _exits_of(platform: ParameterSet, base: ParameterSet, operation: str) -> float:
    """Return how many exits an operation makes under hardware assistance and shadow paging."""
    if operation not in OPERATIONS:
        raise UnknownNameError("operation", operation, OPERATIONS)
    alone = synthetic(platform, base, operation, 1.0, 0.0)
    counts = price(platform, alone, *way(SHADOWED)).counts
    exits = sum(number for name, number in counts.items() if name.startswith("exits."))
    if not exits:
        raise ParameterError("winner_table", "operation", "one that exits", operation)
    return exits


def _call_ns(platform: ParameterSet, base: ParameterSet) -> float:
    """Return the kernel code that goes with one system call, in ns."""
    if "syscalls" not in base or not base["syscalls"].value:
        raise ParameterError("winner_table", "base", "a workload with system calls", base.name)
    code = base["instructions"].value * base["kernel_share"].value / base["syscalls"].value
    return code * base["cycles_per_instruction"].value * 1e9 / platform["frequency"].base
