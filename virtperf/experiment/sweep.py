"""Carries a plan out: what is missing is run, what is done is stored, whatever happens."""

from __future__ import annotations

import heapq
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import DamageError, SimulationError
from virtperf.experiment import executors
from virtperf.experiment.bookkeeping import Books
from virtperf.experiment.engines import FAST, SIM
from virtperf.experiment.plan import PACE
from virtperf.experiment.prepare import Made, Plan, header, prepare, rebuilt, written
from virtperf.experiment.status import Status, Tell
from virtperf.experiment.tasks import Done, Lost, Task, Which, carry_out
from virtperf.store import Store

if TYPE_CHECKING:
    from virtperf.experiment.declare import Experiment
    from virtperf.result import Result

LOOK_S = 0.2  # between two looks at tasks under way
FLUSH_S = 1.0  # between two writes of what is done, at least
SHORT = 5e6  # timed events in all: fewer take less time than processes need to start
BLOCK_S = 4.0  # of runs that go to a worker together, at most
FEW = 2  # points per core: fewer would leave cores idle if each were one task
ATTEMPTS = 3  # at a task whose process died


def sweep(
    experiment: Experiment,
    folder: Path,
    *,
    executor: executors.Submits | None = None,
    tell: Tell | None = None,
    retry_failed: bool = False,
    seconds: float | None = None,
) -> Result:
    """Make the runs of an experiment that its store lacks; see `Experiment.run`.

    Raises
    ------
    ScenarioError
        If points are impossible.
    StoreError, OutputError
        If another sweep uses the folder, or it cannot be written.
    SimulationError
        If the executor went away; what was done is stored.
    """
    store = Store(folder)
    go = partial(_sweep, experiment, store, executor, tell, seconds)
    with store.alone():
        try:
            return go(retry_failed, [])
        except DamageError:
            return go(retry_failed, store.heal())


def _sweep(
    experiment: Experiment,
    store: Store,
    executor: executors.Submits | None,
    tell: Tell | None,
    seconds: float | None,
    retry_failed: bool,
    healed: list[str],
) -> Result:
    """Do it, the store held; what is damaged shows when it is read, and raises."""
    place = executors.Processes() if executor is None else executors.Given(executor)
    try:
        plan, made = prepare(experiment, store, lambda: _start(place, experiment))
        if made or healed or _other(store, plan):
            store.write_plan(written(plan))
        store.tidy()
        books = Books(plan, store, retry_failed=retry_failed)
        work = _Work(plan, made, books, place, tell, seconds)
        interrupted = work.run()
    except BaseException:
        place.close(at_once=True)
        raise
    return books.result(healed=healed, interrupted=interrupted, stopped=work.stopped)


def _start(place: executors.Place, experiment: Experiment) -> None:
    """Start processes of our own before points are built, where they will surely be needed."""
    requests = len(experiment.design) * experiment.effort.replications * (experiment.requests or 0)
    if isinstance(place, executors.Processes) and requests > SHORT and experiment.engine != SIM:
        place.start()


def _other(store: Store, plan: Plan) -> bool:
    """Whether the plan that is stored says something else of how its points are run."""
    stored, own = store.plan, header(plan)
    return any(stored.get(name) != value for name, value in own.items())


class _Work:
    """The runs that are missing, on their way through an executor."""

    def __init__(
        self,
        plan: Plan,
        made: Made,
        books: Books,
        place: executors.Place,
        tell: Tell | None,
        seconds: float | None,
    ) -> None:
        self.plan, self.made, self.books = plan, made, books
        self.tell = tell if tell is not None else lambda _: None
        self.until = None if seconds is None else time.monotonic() + seconds
        self.stopped = False
        self.labels = {entry.key: entry.outline.label for entry in plan.entries}
        self.status = Status(stored=books.stored, done=books.stored, planned=books.stored)
        self.queue: list[tuple[float, int, Task]] = []
        self.under_way: dict[Future[Any], Task] = {}
        self.attempts: dict[tuple[str, tuple[Which, ...]], int] = {}
        self.count = 0
        self.pending = Counter[str]()  # tasks of each point that are queued or under way
        self.alone = self._alone()
        for key in books.tallies:
            self.enqueue(key)
        self.place = self._place(place)

    def _alone(self) -> bool:
        """Whether runs go one by one: points are too few, or too long, to be a task each."""
        events = [entry.outline.events for entry in self.plan.entries]
        requests = self.plan.experiment.requests or 0
        longest = max(events, default=0.0) * requests * self.plan.experiment.pilot
        few = len(self.books.tallies) < FEW * (os.cpu_count() or 1)
        return few or longest * PACE[self.plan.engine].event_us * 1e-6 > BLOCK_S

    def _place(self, place: executors.Place) -> executors.Place:
        short = sum(task.cost for _, _, task in self.queue) < SHORT
        if short and self.plan.engine == FAST and isinstance(place, executors.Processes):
            place.close()
            return executors.Here()
        return place

    def enqueue(self, key: str) -> None:
        """Queue the missing runs of a point, the longest tasks of all first."""
        for task in self._tasks(key):
            self.count += 1
            self.pending[task.key] += 1
            heapq.heappush(self.queue, (-task.cost, self.count, task))
            self.status.planned += len(task.which)
            self.status.cost_planned += task.cost

    def _tasks(self, key: str) -> Iterator[Task]:
        tally, missing = self.books.tallies[key], self.books.tallies[key].missing()
        if not missing:
            return
        experiment = self.plan.experiment
        point = rebuilt(self.plan, self.made, key)
        whole = tally.cut is not None or not (self.alone or tally.runs)
        for which in [(one,) for one in missing] if self.alone else [tuple(missing)]:
            yield Task(
                key=key,
                point=point,
                which=which,
                seed=experiment.seed or 0,
                requests=experiment.requests or 0,
                engine=self.plan.engine,
                cut=tally.cut,
                whole=whole,
            )

    def run(self) -> bool:
        """Carry everything out; return whether somebody stopped it."""
        due = time.monotonic() + FLUSH_S
        try:
            while self.queue or self.under_way:
                self._hand_over()
                for future in self._finished():
                    self._take(future)
                if time.monotonic() > due:
                    due = self._flush()
                self.tell(self.status)
        except KeyboardInterrupt:
            self.place.close(at_once=True)
            self.books.flush()
            return True
        except BaseException:
            self.place.close(at_once=True)
            self.books.flush()
            raise
        self.place.close()
        self.books.finish()
        self.tell(self.status)
        return False

    def _flush(self) -> float:
        """Store what is done; return when to do so again: a twentieth of the time at most."""
        began = time.monotonic()
        self.books.flush()
        ended = time.monotonic()
        return ended + max(FLUSH_S, 20 * (ended - began))

    def _hand_over(self) -> None:
        if self.until is not None and self.queue and time.monotonic() > self.until:
            self.stopped, self.queue = True, []
        while self.queue and len(self.under_way) < self.place.room:
            _, _, task = heapq.heappop(self.queue)
            try:
                self.under_way[self.place.submit(carry_out, task)] = task
            except executors.BROKEN as error:
                self._broken(task, error)

    def _finished(self) -> Sequence[Future[Any]]:
        """Return what has ended, failures last: they may end everything that is under way."""
        done = wait(self.under_way, timeout=LOOK_S, return_when=FIRST_COMPLETED).done
        return sorted(
            done, key=lambda future: (_error(future) is not None, self.under_way[future].key)
        )

    def _take(self, future: Future[Any]) -> None:
        task = self.under_way.pop(future, None)
        if task is None:
            return  # handed over again, after its process died
        error = _error(future)
        if error is None:
            self._note(task, future.result())
        elif isinstance(error, (*executors.BROKEN, CancelledError)):
            self._broken(task, error)
        else:
            self._lose(task, f"{type(error).__name__}: {error}")

    def _note(self, task: Task, done: Done) -> None:
        point = rebuilt(self.plan, self.made, task.key)
        events = self.books.note(point, task, done)
        self.pending[task.key] -= 1
        self.status.done += len(task.which)
        self.status.failed += len(done.lost)
        self.status.cost_done += task.cost
        self.status.label = self.labels[task.key]
        tally = self.books.tallies[task.key]
        if events and tally.values:
            self.status.widths = tally.verdict(len(tally.done)).widths
        found = tally.piloted and (tally.cut is not None or tally.over)
        if found and not self.pending[task.key]:
            self.enqueue(task.key)

    def _broken(self, task: Task, error: BaseException) -> None:
        """Try again what a dead process had; give up where nobody can start another."""
        under_way, self.under_way = self.under_way, {}
        again = [task]
        for future, other in under_way.items():
            if future.done() and _error(future) is None:
                self._note(other, future.result())
            else:
                again.append(other)
        if not self.place.renew():
            says = f"the executor went away ({type(error).__name__}: {error}); "
            says += "what was finished is stored, and the same call goes on from there"
            raise SimulationError(says)
        for one in again:
            name = (one.key, one.which)
            self.attempts[name] = self.attempts.get(name, 0) + 1
            if self.attempts[name] >= ATTEMPTS:
                self._lose(one, f"its process died {ATTEMPTS} times (out of memory?)")
                continue
            self.count += 1
            heapq.heappush(self.queue, (-one.cost, self.count, one))

    def _lose(self, task: Task, error: str) -> None:
        lost = tuple(Lost(replication=r, corner=c, error=error, trace="") for r, c in task.which)
        self._note(task, Done(lost=lost))


def _error(future: Future[Any]) -> BaseException | None:
    """Return why a future that is done has no result."""
    return CancelledError() if future.cancelled() else future.exception()
