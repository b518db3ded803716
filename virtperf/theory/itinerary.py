"""A path as a list of stays: who holds the request, and what ends the hold. Spends no time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from virtperf.errors import ParameterError
from virtperf.tables import (
    NONE,
    ClassRow,
    DrawRow,
    Hold,
    Kind,
    SourceRow,
    StepRow,
    System,
)
from virtperf.units import TICKS_PER_NS

MOST_WAYS = 4096
_BY_A_WORKER = {Kind.WORK, Kind.LOCK, Kind.UNLOCK, Kind.JOIN, Kind.GATHER}
_ANYWHERE = {Kind.TAKE, Kind.GIVE, Kind.SPAWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A request in one pair of hands.

    Attributes
    ----------
    inbox : int
        Where the request arrives; NONE if no worker holds it, as after a station.
    bell : int
        The doorbell that brought it; NONE if its source or a station did.
    steps : tuple of int
        Steps that are carried out meanwhile, in order.
    last : int
        Step that ends the hold.
    """

    inbox: int
    bell: int
    steps: tuple[int, ...]
    last: int


def ways(system: System, source: SourceRow, row: ClassRow) -> list[tuple[tuple[Stay, ...], float]]:
    """Return every way through the choices of a class, with its probability.

    Ways out of a path for want of a credit are not taken: there is always one at zero load.

    Raises
    ------
    ParameterError
        If there are more ways than can be gone through.
    """
    inbox = row.inbox if row.side else source.inbox
    return [
        (tuple(_stays(system, row, path, inbox)), chance)
        for path, chance in _paths(system, source, row)
    ]


def successes(system: System, source: SourceRow, row: ClassRow) -> list[tuple[Stay, ...]]:
    """Return every way on which a request of a class may succeed, also without a credit."""
    return [
        tuple(_stays(system, row, path, source.inbox))
        for path, _ in _paths(system, source, row, ways_out=True)
        if system.steps[path[-1]].target == NONE
    ]


def may_fail(system: System, source: SourceRow) -> bool:
    """Whether requests of a source may end otherwise than by success, as those dropped do."""
    return any(
        system.steps[path[-1]].target != NONE
        for row, _ in classes_of(system, source)
        for path, _ in _paths(system, source, row, ways_out=True)
    )


def may_lack_credit(system: System, source: SourceRow) -> bool:
    """Whether requests of a source may go another way for want of a credit."""
    return any(
        system.steps[index].kind == Kind.TAKE and system.steps[index].other != NONE
        for row, _ in classes_of(system, source)
        for path, _ in _paths(system, source, row)
        for index in path
    )


def _paths(
    system: System, source: SourceRow, row: ClassRow, *, ways_out: bool = False
) -> list[tuple[tuple[int, ...], float]]:
    """Return the steps of each way of a class to its end, without jumps.

    What is done once for all is on the way of each: alone, it is the first and the last.
    With `ways_out` also those for want of a credit, whose chances nobody knows.
    """
    done: list[tuple[tuple[int, ...], float]] = []
    open_: list[tuple[tuple[int, ...], int, float]] = [((), row.path, 1.0)]
    while open_:
        taken, at, chance = open_.pop()
        step = system.steps[at]
        if step.kind == Kind.CHOOSE:
            weights = system.weights[slice(*system.draws[source.draws.first + step.draw].values)]
            for k in reversed(range(step.other)):
                open_.append((taken, at + 1 + k, chance * weights[k] / sum(weights)))
        elif step.kind == Kind.ONCE:
            open_.append((taken, at + 1, chance))
        elif step.kind == Kind.GOTO:
            open_.append((taken, step.target, chance))
        elif step.kind == Kind.END:
            done.append(((*taken, at), chance))
        else:
            open_.append(((*taken, at), at + 1, chance))
            if ways_out and step.kind == Kind.TAKE and step.other != NONE:
                open_.append((taken, step.other, chance))
        if len(done) + len(open_) > MOST_WAYS:
            must = f"of at most {MOST_WAYS} ways: each number that is not whole doubles them"
            raise ParameterError(f"class {row.name}", "path", must, "more")
    return done


def shared(system: System) -> dict[int, int]:
    """Return the steps that one does for all that it is gathered with, and which `Edge` it is."""
    return {
        index: row.other
        for number, row in enumerate(system.steps)
        if row.kind == Kind.ONCE
        for index in range(number + 1, row.target)
    }


def _stays(system: System, row: ClassRow, path: tuple[int, ...], inbox: int) -> Iterator[Stay]:
    """Cut a way into stays."""
    bell, held = NONE, list[int]()
    for index in path:
        step = system.steps[index]
        kept = step.kind == Kind.SERVE and step.hold != Hold.ASYNC
        if inbox == NONE and (kept or step.kind in _BY_A_WORKER):
            must = "held by a worker where it works"
            raise ParameterError(f"class {row.name}", "path", must, step)
        put_by = step.kind == Kind.JOIN and step.hold == Hold.ASYNC
        if kept or step.kind in _ANYWHERE or (step.kind in _BY_A_WORKER and not put_by):
            held.append(index)
            continue
        yield Stay(inbox=inbox, bell=bell, steps=tuple(held), last=index)
        held = []
        if not put_by:  # else its worker takes it up again
            bell = step.target if step.kind == Kind.RING else NONE
            inbox = NONE if bell == NONE else system.bells[bell].inbox


def classes_of(system: System, source: SourceRow) -> list[tuple[ClassRow, float]]:
    """Return the classes of a source, each with its share of the requests."""
    rows = system.classes[slice(*source.classes)]
    weights = [row.weight for row in rows]
    if source.order != NONE:  # the order decides, whatever the weights say
        turns = Counter(map(int, system.values[slice(*system.draws[source.order].values)]))
        weights = [float(turns[number]) for number in range(len(rows))]
    pairs = zip(rows, weights, strict=True)
    return [(row, weight / sum(weights)) for row, weight in pairs if weight]


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
    return step.ticks if row is None else row.a * TICKS_PER_NS


def think_ticks(system: System, source: SourceRow) -> float:
    """Return the mean think time of a closed source, in ticks; 0 for an open one."""
    if source.think == NONE or source.gap != NONE:
        return 0.0
    return system.draws[source.think].a * TICKS_PER_NS
