"""A path as a list of stays: who holds the request, and what ends the hold. Spends no time."""

from collections.abc import Iterator
from dataclasses import dataclass

from virtperf.errors import ParameterError
from virtperf.tables import (
    NONE,
    ClassRow,
    DrawKind,
    DrawRow,
    Kind,
    SourceRow,
    StepRow,
    System,
)
from virtperf.units import TICKS_PER_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A request in one pair of hands.

    Attributes
    ----------
    inbox : int
        Where the request arrives; NONE if no worker holds it, as after a station.
    bell : int
        The doorbell that brought it; NONE if its source or a station did.
    first, last : int
        Steps `first` to `last - 1` are carried out by the worker; step `last` ends the hold.
    """

    inbox: int
    bell: int
    first: int
    last: int


def itinerary(system: System, source: SourceRow, row: ClassRow) -> Iterator[Stay]:
    """Yield the stays of a request of class `row`, in order."""
    inbox, bell, first = source.inbox, NONE, row.path
    while True:
        last = first
        while system.steps[last].kind in (Kind.WORK, Kind.LOCK, Kind.UNLOCK, Kind.TAKE, Kind.GIVE):
            last += 1
        if inbox == NONE and last > first:
            raise ParameterError(
                f"class {row.name}", "path", "held by a worker where it works", system.steps[first]
            )
        yield Stay(inbox=inbox, bell=bell, first=first, last=last)
        end = system.steps[last]
        if end.kind == Kind.END:
            return
        bell = end.target if end.kind == Kind.RING else NONE
        inbox = NONE if bell == NONE else system.bells[bell].inbox
        first = last + 1


def classes_of(system: System, source: SourceRow) -> list[tuple[ClassRow, float]]:
    """Return the classes of a source, each with its share of the requests."""
    rows = system.classes[slice(*source.classes)]
    total = sum(row.weight for row in rows)
    return [(row, row.weight / total) for row in rows]


def mean_ns(system: System, row: DrawRow) -> float:
    """Return the mean of a random time, in ns."""
    if row.kind != DrawKind.EMPIRICAL:
        return row.a
    points = slice(*row.values)
    values, weights = system.values[points], system.weights[points]
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def draw_of(system: System, source: SourceRow, step: StepRow) -> DrawRow | None:
    """Return the random time of a step, or None if its cost is fixed."""
    return None if step.draw == NONE else system.draws[source.draws.first + step.draw]


def mean_cost(system: System, source: SourceRow, step: StepRow) -> float:
    """Return the mean cost of a step, in ticks.

    Parameters
    ----------
    system : System
    source : SourceRow
        Whose requests take the step; random times are numbered per source.
    step : StepRow

    Returns
    -------
    float
        Ticks, not rounded.
    """
    row = draw_of(system, source, step)
    return step.ticks if row is None else mean_ns(system, row) * TICKS_PER_NS


def think_ticks(system: System, source: SourceRow) -> float:
    """Return the mean think time of a closed source, in ticks; 0 for an open one."""
    if source.think == NONE or source.gap != NONE:
        return 0.0
    return mean_ns(system, system.draws[source.think]) * TICKS_PER_NS
