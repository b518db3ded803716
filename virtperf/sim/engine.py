"""A machine: the tables of a system, turned into SimPy processes, and one run of it."""

from virtperf.errors import SimulationError, VirtperfError
from virtperf.sim.clock import Clock
from virtperf.sim.doorbell import Doorbell
from virtperf.sim.inbox import Inbox
from virtperf.sim.ledger import check, check_request
from virtperf.sim.pool import Pool
from virtperf.sim.probe import Probe
from virtperf.sim.request import Request
from virtperf.sim.source import Source
from virtperf.sim.station import Lock, Occupancy, Servers
from virtperf.sim.worker import Worker
from virtperf.tables import NONE, Kind, Run, Snapshot, StationKind, StepRow, System


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
        self.requests = requests
        self.over = self.env.event()
        self.in_flight: dict[Request, None] = {}
        self.in_system = Occupancy(self.env)
        self.completed = [0] * len(system.groups)
        self.residence = [0] * len(system.groups)
        self.booked = [[0] * len(system.accounts) for _ in system.groups]
        self._build_stations()
        self._build_workers()
        self.bells = [
            Doorbell(self.env, i, row, self.inboxes[row.inbox], self.counters)
            for i, row in enumerate(system.bells)
        ]
        self.sources = [
            Source(self.env, i, system, self._enter, seed, replication)
            for i in range(len(system.sources))
        ]
        self.probe = Probe(len(system.groups), self.look)

    def _build_stations(self) -> None:
        self.servers: dict[int, Servers] = {}
        self.locks: dict[int, Lock] = {}
        for index, row in enumerate(self.system.stations):
            if row.kind == StationKind.LOCK:
                self.locks[index] = Lock(self.env, index, row)
            else:
                self.servers[index] = Servers(self.env, index, row, self.go_on)

    def _build_workers(self) -> None:
        self.pool = Pool(self.env, self.system.pool, len(self.system.accounts))
        self.workers = [Worker(self, i, row) for i, row in enumerate(self.system.workers)]
        self.pool.workers = self.workers
        self.inboxes: list[Inbox] = []
        for row in self.system.inboxes:
            worker = self.workers[row.worker]
            inbox = Inbox(row, worker, self.locks[row.lock] if row.lock != NONE else None)
            self.inboxes.append(inbox)
            if row.level:
                worker.interrupt = inbox
            else:
                worker.ordinary = inbox

    # -- requests ---------------------------------------------------------------------------

    def _enter(self, request: Request) -> None:
        self.in_system.add(1)
        self.in_flight[request] = None
        inbox = self.system.sources[request.source].inbox
        if inbox == NONE:
            self.go_on(request)
        else:
            self.inboxes[inbox].worker.arrive(request)

    def go_on(self, request: Request) -> None:
        """Take the next step of a request that no worker holds."""
        step = self.steps[request.step]
        request.step += 1
        if step.kind == Kind.SERVE:
            self.serve(request, step)
        elif step.kind == Kind.RING:
            self.bells[step.target].ring_from_device(request)
        else:
            self.finish(request)

    def serve(self, request: Request, step: StepRow) -> None:
        """Hand a request to a station."""
        ticks = step.ticks if step.draw == NONE else request.draws[step.draw]
        self.servers[step.target].arrive(request, ticks, step.account)

    def finish(self, request: Request) -> None:
        """End a request, observe it, and let its source know."""
        now, group = self.env.now, request.row.group
        latency = check_request(request, now)
        del self.in_flight[request]
        self.in_system.add(-1)
        self.completed[group] += 1
        self.residence[group] += latency
        totals = self.booked[group]
        for account, ticks in request.booked.items():
            totals[account] += ticks
        self.probe.finished(group, latency, now)
        self.requests -= 1
        if self.requests == 0:
            self.over.succeed()
        elif self.requests > 0:
            self.sources[request.source].finished()

    # -- the run ----------------------------------------------------------------------------

    def look(self) -> Snapshot:
        """Return all running totals as they stand."""
        stations = [self.servers.get(i) or self.locks[i] for i in range(len(self.system.stations))]
        return Snapshot(
            time=self.env.now,
            completed=tuple(self.completed),
            residence=tuple(self.residence),
            in_system=self.in_system.read(),
            counters=tuple(self.counters),
            cpu=tuple(tuple(pcpu.account.read()) for pcpu in self.pool.pcpus),
            requests=tuple(tuple(row) for row in self.booked),
            busy=tuple(station.busy.read() for station in stations),
            queued=tuple(station.queued.read() for station in stations),
        )

    def run(self) -> Run:
        """Run to the end, settle what is open, check the ledger, report."""
        for worker in self.workers:
            self.env.process(worker.process)
        begin = self.env.event()  # after the workers' processes have gone to sleep
        begin.callbacks.append(lambda _: self._start())
        begin.succeed()
        try:
            self.env.run(until=self.over)
        except RuntimeError as error:
            if self.over.triggered or isinstance(error, VirtperfError):
                raise  # SimPy's own RuntimeError says that its queue is empty
            raise SimulationError(f"{self.system.name}: nothing is left to happen") from error
        finally:
            self.probe.end()
            self._close()
        self._settle()
        in_flight = check(self, self.in_flight)
        probe = self.probe
        return Run(
            ends=tuple(probe.ends),
            sums=tuple(probe.sums),
            batch=probe.batch,
            snapshots=tuple(probe.snapshots),
            histograms=tuple(tuple(row) for row in probe.histograms),
            in_flight=in_flight,
            events=self.env.alarms,
            engine="sim",
        )

    def _start(self) -> None:
        for source in self.sources:
            source.start()

    def _close(self) -> None:
        """Close the processes, also of a run that failed: the `finally` of each stretch books."""
        for worker in self.workers:
            worker.process.close()

    def _settle(self) -> None:
        """Book what waits and what is being served."""
        for inbox in self.inboxes:
            for request in inbox.queue:
                inbox.worker.settle(request, inbox.worker.row.waits)
            for request, _ in inbox.deferred:
                inbox.worker.settle(request, inbox.worker.batch_waits)
        for station in self.servers.values():
            station.settle()


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
    SimulationError
        If nothing is left to happen before the requests are through.
    """
    return Machine(system, seed=seed, replication=replication, requests=requests).run()
