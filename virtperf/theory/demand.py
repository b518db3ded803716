"""How much of each resource a request needs, at two extremes between which every run lies."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from virtperf.tables import (
    NONE,
    BellRow,
    ConsumerState,
    Kind,
    Rule,
    Sequence,
    SourceRow,
    System,
)
from virtperf.theory.itinerary import Stay, classes_of, itinerary, mean_cost

ORDINARY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one request of a source needs, on the average of its classes.

    Attributes
    ----------
    workers, stations : dict of name to ticks
        CPU time of each worker; service time at each station, for a lock the time it is held.
    visits : dict of name to count
        Times the request comes to each worker and station, and may ring each doorbell.
    delay : float
        Ticks that pass and need no resource: wake-up delays.
    latency : float
        Ticks from creation to end if it never waits.
    """

    workers: dict[str, float]
    stations: dict[str, float]
    visits: dict[str, float]
    delay: float
    latency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """The demand of each source at the two extremes.

    Attributes
    ----------
    least : tuple of Demand, per source
        The largest batches: bells that can be suppressed never ring, the others cost what the
        cheapest state of their consumer costs (nearly always `active`), and what a turn costs is
        shared by so many that nothing is left of it.
    most : tuple of Demand, per source
        Every turn serves one request, every bell rings and finds its consumer asleep.
    """

    least: tuple[Demand, ...]
    most: tuple[Demand, ...]


def demands(system: System) -> Demands:
    """Return the service demands of every source.

    Parameters
    ----------
    system : System

    Returns
    -------
    Demands
        In ticks per request.
    """
    return Demands(
        least=tuple(_Tally(system, row, most=False).demand() for row in system.sources),
        most=tuple(_Tally(system, row, most=True).demand() for row in system.sources),
    )


class _Tally:
    """Adds up the stays of one source at one extreme."""

    def __init__(self, system: System, source: SourceRow, *, most: bool) -> None:
        self.system, self.source, self.most = system, source, most
        self.workers: dict[str, float] = defaultdict(float)
        self.stations: dict[str, float] = defaultdict(float)
        self.visits: dict[str, float] = defaultdict(float)
        self.delay = self.latency = 0.0

    def demand(self) -> Demand:
        for row, share in classes_of(self.system, self.source):
            for stay in itinerary(self.system, self.source, row):
                if stay.inbox != NONE:
                    self._turn(stay, share)
                self._end(stay, share)
        return Demand(
            workers=dict(self.workers),
            stations=dict(self.stations),
            visits=dict(self.visits),
            delay=self.delay,
            latency=self.latency,
        )

    def _turn(self, stay: Stay, share: float) -> None:
        """Count the CPU time of a worker's stay, and what it holds meanwhile."""
        system = self.system
        inbox = system.inboxes[stay.inbox]
        worker = system.workers[inbox.worker]
        before, after = 0.0, self._paid(stay)
        if stay.bell != NONE:
            bell = system.bells[stay.bell]
            before += self._ringing(bell, bell.debt)
        if self.most:
            before += self._sum(worker.wake)
            after += self._sum(inbox.prologue)
        epilogue = self._sum(inbox.epilogue) if system.steps[stay.last].defer else 0.0
        if self.most:
            after += epilogue
        else:  # shared by the batch, but each of its requests waits for all of it
            self.latency += epilogue * share
        work = self._work(stay, share)
        if inbox.lock != NONE:
            self.stations[system.stations[inbox.lock].name] += (work + after) * share
        self.workers[worker.name] += (before + work + after) * share
        self.visits[worker.name] += share
        self.latency += (before + work + after) * share

    def _work(self, stay: Stay, share: float) -> float:
        """Return the time of the stay's own steps; book it to the locks they hold."""
        total, held = 0.0, set[int]()
        for step in self.system.steps[stay.first : stay.last]:
            if step.kind == Kind.LOCK:
                held.add(step.target)
            elif step.kind == Kind.UNLOCK:
                held.discard(step.target)
            else:
                cost = mean_cost(self.system, self.source, step)
                total += cost
                for lock in held - {self.system.inboxes[stay.inbox].lock}:
                    self.stations[self.system.stations[lock].name] += cost * share
        return total

    def _paid(self, stay: Stay) -> float:
        """Return what the worker pays to ring the bell that ends the stay."""
        end = self.system.steps[stay.last]
        if end.kind != Kind.RING:
            return 0.0
        bell = self.system.bells[end.target]
        return self._ringing(bell, bell.pay)

    def _end(self, stay: Stay, share: float) -> None:
        step = self.system.steps[stay.last]
        if step.kind == Kind.SERVE:
            name, cost = (
                self.system.stations[step.target].name,
                mean_cost(self.system, self.source, step),
            )
            self.stations[name] += cost * share
            self.visits[name] += share
            self.latency += cost * share
        elif step.kind == Kind.RING:
            bell = self.system.bells[step.target]
            self.visits[bell.name] += share
            if self.most:
                self.delay += bell.delay[ConsumerState.ASLEEP] * share
                self.latency += bell.delay[ConsumerState.ASLEEP] * share

    def _ringing(self, bell: BellRow, costs: tuple[Sequence, ...]) -> float:
        if self.most:
            return self._sum(costs[ConsumerState.ASLEEP])
        if bell.rule == Rule.EVENT_INDEX:
            return 0.0
        return min(self._sum(costs[state]) for state in self._states(bell))

    def _states(self, bell: BellRow) -> Iterable[ConsumerState]:
        """Return the states in which the bell can find its consumer."""
        inbox = self.system.inboxes[bell.inbox]
        for state in ConsumerState:
            if state == ConsumerState.POLLING:
                worker = self.system.workers[inbox.worker]
                possible = self.system.inboxes[worker.inbox].poll > 0
            else:
                possible = state != ConsumerState.OTHER or inbox.level != ORDINARY
            if possible:
                yield state

    def _sum(self, sequence: Sequence) -> float:
        steps = self.system.steps[sequence.first : sequence.last]
        return sum(mean_cost(self.system, self.source, step) for step in steps)
