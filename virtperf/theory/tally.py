"""Adds up what a request needs on its way: the stays of an itinerary, at one of two extremes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from virtperf.tables import (
    NONE,
    SPARING,
    BellRow,
    ClassRow,
    ConsumerState,
    Edge,
    Kind,
    Rule,
    Sequence,
    SourceRow,
    StepRow,
    System,
)
from virtperf.theory.itinerary import Stay, classes_of, mean_cost, shared, ways

ORDINARY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one request of a source needs, on the average of its classes.

    Attributes
    ----------
    workers, stations : dict of name to ticks
        CPU time of each worker; service time at each station; of a lock or of credits the time
        they are held. The answers of a join count, spinning does not.
    aside : dict of name to ticks
        The same of the side paths that the request starts, for which nobody waits.
    visits : dict of name to count
        Times the request comes to each worker and station, and may ring each doorbell.
    delay : float
        Ticks that pass and need no resource: wake-up delays.
    latency : float
        Ticks from creation to end if it never waits.
    """

    workers: dict[str, float]
    stations: dict[str, float]
    aside: dict[str, float]
    visits: dict[str, float]
    delay: float
    latency: float


class Tally:
    """Adds up the stays of one source at one extreme.

    `elapsed` is the latency of the way so far: what a credit is held for is a difference of it.
    """

    def __init__(
        self,
        system: System,
        source: SourceRow,
        *,
        most: bool,
        shared_steps: Mapping[int, int] | None = None,
    ) -> None:
        self.system, self.source, self.most = system, source, most
        self.workers: dict[str, float] = defaultdict(float)
        self.stations: dict[str, float] = defaultdict(float)
        self.aside: dict[str, float] = defaultdict(float)
        self.visits: dict[str, float] = defaultdict(float)
        self.delay = self.latency = self.elapsed = 0.0
        self.taken: dict[int, float] = {}
        self.shared = shared(system) if shared_steps is None else shared_steps

    def demand(self) -> Demand:
        """Return what a request needs on the average of classes and ways."""
        for row, share in classes_of(self.system, self.source):
            self.add(row, share)
        return self.total()

    def total(self) -> Demand:
        """Return what has been added so far."""
        return Demand(
            workers=dict(self.workers),
            stations=dict(self.stations),
            aside=dict(self.aside),
            visits=dict(self.visits),
            delay=self.delay,
            latency=self.latency,
        )

    def add(self, row: ClassRow, share: float) -> None:
        """Add all ways of a class, to which `share` of the requests belong."""
        for stays, chance in ways(self.system, self.source, row):
            self.go(stays, share * chance)

    def go(self, stays: Iterable[Stay], share: float) -> None:
        """Add one way, which `share` of the requests take."""
        self.elapsed, self.taken = 0.0, {}
        for stay in stays:
            if stay.inbox == NONE:
                self._steps(stay, share)
            else:
                self._turn(stay, share)
            self._end(stay, share)
        self.latency += self.elapsed * share

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
            before += max(self._sum(worker.wake), self._sum(worker.pickup))
            before += self._sum(worker.switch)
            after += self._sum(inbox.prologue)
        waits = any(system.steps[index].defer for index in (*stay.steps, stay.last))
        epilogue = self._sum(inbox.epilogue) if waits else 0.0
        if self.most:
            after += epilogue
        else:  # shared by the batch, but each of its requests waits for all of it
            self.elapsed += epilogue
        self.elapsed += before
        began = self.elapsed
        work = self._steps(stay, share)
        self.elapsed += after
        if inbox.lock != NONE:
            self.stations[system.stations[inbox.lock].name] += (self.elapsed - began) * share
        self.workers[worker.name] += (before + work + after) * share
        self.visits[worker.name] += share

    def _steps(self, stay: Stay, share: float) -> float:
        """Return the CPU time of the stay's own steps; book what is held meanwhile."""
        total, held = 0.0, dict[int, float]()
        waited = 0.0  # for what another one does for all
        gathered = False
        for index in stay.steps:
            step = self.system.steps[index]
            gathered = gathered or step.kind == Kind.GATHER
            if step.kind == Kind.LOCK:
                held[step.target] = self.elapsed - waited
            elif step.kind == Kind.UNLOCK:
                self._hold(step.target, self.elapsed - waited - held.pop(step.target), share)
            elif index in self.shared and not self.most:
                waited += self._done_for_all(step, self.shared[index], gathered)
            elif step.kind == Kind.TAKE:
                self.taken[step.target] = self.elapsed
            elif step.kind == Kind.GIVE and step.target in self.taken:
                self._hold(step.target, self.elapsed - self.taken.pop(step.target), share)
            elif step.kind == Kind.SERVE:
                self._served(step, share)
            elif step.kind == Kind.SPAWN:
                self._spawn(self.system.classes[step.target], share)
            elif step.kind == Kind.JOIN:
                total += self._join(step, share)
            else:
                cost = mean_cost(self.system, self.source, step)
                total += cost
                self.elapsed += cost
        return total

    def _done_for_all(self, step: StepRow, by: int, gathered: bool) -> float:
        """Return how long all wait for what the first of the largest batch does: its cost is none.

        Nobody need wait for what the last one does, nor for the first where none is gathered.
        """
        if step.kind == Kind.SPAWN:
            self._spawn(self.system.classes[step.target], 0.0)
        if step.kind != Kind.WORK or by != Edge.FIRST or not gathered:
            return 0.0
        cost = mean_cost(self.system, self.source, step)
        self.elapsed += cost
        return cost

    def _hold(self, station: int, ticks: float, share: float) -> None:
        self.stations[self.system.stations[station].name] += ticks * share

    def _spawn(self, row: ClassRow, share: float) -> None:
        """Count what a side path needs, which makes no latency."""
        side = self._side(row)
        for theirs in (side.workers, side.stations):
            _add(self.aside, theirs, share)

    def _side(self, row: ClassRow) -> "Tally":
        side = Tally(self.system, self.source, most=self.most, shared_steps=self.shared)
        side.add(row, 1.0)
        return side

    def _answer(self, row: ClassRow, share: float) -> float:
        """Count what the answer to a doorbell needs; return how long it takes."""
        side = self._side(row)
        _add(self.workers, side.workers, share)
        _add(self.stations, side.stations, share)
        _add(self.aside, side.aside, share)
        _add(self.visits, side.visits, share)
        return side.latency

    def _join(self, step: StepRow, share: float) -> float:
        """Return the CPU time of ringing all; add the longest answer to the way, or, at most, all.

        A spinning worker burns more, but how much depends on the others.
        """
        rung, answers = 0.0, []
        for number in range(step.target, step.target + step.other):
            row = self.system.classes[number]
            bell = self.system.bells[self.system.steps[row.path].target]
            if bell.rule in SPARING and not self.most:
                continue
            rung += self._ringing(bell, bell.pay)
            answers.append(self._answer(row, share))
        self.elapsed += rung + (sum(answers) if self.most else max(answers, default=0.0))
        return rung

    def _paid(self, stay: Stay) -> float:
        """Return what the worker pays for the step that ends the stay."""
        end = self.system.steps[stay.last]
        if end.kind != Kind.RING:
            return 0.0
        bell = self.system.bells[end.target]
        return self._ringing(bell, bell.pay)

    def _end(self, stay: Stay, share: float) -> None:
        step = self.system.steps[stay.last]
        if step.kind == Kind.SERVE:
            self._served(step, share)
        elif step.kind == Kind.JOIN:
            worker = self.system.workers[self.system.inboxes[stay.inbox].worker]
            self.workers[worker.name] += self._join(step, share) * share
        elif step.kind == Kind.RING:
            bell = self.system.bells[step.target]
            self.visits[bell.name] += share
            if self.most:
                late = bell.delay[ConsumerState.ASLEEP] + longest_wait(bell)
                self.delay += late * share
                self.elapsed += late

    def _served(self, step: StepRow, share: float) -> None:
        name = self.system.stations[step.target].name
        cost = mean_cost(self.system, self.source, step)
        self.stations[name] += cost * share
        self.visits[name] += share
        self.elapsed += cost

    def _ringing(self, bell: BellRow, costs: tuple[Sequence, ...]) -> float:
        if self.most:
            return self._sum(costs[ConsumerState.ASLEEP])
        if bell.rule != Rule.ALWAYS:
            return 0.0
        return min(self._sum(costs[state]) for state in self._states(bell))

    def _states(self, bell: BellRow) -> Iterable[ConsumerState]:
        """Return the states in which the bell can find its consumer."""
        inbox = self.system.inboxes[bell.inbox]
        for state in ConsumerState:
            if state == ConsumerState.POLLING:
                possible = bool(self.system.workers[inbox.worker].poll)
            else:
                possible = state != ConsumerState.OTHER or inbox.level != ORDINARY
            if possible:
                yield state

    def _sum(self, sequence: Sequence) -> float:
        steps = self.system.steps[sequence.first : sequence.last]
        return sum(mean_cost(self.system, self.source, step) for step in steps)


def _add(mine: dict[str, float], theirs: dict[str, float], share: float) -> None:
    for name, ticks in theirs.items():
        mine[name] += ticks * share


def longest_wait(bell: BellRow) -> int:
    """Return for how many ticks moderation may hold a signal back: a count of 1 never does."""
    return bell.timer if bell.rule == Rule.MODERATED and bell.count != 1 else 0
