"""A worker: a thread that takes turns, is interrupted, sleeps and polls, as a SimPy process."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import simpy

from virtperf.rules import doorbell as doorbell_rule
from virtperf.rules import poll as poll_rule
from virtperf.sim.clock import happen
from virtperf.sim.doorbell import Steps, WorkSteps
from virtperf.sim.hands import ASIDE, Hands
from virtperf.sim.inbox import ORDINARY, Inbox
from virtperf.sim.request import Request
from virtperf.sim.thread import ASLEEP, INTERRUPT, POLLING, RUNNING
from virtperf.tables import NONE, Edge, Hold, Kind, StepRow, WorkerRow

if TYPE_CHECKING:
    from virtperf.sim.engine import Machine

AWAKE, WOKEN, NOTICED = poll_rule.AWAKE, poll_rule.WOKEN, poll_rule.NOTICED
FIRST = int(Edge.FIRST)
WORK, LOCK, UNLOCK, SERVE, RING, END, JOIN, GATHER = map(
    int,
    (
        Kind.WORK,
        Kind.LOCK,
        Kind.UNLOCK,
        Kind.SERVE,
        Kind.RING,
        Kind.END,
        Kind.JOIN,
        Kind.GATHER,
    ),
)


class Worker(Hands):
    """A vCPU, an I/O thread, a main loop, a pCPU's interrupt work.

    The process is `live`. The ordinary work of a vCPU may be that of several guest tasks, each
    with an inbox of its own.
    """

    __slots__ = (
        "batch_waits",
        "batches",
        "came",
        "endless",
        "idle_since",
        "polled",
        "polling",
        "polls",
        "process",
        "tasks",
    )

    def __init__(self, machine: "Machine", index: int, row: WorkerRow) -> None:
        super().__init__(machine, index, row)
        poll = row.poll
        self.polls = bool(poll)
        self.endless = poll.kind == poll_rule.ENDLESS
        self.poll_kind, self.poll_most, self.poll_start = poll.kind, poll.most, poll.start
        self.poll_grow, self.poll_shrink = poll.grow, poll.shrink
        self.window = 0 if poll.start else poll.most
        self.polling = 0
        self.batches = 0
        self.came = AWAKE
        self.polled = 0
        self.idle_since = 0
        # Who waits for its mates: their work is `batch`, the rest as in an inbox.
        self.batch_waits = tuple(
            row.batch_account if state in (RUNNING, INTERRUPT) else account
            for state, account in enumerate(row.waits)
        )
        self.tasks: list[Inbox] = []
        self.process = self.live()

    def own(self, inbox: Inbox) -> None:
        """Make `inbox` the interrupt level, or that of a further task."""
        if inbox.level:
            self.interrupt = inbox
        else:
            self.tasks.append(inbox)

    # -- told from outside ------------------------------------------------------------------

    def tell(self, inbox: Inbox, debt: WorkSteps = ()) -> None:
        """Tell the worker that `inbox` has work, at a cost of `debt` to itself."""
        inbox.told = 1
        if debt:
            inbox.debts.append(debt)
        if self.clock.current == ASLEEP:
            happen(self.alarm)
        elif doorbell_rule.cuts(inbox, self):
            self.cut()

    def notice(self) -> None:
        """Let a worker that polls see that something was handed to it."""
        if self.polling:
            self.cut()

    def start(self) -> None:
        """Let a worker that never sleeps begin to poll."""
        if self.endless:
            happen(self.alarm)

    def arrive(self, request: Request, inbox: Inbox) -> None:
        """Take a request that is the worker's own: no doorbell, for its user runs on it."""
        inbox.push(request)
        if not inbox.in_turn:
            self.tell(inbox)

    # -- life -------------------------------------------------------------------------------

    def live(self) -> Steps:
        """Sleep until told; take turns while there is work; poll; sleep again."""
        while True:
            self._fall_asleep()
            yield self.alarm
            self.came = WOKEN
            while True:
                if self.interrupt.told:
                    yield from self._turn(self.interrupt)
                    self.idle_since = self.env.now
                elif self.guest.first != NONE:
                    task = self.guest.next()
                    yield from self._run(task) if self.guest.slice else self._turn(task)
                    self.idle_since = self.env.now
                elif self.polls and (window := poll_rule.window(self, self.polled)):
                    yield from self._poll(window)
                else:
                    break

    def close(self) -> None:
        """End the process and what was put aside; each stretch books what it was."""
        self.process.close()
        for task in self.tasks:
            if task.turn is not None:
                task.turn.close()

    def _has_work(self) -> bool:
        return self.guest.first != NONE or bool(self.interrupt.told)

    def _fall_asleep(self) -> None:
        """Ask to be told, and give up the pCPU; the alarm is what wakes."""
        for task in self.tasks:
            if task.bells:
                task.publish()
        self._release(ASLEEP)
        self.alarm = simpy.Event(self.env)

    def _poll(self, window: int) -> Steps:
        """Look at the inboxes until something comes or the window is over.

        The host polls for a halted vCPU only while nobody else wants its pCPU.
        """
        poll = self.row.poll
        deadline = self.env.now + window
        self.polled = self.polling = 1
        self.yields = poll.kind == poll_rule.HALT
        for task in self.tasks:
            task.withdraw()
        while not self._has_work():
            if self.away:
                yield from self._regain()
            elif self.env.now < deadline and self._may_poll():
                self.clock.enter(POLLING)
                ticks = None if self.endless else deadline - self.env.now
                yield self._stretch(ticks, self.row.poll_account)
                self._ran(self.env.now)
            else:
                break
        self.polling = 0
        self.yields = False
        counter = poll.misses
        if self._has_work():
            self.came = NOTICED
            counter = poll.hits
        elif poll.kind == poll_rule.GUEST:
            self.idle_since = self.env.now
        if counter != NONE:
            self.machine.counters[counter] += 1

    def _may_poll(self) -> bool:
        if self.poll_kind != poll_rule.HALT:
            return True
        return self.yields and self.pool.alone(self)

    def _run(self, task: Inbox) -> Steps:
        """Let a task run until its turn is over or it is put aside."""
        if task.turn is None:
            task.turn = self._turn(task)
        for event in task.turn:
            if event is ASIDE:
                return
            yield event
        task.turn = None

    # -- a turn -----------------------------------------------------------------------------

    def _turn(self, inbox: Inbox) -> Steps:
        """Serve up to a batch of requests of one level, or of one task."""
        self.level = inbox.level
        if self.away:
            yield from self._regain()
        else:
            self.clock.enter(INTERRUPT if inbox.level else RUNNING)
        self.polled = 0
        inbox.in_turn, inbox.told = 1, 0
        if inbox.level == ORDINARY:
            self.task = inbox
        if self.polls:
            self.window = poll_rule.adapted(self, inbox.level, self.env.now - self.idle_since)
        request = inbox.take()
        request.edge = FIRST
        yield from self._begin(inbox, request)
        taken = 1
        while True:
            yield from self._perform(inbox, request)
            if not inbox.queue or taken == inbox.row.batch:
                break
            request = inbox.take()
            request.edge = 0
            taken += 1
        if inbox.deferred:
            request = (yield from self._hand_over(inbox)) or request
        if inbox.lock is not None:
            yield from self._unlock(inbox.lock, request)
        self._end(inbox)

    def _begin(self, inbox: Inbox, request: Request) -> Steps:
        """Charge what a turn costs before its first item, to that item."""
        came, self.came = self.came, AWAKE
        if came == WOKEN:
            if self.wake_steps:
                yield from self.pay(self.wake_steps, request)
        elif came == NOTICED:
            yield from self.pay(self.pickup_steps, request)
        if inbox is not self.process_of and inbox.level == ORDINARY:
            yield from self._change_to(inbox, request)
        while inbox.debts:
            yield from self.pay(inbox.debts.pop(0), request)
        if inbox.lock is not None:
            yield from self._lock(inbox.lock, request, masked=1)
        if inbox.prologue:
            yield from self.pay(inbox.prologue, request)

    def _end(self, inbox: Inbox) -> None:
        """Leave the inbox: what is still in it waits for another turn.

        A thread asks to be told before it sleeps; a handler and a task of a vCPU do here, for
        they have nothing left to do, though the vCPU may go on with others.
        """
        inbox.in_turn = 0
        inbox.runnable = False
        if inbox.queue:
            inbox.told = 1
            if inbox.level == ORDINARY:
                self.guest.add(inbox)
        elif inbox.index != self.row.inbox:
            inbox.publish()

    def _perform(self, inbox: Inbox, request: Request) -> Steps:
        """Take the steps of `request` until one ends the hold."""
        machine = self.machine
        while True:
            step = machine.steps[request.step]
            request.step += 1
            kind = step.kind
            if kind == WORK:
                if step.counter != NONE:
                    machine.counters[step.counter] += step.times
                ticks = step.ticks if step.draw == NONE else request.draws[step.draw]
                yield from self._spend(ticks, step, request)
            elif kind == LOCK:
                yield from self._lock(machine.locks[step.target], request, step.masked)
            elif kind == UNLOCK:
                yield from self._unlock(machine.locks[step.target], request)
            elif kind == END:
                machine.finish(request, step)
                return
            elif step.defer:
                request.mark = self.clock.read()
                inbox.deferred.append((request, step))
                return
            elif kind in (SERVE, RING):
                if step.hold == Hold.ASYNC:
                    yield from self._send(request, step)
                    return
                yield from self._stay(request, step)
            elif kind == JOIN:
                yield from self._join(request, step)
                if step.hold == Hold.ASYNC:
                    return
            elif not machine.steer(request, step):
                return

    def _send(self, request: Request, step: StepRow) -> Steps:
        """Hand `request` on to a station, or ring a doorbell with it."""
        if step.kind == SERVE:
            request.home = None
            self.machine.serve(request, step)
            return
        bell = self.machine.bells[step.target]
        bell.batch = self.batches
        state = yield from self._ring(bell, request)
        request.home = None
        bell.hand_over(request, state)

    def _hand_over(self, inbox: Inbox) -> Generator[simpy.Event, object, Request | None]:
        """Do the batch's epilogue, in the name of its last request, then hand all over in order.

        Those that were gathered go on here instead. Returns the last of them.
        """
        gathered, resumed = sum(step.kind == GATHER for _, step in inbox.deferred), 0
        again = None
        last = inbox.deferred[-1][0]
        self.batches += 1
        self.settle(last, self.batch_waits)
        try:
            yield from self.pay(inbox.epilogue, last)
        finally:
            last.mark = self.clock.read()
        while inbox.deferred:
            request, step = inbox.deferred.pop(0)
            self.settle(request, self.batch_waits)
            if step.kind == GATHER:
                resumed += 1
                request.edge = doorbell_rule.edge(resumed, gathered)
                again = request
                yield from self._perform(inbox, request)
            else:
                yield from self._send(request, step)
        return again
