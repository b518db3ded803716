"""Who comes where, on all ways of all sources: services, workers in use, customers at most."""

from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple

from virtperf.tables import NONE, DrawKind, Kind, SourceRow, StepRow, System, WorkerRow
from virtperf.theory.itinerary import Stay, classes_of, draw_of, mean_cost, ways
from virtperf.theory.tally import Demand


class Visit(NamedTuple):
    """One service of a request at a centre: its mean in ticks, and whether it is exponential."""

    centre: str
    ticks: float
    exponential: bool


def most_customers(system: System, needs: Sequence[Demand], centre: str = "") -> float:
    """Return how many requests can be in the system, or at one centre, at most."""
    total = 0.0
    for row, need in zip(system.sources, needs, strict=True):
        if centre in need.aside or (not centre and need.aside):
            return inf
        if not centre or centre in need.visits or centre in need.stations:
            total += inf if row.gap != NONE else row.outstanding
    return total


def used_workers(system: System, needs: Sequence[Demand]) -> list[WorkerRow]:
    """Return the workers that requests or their side paths come to."""
    names = set[str]().union(*(need.visits.keys() | need.aside.keys() for need in needs))
    return [row for row in system.workers if row.name in names]


def all_ways(system: System, source: SourceRow) -> Iterator[tuple[Stay, ...]]:
    """Yield every way of every class of a source."""
    for row, _ in classes_of(system, source):
        for stays, _ in ways(system, source, row):
            yield stays


def steps_of(system: System, stay: Stay) -> list[StepRow]:
    """Return the steps of a stay, the one that ends it included."""
    return [system.steps[index] for index in (*stay.steps, stay.last)]


def visits(system: System) -> Iterator[Visit]:
    """Yield every service on every way of every source."""
    for source in system.sources:
        for stays in all_ways(system, source):
            for stay in stays:
                yield from _visits_of(system, source, stay)


def _visits_of(system: System, source: SourceRow, stay: Stay) -> Iterator[Visit]:
    """Yield the work of a stay, which is one service, and each stay at a station."""
    steps = steps_of(system, stay)
    if stay.inbox != NONE:
        works = [step for step in steps if step.kind == Kind.WORK]
        name = system.workers[system.inboxes[stay.inbox].worker].name
        yield _service(system, source, name, works)
    for step in steps:
        if step.kind == Kind.SERVE:
            yield _service(system, source, system.stations[step.target].name, [step])


def _service(system: System, source: SourceRow, name: str, steps: Sequence[StepRow]) -> Visit:
    timed = [step for step in steps if mean_cost(system, source, step)]
    rows = [draw_of(system, source, step) for step in timed]
    exponential = [row is not None and row.kind == DrawKind.EXPONENTIAL for row in rows]
    ticks = sum(mean_cost(system, source, step) for step in timed)
    return Visit(name, ticks, exponential == [True])
