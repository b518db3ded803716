"""A worker: a thread that takes turns, is interrupted, sleeps and polls, as a SimPy process."""

from typing import TYPE_CHECKING

import simpy

from virtperf.rules import doorbell as doorbell_rule
from virtperf.rules import poll as poll_rule
from virtperf.sim.clock import Account, Alarm, Clock, Owner, Ticker
from virtperf.sim.doorbell import Steps
from virtperf.sim.inbox import ORDINARY, Inbox
from virtperf.sim.pool import Pcpu, Pool
from virtperf.sim.request import Request
from virtperf.sim.station import Lock
from virtperf.tables import NONE, Kind, Sequence, StepRow, WorkerRow, WorkerState

if TYPE_CHECKING:
    from virtperf.sim.engine import Machine

ASLEEP, READY, RUNNING, INTERRUPT, BLOCKED, SWITCHING, POLLING = WorkerState
AWAKE, WOKEN, NOTICED = range(3)  # how a worker came to its next turn


class Worker:
    """A vCPU, an I/O thread, a main loop.

    The process is `live`. Interrupt work nests inside the ordinary work it preempts, as it does
    on a CPU. A stretch of work ends when its time is over or when it is `cut`: by the end of a
    slice, by an interrupt, or, while polling, by a hand-over.
    """

    def __init__(self, machine: "Machine", index: int, row: WorkerRow) -> None:
        self.env: Clock = machine.env
        self.pool: Pool = machine.pool
        self.machine = machine
        self.index = index
        self.row = row
        self.ticker = Ticker(Owner.WORKER, index)
        self.clock = Account(self.env, len(WorkerState), ASLEEP)
        self.pin, self.last, self.next = row.pin, NONE, NONE
        self.pcpu: Pcpu | None = None
        self.grant: simpy.Event | None = None
        self.alarm: simpy.Event = self.env.event()
        self.preempted = False
        self.level = ORDINARY
        self.masked = self.polling = 0
        self.came = AWAKE
        self.polled = 0
        self.idle_since = 0
        # Who waits for its mates: their work is `batch`, the rest as in an inbox.
        self.batch_waits = tuple(
            row.batch_account if state in (RUNNING, INTERRUPT) else account
            for state, account in enumerate(row.waits)
        )
        self.ordinary: Inbox
        self.interrupt: Inbox | None = None
        self.process = self.live()

    @property
    def state(self) -> int:
        """What the worker is doing, a `WorkerState`."""
        return self.clock.current

    # -- told from outside ------------------------------------------------------------------

    def tell(self, inbox: Inbox, debt: Sequence) -> None:
        """Tell the worker that `inbox` has work, at a cost of `debt` to itself."""
        inbox.told = 1
        if debt.first < debt.last:
            inbox.debts.append(debt)
        self._rouse(inbox)

    def notice(self) -> None:
        """Let a worker that polls see that something was handed to it."""
        if self.polling:
            self.cut()

    def arrive(self, request: Request) -> None:
        """Take a new request of the worker's own: no doorbell, for its user runs on it."""
        self.ordinary.push(request)
        self._rouse(self.ordinary)

    def _rouse(self, inbox: Inbox) -> None:
        if self.state == ASLEEP:
            _happen(self.alarm)
        elif doorbell_rule.cuts(inbox, self):
            self.cut()

    def cut(self) -> None:
        """End the stretch the worker is in; what was left of it is the worker's to remember."""
        _happen(self.alarm)

    # -- life -------------------------------------------------------------------------------

    def live(self) -> Steps:
        """Sleep until told; take turns while there is work; poll; sleep again."""
        while True:
            yield from self._sleep()
            self.came = WOKEN
            while True:
                inbox = self._next_inbox()
                if inbox is not None:
                    yield from self._turn(inbox)
                    self.idle_since = self.env.now
                elif window := poll_rule.window(self.ordinary, self.polled):
                    yield from self._poll(window)
                else:
                    break

    def _next_inbox(self) -> Inbox | None:
        if self._interrupted():
            return self.interrupt
        return self.ordinary if self.ordinary.queue else None

    def _interrupted(self) -> bool:
        return self.interrupt is not None and bool(self.interrupt.told)

    def _sleep(self) -> Steps:
        self.ordinary.publish()
        if self.pcpu is not None:
            self.pool.release(self)
        self.clock.enter(ASLEEP)
        self.alarm = self.env.event()
        yield self.alarm
        self.clock.enter(READY)

    def _poll(self, window: int) -> Steps:
        """Look at the inboxes until something comes or the window is over."""
        self.polled = 1
        deadline = self.env.now + window
        self.polling = 1
        self.ordinary.withdraw()
        while self._next_inbox() is None and self.env.now < deadline:
            if self.pcpu is None or self.preempted:
                yield from self._regain()
                continue
            self.clock.enter(POLLING)
            yield from self._stretch(deadline - self.env.now, self.row.poll_account)
        self.polling = 0
        if self._next_inbox() is not None:
            self.came = NOTICED

    # -- a turn -----------------------------------------------------------------------------

    def _turn(self, inbox: Inbox) -> Steps:
        """Serve up to a batch of requests at one level."""
        if self.pcpu is None or self.preempted:
            yield from self._regain()
        self.polled = 0
        inbox.in_turn, inbox.told = 1, 0
        if inbox.level == ORDINARY:
            inbox.window = poll_rule.adapted(inbox, self.env.now - self.idle_since)
        self._enter_level(inbox.level)
        request = inbox.take()
        yield from self._begin(inbox, request)
        taken = 1
        while True:
            yield from self._perform(inbox, request)
            if not inbox.queue or taken == inbox.row.batch:
                break
            request = inbox.take()
            taken += 1
        if inbox.deferred:
            yield from self._hand_over(inbox)
        if inbox.lock is not None:
            self._unlock(inbox.lock)
        inbox.in_turn = 0
        if inbox.level == ORDINARY or inbox.queue:
            inbox.told = int(bool(inbox.queue))
        else:
            inbox.publish()

    def _begin(self, inbox: Inbox, request: Request) -> Steps:
        """Charge what a turn costs before its first item, to that item."""
        came, self.came = self.came, AWAKE
        if came == WOKEN:
            yield from self.pay(self.row.wake, request)
        elif came == NOTICED:
            yield from self.pay(inbox.row.pickup, request)
        debts, inbox.debts = inbox.debts, []
        for debt in debts:
            yield from self.pay(debt, request)
        if inbox.lock is not None:
            yield from self._lock(inbox.lock, request)
        yield from self.pay(inbox.row.prologue, request)

    def _perform(self, inbox: Inbox, request: Request) -> Steps:
        """Take the steps of `request` until one ends the hold."""
        machine = self.machine
        while True:
            step = machine.steps[request.step]
            request.step += 1
            kind = step.kind
            if kind == Kind.WORK:
                if step.counter != NONE:
                    machine.counters[step.counter] += 1
                ticks = step.ticks if step.draw == NONE else request.draws[step.draw]
                yield from self._spend(ticks, step, request)
            elif kind == Kind.LOCK:
                yield from self._lock(machine.locks[step.target], request)
            elif kind == Kind.UNLOCK:
                self._unlock(machine.locks[step.target])
            elif kind == Kind.END:
                machine.finish(request)
                return
            elif step.defer:
                request.mark = self.clock.read()
                inbox.deferred.append((request, step))
                return
            else:
                yield from self._send(request, step)
                return

    def _send(self, request: Request, step: StepRow) -> Steps:
        if step.kind == Kind.SERVE:
            self.machine.serve(request, step)
        else:
            yield from self.machine.bells[step.target].ring(request, self)

    def _hand_over(self, inbox: Inbox) -> Steps:
        """Do the batch's epilogue, in the name of its last request, then hand all over in order."""
        last = inbox.deferred[-1][0]
        self.settle(last, self.batch_waits)
        try:
            yield from self.pay(inbox.row.epilogue, last)
        finally:
            last.mark = self.clock.read()
        while inbox.deferred:
            request, step = inbox.deferred.pop(0)
            self.settle(request, self.batch_waits)
            yield from self._send(request, step)

    # -- time on a CPU ----------------------------------------------------------------------

    def pay(self, sequence: Sequence, request: Request) -> Steps:
        """Carry out a range of work steps in the name of `request`."""
        for index in range(sequence.first, sequence.last):
            step = self.machine.steps[index]
            if step.counter != NONE:
                self.machine.counters[step.counter] += 1
            yield from self._spend(step.ticks, step, request)

    def _spend(self, ticks: int, step: StepRow, request: Request) -> Steps:
        """Work `ticks` for `request`; interrupts nest inside, slices end, nothing is lost."""
        left = ticks
        while True:
            self.masked = step.masked
            if self.pcpu is None or self.preempted:
                yield from self._regain(request)
            if not step.masked and self.level == ORDINARY and self._interrupted():
                yield from self._nest(request)
                continue
            if left == 0:
                return
            start = self.env.now
            try:
                yield from self._stretch(left, step.account)
            finally:
                ran = self.env.now - start
                request.book(step.account, ran)
                left -= ran

    def _stretch(self, ticks: int, account: int) -> Steps:
        """Hold the pCPU for `ticks` or until cut."""
        assert self.pcpu is not None, "a stretch needs a pCPU"
        self.pcpu.account.enter(account)
        self.alarm = alarm = self.env.event()
        over = Alarm(self.env, self.ticker, ticks)
        over.callbacks.append(lambda _: _happen(alarm))
        yield alarm

    def _nest(self, request: Request) -> Steps:
        """Let interrupt turns run inside the ordinary work of `request`."""
        request.mark = self.clock.read()
        try:
            while self._interrupted():
                assert self.interrupt is not None
                yield from self._turn(self.interrupt)
        finally:
            self.settle(request, self.row.waits)
        self._enter_level(ORDINARY)

    def _enter_level(self, level: int) -> None:
        self.level = level
        if self.pcpu is not None:
            self.clock.enter(INTERRUPT if level else RUNNING)

    def _regain(self, request: Request | None = None) -> Steps:
        """Wait for a pCPU and pay the switch; `request`, if any, is in hand and waits along."""
        if request is not None:
            request.mark = self.clock.read()
        try:
            self.clock.enter(READY)
            if not self.preempted:
                self.pool.request(self)
            self.preempted = False
            if self.grant is not None:
                yield self.grant
            if self.pool.switch_due(self) and self.pool.row.switch:
                self.clock.enter(SWITCHING)
                yield from self._switch()
        finally:
            if request is not None:
                self.settle(request, self.row.waits)
        self._enter_level(self.level)

    def _switch(self) -> Steps:
        """Pay the switch whole: neither interrupts nor hand-overs shorten it."""
        end = self.env.now + self.pool.row.switch
        while self.env.now < end:
            yield from self._stretch(end - self.env.now, self.pool.row.switch_account)

    # -- locks ------------------------------------------------------------------------------

    def _lock(self, lock: Lock, request: Request) -> Steps:
        """Take `lock`, or give up the pCPU until woken and try again."""
        while not lock.take(self.index):
            request.mark = self.clock.read()
            waits = list(self.row.waits)
            waits[BLOCKED] = lock.row.wait_account
            woken = lock.wait()
            try:
                self.pool.release(self)
                self.clock.enter(BLOCKED)
                yield woken
            finally:
                self.settle(request, tuple(waits))
            yield from self._regain(request)

    def _unlock(self, lock: Lock) -> None:
        lock.release()

    def settle(self, request: Request, accounts: tuple[int, ...]) -> None:
        """Book to `request` what the worker's clocks show since its mark, state by state."""
        for account, then, now in zip(accounts, request.mark, self.clock.read(), strict=True):
            if now != then:
                request.book(account, now - then)


def _happen(event: simpy.Event) -> None:
    """Let an event happen that may have happened already."""
    if not event.triggered:
        event.succeed()
