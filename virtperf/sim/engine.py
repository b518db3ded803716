"""A machine: the tables of a system, turned into SimPy processes, and one run of it."""

import simpy

from virtperf.errors import SimulationError
from virtperf.sim.clock import Clock
from virtperf.sim.credit import Credits
from virtperf.sim.doorbell import Doorbell, WorkSteps
from virtperf.sim.inbox import Inbox
from virtperf.sim.ledger import check, check_request
from virtperf.sim.lock import Lock
from virtperf.sim.occupancy import Occupancy
from virtperf.sim.pool import Pool
from virtperf.sim.probe import Probe
from virtperf.sim.request import Request
from virtperf.sim.source import Source
from virtperf.sim.station import Servers
from virtperf.sim.timer import Timer
from virtperf.sim.wait import Wait
from virtperf.sim.worker import Worker
from virtperf.tables import (
    NONE,
    Kind,
    Run,
    Sequence,
    Snapshot,
    StationKind,
    StepRow,
    System,
    kinship,
)
from virtperf.tables.deadlock import refuse_credit_cycle
from virtperf.tables.progress import Watch

IDLE_TICKS = 1_000_000


class Machine:
    """All that lives during one run.

    Parameters
    ----------
    system : System
    seed, replication : int
        Name of the random streams.
    requests : int
        The run ends when this many have finished, whoever's they are.
    """

    def __init__(self, system: System, *, seed: int, replication: int, requests: int) -> None:
        self.system = system
        self.steps = system.steps
        self.env = Clock()
        self.counters = [0] * len(system.counters)
        self.requests = self.seen = requests
        self.idle_ticks = 0  # since the last request ended
        self.over = self.env.event()
        self.in_flight: dict[Request, None] = {}
        self.put_aside: dict[Request, int] = {}  # waiting for answers, under which account
        self.in_system = Occupancy(self.env)
        self.completed = [0] * len(system.groups)
        self.residence = [0] * len(system.groups)
        self.booked = [[0] * len(system.accounts) for _ in system.groups]
        self.sides = [0] * len(system.sides)
        self.side_residence = [0] * len(system.sides)
        self._build_stations()
        self._build_workers()
        self.bells = [
            Doorbell(self.env, i, row, self.inboxes[row.inbox], self.counters)
            for i, row in enumerate(system.bells)
        ]
        self.sources = [
            Source(self.env, i, system, self._begin, seed, replication)
            for i in range(len(system.sources))
        ]
        self.timers = [
            Timer(self.env, i, row, self.workers[row.worker], self._expire)
            for i, row in enumerate(system.timers)
        ]
        self.progress = Watch(system, requests)
        self.probe = Probe(len(system.groups), len(system.wakes), self.look)
        self.pool.woke = self.probe.woke
        self.processes: dict[simpy.Process, int] = {}

    def _build_stations(self) -> None:
        self.servers: dict[int, Servers] = {}
        self.locks: dict[int, Lock] = {}
        self.credits: dict[int, Credits] = {}
        for index, row in enumerate(self.system.stations):
            if row.kind == StationKind.LOCK:
                self.locks[index] = Lock(self.env, index, row)
            elif row.kind == StationKind.CREDIT:
                self.credits[index] = Credits(self.env, row, self.take_up, self._crowded)
            else:
                self.servers[index] = Servers(self.env, index, row, self.go_on)

    def _build_workers(self) -> None:
        self.pool = Pool(
            self.env, self.system.pool, len(self.system.accounts), len(self.system.wakes)
        )
        self.inboxes: list[Inbox] = []
        self.workers = [Worker(self, i, row) for i, row in enumerate(self.system.workers)]
        self.pool.workers = list(self.workers)
        for worker, kin in zip(self.workers, kinship(self.system.workers), strict=True):
            worker.leader, worker.kin = kin
        for index, row in enumerate(self.system.inboxes):
            worker = self.workers[row.worker]
            inbox = Inbox(index, row, worker, self.locks[row.lock] if row.lock != NONE else None)
            self.inboxes.append(inbox)
            worker.own(inbox)

    def work_steps(self, sequence: Sequence) -> WorkSteps:
        """Return the rows of a range of the step table."""
        return self.steps[sequence.first : sequence.last]

    # -- requests come and go ---------------------------------------------------------------

    def admit(self, request: Request) -> None:
        """Let a request live from now on."""
        request.created = self.env.now
        self.in_flight[request] = None
        if not request.row.side:
            self.in_system.add(1)

    def _begin(self, request: Request, number: int) -> None:
        self.admit(request)
        if number == NONE:
            self.go_on(request)
        else:
            inbox = self.inboxes[number]
            inbox.worker.arrive(request, inbox)

    def child(self, parent: Request, number: int, answers: Wait | None = None) -> Request:
        """Return a request of a side class, with its parent's random times, not yet alive."""
        row = self.system.classes[number]
        child = Request(parent.source, row, self.env.now, parent.draws)
        child.answers = answers
        return child

    def bell_of(self, number: int) -> Doorbell:
        """Return the doorbell that the path of a side class begins with."""
        return self.bells[self.steps[self.system.classes[number].path].target]

    def _expire(self, number: int, answers: Wait) -> None:
        """Start the side path of a timer; where nothing else happens, no run may go on for ever."""
        self.idle_ticks = self.idle_ticks + 1 if self.requests == self.seen else 0
        self.seen = self.requests
        if self.idle_ticks == IDLE_TICKS:
            self._look_for_deadlock()
            says = f"timers went off {IDLE_TICKS:,} times, but no request ended"
            raise SimulationError(f"{self.system.name}: {says}")
        row = self.system.classes[number]
        request = Request(NONE, row, self.env.now, [])
        request.answers = answers
        self._begin(request, row.inbox)

    def finish(self, request: Request, step: StepRow) -> None:
        """End a request, observe it, and let its source, or whoever waits for it, know."""
        latency = check_request(request, self.env.now)
        del self.in_flight[request]
        if step.counter != NONE:
            self.counters[step.counter] += 1
        side = request.row.group if request.row.side else step.target
        if side != NONE:
            self.sides[side] += 1
            self.side_residence[side] += latency
        if request.row.side:
            if request.answers is not None:
                request.answers.answer()
            if request.lender is not None:
                request.lender.aside -= 1
            return
        self.in_system.add(-1)
        if side == NONE:
            self._observe(request, latency)
        if self.requests > 0:
            self.sources[request.source].finished()

    def _observe(self, request: Request, latency: int) -> None:
        group = request.row.group
        self.completed[group] += 1
        self.residence[group] += latency
        totals = self.booked[group]
        for account, ticks in request.booked.items():
            totals[account] += ticks
        self.probe.finished(group, latency, self.env.now)
        self.requests -= 1
        if self.requests == 0:
            self.over.succeed()

    # -- steps that need no worker ----------------------------------------------------------

    def go_on(self, request: Request) -> None:
        """Take the next step of a request that has been served, or that no worker holds."""
        if request.stays is not None:
            wait, request.stays = request.stays, None
            assert request.home is not None, "a worker keeps it"
            request.mark = request.home.worker.clock.read()
            wait.answer()
            return
        while True:
            step = self.steps[request.step]
            request.step += 1
            if step.kind == Kind.SERVE:
                self.serve(request, step)
            elif step.kind == Kind.RING:
                self.bells[step.target].ring_from_device(request)
            elif step.kind == Kind.END:
                self.finish(request, step)
            elif self.steer(request, step):
                continue
            return

    def serve(self, request: Request, step: StepRow) -> None:
        """Hand a request to a station."""
        ticks = step.ticks if step.draw == NONE else request.draws[step.draw]
        self.servers[step.target].arrive(request, ticks, step.account)

    def steer(self, request: Request, step: StepRow) -> bool:
        """Carry out a step that takes no time and nobody's CPU; False if the request must wait."""
        if step.kind == Kind.TAKE:
            return self._take(request, step)
        if step.kind == Kind.GIVE:
            stock = self.credits[step.target]
            holder = request if stock in request.credits else request.lender
            if holder is not None and stock in holder.credits:
                holder.return_one(stock)
            stock.give()
        elif step.kind == Kind.CHOOSE:
            request.step += request.draws[step.draw]
        elif step.kind == Kind.GOTO:
            request.step = step.target
        elif step.kind == Kind.ONCE:
            if not request.edge & step.other:
                request.step = step.target
        else:
            child = self.child(request, step.target)
            child.lender = request
            request.aside += 1
            self._begin(child, child.row.inbox)
        return True

    def _take(self, request: Request, step: StepRow) -> bool:
        stock = self.credits[step.target]
        if stock.take():
            request.hold(stock)
            return True
        if step.counter != NONE:
            self.counters[step.counter] += 1
        if step.other != NONE:
            request.step = step.other
            return True
        stock.park(request)
        return False

    def put_by(self, request: Request, step: StepRow, wait: Wait) -> None:
        """Let a request wait for answers while its worker goes on with others."""
        request.since = self.env.now
        self.put_aside[request] = step.account
        if wait.over:
            self.take_up(request)

    def take_up(self, request: Request) -> None:
        """Go on with a request that has what it waited for, where it was."""
        account = self.put_aside.pop(request, NONE)
        if account != NONE:
            request.book(account, self.env.now - request.since)
        if request.home is None:  # in an event of its own: it may give back what it takes at once
            self.env.soon(lambda: self.go_on(request))
        else:
            request.home.worker.arrive(request, request.home)

    def _look_for_progress(self) -> None:
        clocks = [worker.clock.read() for worker in self.workers]
        self.progress.look(self.requests, self.env.now, self.sides, clocks)
        self.env.mark = self.progress.mark

    def _crowded(self) -> None:
        """Look for a deadlock when all that this instant's alarm has caused is over."""
        self.env.afterwards = self._look_for_deadlock

    def _look_for_deadlock(self) -> None:
        refuse_credit_cycle(self.credits.values(), self.in_flight)

    # -- the run ----------------------------------------------------------------------------

    def look(self) -> Snapshot:
        """Return all running totals as they stand."""
        stations = [
            self.servers.get(i) or self.locks.get(i) or self.credits[i]
            for i in range(len(self.system.stations))
        ]
        return Snapshot(
            time=self.env.now,
            completed=tuple(self.completed),
            residence=tuple(self.residence),
            in_system=self.in_system.read(),
            counters=tuple(self.counters),
            cpu=tuple(tuple(self.pool.read(pcpu)) for pcpu in self.pool.pcpus),
            requests=tuple(tuple(row) for row in self.booked),
            busy=tuple(station.busy.read() for station in stations),
            queued=tuple(station.queued.read() for station in stations),
            sides=tuple(self.sides),
            side_residence=tuple(self.side_residence),
            workers=tuple(tuple(worker.clock.read()) for worker in self.workers),
            switches=self.pool.switches,
            preemptions=self.pool.preemptions,
            migrations=self.pool.migrations,
            waking=tuple(self.pool.waking),
        )

    def run(self) -> Run:
        """Run to the end, settle what is open, check the ledger, report."""
        self.processes = {self.env.process(w.process): w.index for w in self.workers}
        begin = self.env.event()  # after the workers' processes have gone to sleep
        begin.callbacks.append(lambda _: self._start())
        begin.succeed()
        try:
            self.env.mark, self.env.marked = self.progress.mark, self._look_for_progress
            if not self.env.run(until=self.over):
                self._look_for_deadlock()
                raise SimulationError(f"{self.system.name}: nothing is left to happen")
        finally:
            self.probe.end()
            self._close()
        self._settle()
        in_flight = check(self, self.in_flight)
        probe, groups = self.probe, len(self.system.groups)
        return Run(
            ends=tuple(probe.ends),
            sums=tuple(probe.sums),
            batch=probe.batch,
            snapshots=tuple(probe.batches.snapshots),
            histograms=tuple(tuple(row[:groups]) for row in probe.batches.histograms),
            wakes=tuple(tuple(row[groups:]) for row in probe.batches.histograms),
            in_flight=in_flight,
            events=self.env.alarms,
            engine="sim",
        )

    def _start(self) -> None:
        self.pool.start()
        for worker in self.workers:
            worker.start()
        for timer in self.timers:
            timer.start()
        for source in self.sources:
            source.start()

    def _close(self) -> None:
        """Close the processes, also of a run that failed: the `finally` of each stretch books."""
        for worker in self.workers:
            worker.close()

    def _settle(self) -> None:
        """Book what waits and what is being served."""
        for inbox in self.inboxes:
            for request in inbox.queue:
                inbox.worker.settle(request, inbox.worker.row.waits)
            for request, _ in inbox.deferred:
                inbox.worker.settle(request, inbox.worker.batch_waits)
        for station in self.servers.values():
            station.settle()
        for stock in self.credits.values():
            stock.settle()
        for request, account in self.put_aside.items():
            request.book(account, self.env.now - request.since)


def run(system: System, *, seed: int, replication: int, requests: int) -> Run:
    """Simulate one replication of `system` until `requests` requests have finished.

    Parameters
    ----------
    system : System
    seed : int
        Root of all randomness.
    replication : int
        Number of the independent run.
    requests : int
        Length of the run, at least 1.

    Returns
    -------
    Run
        The same for the same arguments, always.

    Raises
    ------
    LedgerError
        If a tick was booked twice or not at all.
    DeadlockError
        If some wait for each other for ever: the cycle of who waits for whom.
    SimulationError
        If nothing is left to happen before the requests are through.
    """
    return Machine(system, seed=seed, replication=replication, requests=requests).run()
