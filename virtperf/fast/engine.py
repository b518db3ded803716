"""One run of the compiled engine, as Python sees it: enter the loop, look around, enter again."""

from collections.abc import Callable, Mapping

from virtperf.errors import SimulationError
from virtperf.fast import status
from virtperf.fast.audit import check, refuse
from virtperf.fast.counts import Counts
from virtperf.fast.feed import Feed
from virtperf.fast.layout import STATES
from virtperf.fast.loop import ADVANCE, BEGIN, FINISH, enter_loop
from virtperf.fast.machine import BUCKETS, Machine
from virtperf.fast.source import IDLE_TICKS, LOW
from virtperf.fast.stuck import refuse_credit_deadlock, refuse_deadlock
from virtperf.fast.timeline import read
from virtperf.fast.warmup import warm_up
from virtperf.tables import Run, Snapshot, System, Timeline
from virtperf.tables.batches import Batches
from virtperf.tables.progress import Watch

BUDGET = 1_000_000  # alarms between two looks from Python: a few tenths of a second
ROOM, MOST_ROOM = 256, 1 << 24
Progress = Callable[[int], bool]
SPANS = 100_000  # a recording ends here, so that its memory is bounded


class Attempt:
    """A run with tables of some size; it may find them too small.

    Parameters
    ----------
    system : System
    seed, replication, requests : int
        See `run`.
    room : mapping of str to int
        Rows there are for what a system does not bound, by `status.TABLES`.
    spans : int, optional
        Spans that are recorded; by default nothing is.
    """

    def __init__(
        self,
        system: System,
        seed: int,
        replication: int,
        requests: int,
        room: Mapping[str, int],
        spans: int | None,
    ) -> None:
        self.system, self.requests = system, requests
        self.machine = Machine(system, requests, room, spans)
        self.feed = Feed(self.machine, seed, replication, max(LOW, room["feed"]))
        self.watch = Watch(system, requests)
        self.batches: Batches[Counts] = Batches(self._snapshot(0))
        self._enter(BEGIN)

    def _enter(self, what: int) -> int:
        try:
            return int(enter_loop(self.machine.address, what))
        except IndexError as error:  # the checked build alone raises it
            says = f"a row was asked for that table {error} has not"
            raise SimulationError(f"{self.system.name}: {says}") from error

    def drive(self, progress: Progress | None) -> int:
        """Run until it is over, or something is wrong; return why it stopped."""
        machine = self.machine
        while machine.get("status") in (status.RUNNING, status.PAUSED):
            self._look_around()
            machine.set(status=status.RUNNING)
            self._enter(ADVANCE)
            if machine.get("status") not in (status.PAUSED, status.OVER):
                break
            if progress is not None and progress(self.requests - machine.get("left")):
                break
        return machine.get("status")

    def _look_around(self) -> None:
        """Do what only Python can, while no compiled code holds an address."""
        machine = self.machine
        alarms = machine.get("alarms")
        settled = machine.get("caused") == machine.get("happened")  # it has not only begun
        if alarms >= self.watch.mark and settled:
            now, sides = machine.get("now"), machine.tables["sides"].tolist()
            self.watch.look(machine.get("left"), now, sides, self._clocks(now))
        machine.set(budget=min(alarms + BUDGET, self.watch.mark))
        if machine.get("wish"):
            machine.set(wish=0)
            self.feed.refill()
            self._put_away()
            if machine.get("alive") >= machine.get("room"):
                machine.grow()
            if machine.get("crowded"):
                machine.set(crowded=0)
                refuse_credit_deadlock(machine)

    def _clocks(self, now: int) -> list[list[int]]:
        """Return the time of each worker in each state, the present one included."""
        table = self.machine.tables["workers"]
        clocks: list[list[int]] = table["times"].tolist()
        for clock, state, entered in zip(clocks, table["state"], table["entered"], strict=True):
            clock[state] += now - int(entered)
        return clocks

    def _put_away(self) -> None:
        """Keep the closed snapshots and histograms, and let the open ones come first again."""
        closed = self.machine.get("closed")
        if not closed:
            return
        for number in range(closed):
            self.batches.add(self._snapshot(number), self._counts(number))
            self.batches.merge_if_full()
        size = self.machine.get("observed") * BUCKETS
        table = self.machine.tables["histograms"]
        table[:size] = table[closed * size : (closed + 1) * size]
        table[size : (closed + 1) * size] = 0
        self.machine.set(closed=0)

    def _counts(self, number: int) -> list[Counts]:
        table = self.machine.tables["histograms"]
        return [*map(Counts, table.reshape(-1, self.machine.get("observed"), BUCKETS)[number])]

    def _snapshot(self, number: int) -> Snapshot:
        system, width = self.system, self.machine.get("look_width")
        row = self.machine.tables["looks"][number * width : (number + 1) * width].tolist()
        groups, accounts, stations = (
            len(system.groups),
            len(system.accounts),
            len(system.stations),
        )
        at = 2

        def part(length: int) -> tuple[int, ...]:
            nonlocal at
            at += length
            return tuple(row[at - length : at])

        def grid(rows: int, columns: int) -> tuple[tuple[int, ...], ...]:
            return tuple(part(columns) for _ in range(rows))

        return Snapshot(
            time=row[0],
            in_system=row[1],
            completed=part(groups),
            residence=part(groups),
            counters=part(len(system.counters)),
            sides=part(len(system.sides)),
            side_residence=part(len(system.sides)),
            requests=grid(groups, accounts),
            cpu=grid(system.pool.pcpus, accounts),
            busy=part(stations),
            queued=part(stations),
            switches=part(1)[0],
            preemptions=part(1)[0],
            migrations=part(1)[0],
            waking=part(len(system.wakes)),
            workers=grid(len(system.workers), STATES),
        )

    def result(self) -> Run:
        """Settle what is open, check the ledger, and report."""
        machine = self.machine
        self._put_away()
        self._enter(FINISH)
        last, open_ = self._snapshot(0), self._counts(0)
        if last.time > self.batches.snapshots[-1].time or any(len(part.counts) for part in open_):
            self.batches.add(last, open_)
        kept, groups = machine.get("snaps"), len(self.system.groups)
        seen = [tuple(part.histogram() for part in row) for row in self.batches.histograms]
        return Run(
            ends=tuple(machine.tables["ends"][:kept].tolist()),
            sums=tuple(machine.tables["sums"][:kept].tolist()),
            batch=machine.get("batch"),
            snapshots=tuple(self.batches.snapshots),
            histograms=tuple(row[:groups] for row in seen),
            wakes=tuple(row[groups:] for row in seen),
            in_flight=check(machine),
            events=machine.get("alarms"),
            engine="fast",
        )

    def refuse(self, why: int) -> None:
        """Say what went wrong in the middle of a run.

        Raises
        ------
        LedgerError
            If a request that has ended does not balance.
        DeadlockError
            If some wait for each other for ever.
        SimulationError
        """
        machine, name = self.machine, self.system.name
        culprit = machine.get("culprit")
        if why == status.UNBALANCED:
            row = machine.tables["requests"][culprit]
            residence, missing = machine.get("now") - int(row["created"]), machine.get("left")
            refuse(machine, int(row["klass"]), residence, residence - missing)
        if why == status.DEADLOCK:
            refuse_deadlock(machine, culprit)
        refuse_credit_deadlock(machine)
        if why == status.IDLE:
            says = f"timers went off {IDLE_TICKS:,} times, but no request ended"
            raise SimulationError(f"{name}: {says}")
        if why == status.LATE:
            says = "instants and their sums no longer fit into 8 bytes; use engine sim"
            raise SimulationError(f"{name}: {says}")
        if why == status.DRY:
            raise SimulationError(f"{name}: nothing is left to happen")
        raise SimulationError(f"{name}: the engine is in a state that cannot be ({why}, {culprit})")


def _never_back(progress: Progress) -> Progress:
    """Return a progress that does not go back where a run is made again."""
    most = 0

    def told(finished: int) -> bool:
        nonlocal most
        most = max(most, finished)
        return progress(most)

    return told


def _attempt(
    system: System,
    seed: int,
    replication: int,
    requests: int,
    spans: int | None,
    progress: Progress | None,
) -> Attempt:
    """Make a run; where tables were too small, make it again with larger ones."""
    warm_up()
    if progress is not None:
        progress = _never_back(progress)
    room = dict.fromkeys(status.TABLES.values(), ROOM)
    while True:
        attempt = Attempt(system, seed, replication, requests, room, spans)
        why = attempt.drive(progress)
        if why != status.FULL:
            break
        full = status.TABLES[attempt.machine.get("culprit")]
        if full == "feed":
            attempt.feed.refuse()
        room[full] *= 8
        if room[full] > MOST_ROOM or full == "frames":
            says = f"the table of {full} grows past {room[full]:,} rows"
            raise SimulationError(f"{system.name}: {says}")
    if why not in (status.OVER, status.PAUSED):
        attempt.refuse(why)
    return attempt


def run(
    system: System,
    *,
    seed: int,
    replication: int,
    requests: int,
    progress: Progress | None = None,
) -> Run:
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
    progress : callable, optional
        Called with the requests finished so far, some times a second; the run ends early, as it
        stands, if it returns true.

    Returns
    -------
    Run
        The same for the same arguments, always, and the same as of `virtperf.sim`.

    Raises
    ------
    LedgerError
        If a tick was booked twice or not at all.
    DeadlockError
        If some wait for each other for ever: the cycle of who waits for whom.
    SimulationError
        If nothing is left to happen before the requests are through, or a table grows past all
        bounds.
    """
    return _attempt(system, seed, replication, requests, None, progress).result()


def record(
    system: System, *, seed: int, replication: int, requests: int, spans: int = SPANS
) -> tuple[Run, Timeline]:
    """Simulate as `run` does, and record what happened when.

    Parameters
    ----------
    system : System
    seed, replication, requests : int
        As in `run`.
    spans : int
        Most that is recorded; the run goes on without it.

    Returns
    -------
    Run
        The same as without a recording.
    Timeline
    """
    attempt = _attempt(system, seed, replication, requests, spans, None)
    result = attempt.result()
    return result, read(attempt.machine)
