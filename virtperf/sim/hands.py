"""What a worker does with a request in hand: spend time on it, and wait for others with it."""

from collections.abc import Generator
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import simpy

from virtperf.rules import doorbell as doorbell_rule
from virtperf.rules import pause as pause_rule
from virtperf.sim.doorbell import Doorbell, Steps, WorkSteps
from virtperf.sim.guest import RunQueue
from virtperf.sim.inbox import ORDINARY, Inbox
from virtperf.sim.lock import Lock
from virtperf.sim.request import Request
from virtperf.sim.thread import BLOCKED, READY, RUNNING, Thread
from virtperf.sim.wait import Held, Need, Wait
from virtperf.tables import NONE, Hold, Kind, StepRow, WorkerRow
from virtperf.tables.deadlock import refuse_cycle

if TYPE_CHECKING:
    from virtperf.sim.engine import Machine

NO_INTERRUPTS: Any = SimpleNamespace(told=0)  # the interrupt level of a worker that has none
ASIDE: Any = object()  # what a task's turn yields when the guest lets another task go on


class Hands(Thread):
    """A thread that serves requests; `_turn`, its own way of serving them, is a subclass's.

    Interrupt turns nest inside ordinary work. Whatever happens to the thread while a request is in
    hand is booked to that request from what the thread's clocks show.
    """

    __slots__ = (
        "guest",
        "holds",
        "interrupt",
        "masked",
        "need",
        "process_of",
        "spinning",
        "switch_steps",
        "task",
        "wake_steps",
    )

    def __init__(self, machine: "Machine", index: int, row: WorkerRow) -> None:
        super().__init__(machine, index, row)
        self.wake_steps = machine.work_steps(row.wake)
        self.pickup_steps = machine.work_steps(row.pickup)
        self.switch_steps = machine.work_steps(row.switch)
        self.pause_steps = machine.work_steps(row.pause)
        self.kick_steps = machine.work_steps(row.kick)
        self.masked = 0
        self.spinning = False
        self.holds = 0  # locks, half-rung doorbells; a guest does not reschedule meanwhile
        self.need: Need | None = None
        self.interrupt: Any = NO_INTERRUPTS
        self.task: Inbox | None = None  # whose turn it is
        self.process_of: Inbox | None = None  # task that the vCPU is switched to
        self.guest = RunQueue(self.env, index, row.slice, machine.inboxes, self.reschedule)

    def _turn(self, inbox: Inbox) -> Steps:
        raise NotImplementedError

    # -- time on a CPU ----------------------------------------------------------------------

    def pay(self, steps: WorkSteps, request: Request) -> Steps:
        """Carry out work in the name of `request`."""
        for step in steps:
            if step.counter != NONE:
                self.machine.counters[step.counter] += step.times
            yield from self._spend(step.ticks, step, request)

    def _spend(self, ticks: int, step: StepRow, request: Request) -> Steps:
        """Work `ticks` for `request`; interrupts nest inside, slices end, nothing is lost."""
        left = ticks
        while True:
            self.masked = step.masked
            if self.away and not self._back():
                yield from self._regain(request)
            if self.level == ORDINARY and not step.masked:
                if self.interrupt.told:
                    yield from self._nest(request)
                    continue
                if self.guest.expired and not self.holds:
                    yield from self._put_aside(request)
                    continue
            if left == 0:
                return
            start = self.env.now
            try:
                yield self._work(left, step.account, plain=True)
            finally:
                ran, stood = self._ran(start)
                work = ran - self.slowed
                request.book(step.account, work)
                left -= work
                if self.slowed:
                    request.book(self.pool.row.sharing_account, self.slowed)
                if stood:
                    request.book(self.row.waits[READY], stood)

    def urgent(self) -> bool:
        """Whether an interrupt, or another task, comes before the ordinary work in hand."""
        if self.level != ORDINARY or self.masked:
            return False
        return bool(self.interrupt.told) or (self.guest.expired and not self.holds)

    def _nest(self, request: Request | None) -> Steps:
        """Let interrupt turns run inside the ordinary work of `request`."""
        if request is not None:
            request.mark = self.clock.read()
        try:
            while self.interrupt.told:
                yield from self._turn(self.interrupt)
        finally:
            if request is not None:
                self.settle(request, self.row.waits)
        self.enter_level(ORDINARY)

    # -- guest tasks ------------------------------------------------------------------------

    def reschedule(self) -> None:
        """End the stretch of a task whose slice is over, if it can be put aside now."""
        if self.state == RUNNING and not self.masked:
            self.cut()

    def _put_aside(self, request: Request) -> Steps:
        """Let another task go on; `request`, in hand, waits until this one's turn has come."""
        task = self.task
        assert task is not None, "only a task's turn has a slice"
        request.mark = self.clock.read()
        self.guest.add(task)
        self.guest.expired = False
        try:
            yield ASIDE
        finally:
            self.settle(request, self.row.waits)
        self.task = task
        self.enter_level(ORDINARY)  # interrupts may have had their turn meanwhile
        yield from self._change_to(task, request)

    def _change_to(self, task: Inbox, request: Request) -> Steps:
        """Pay the process switch if another task ran before."""
        before, self.process_of = self.process_of, task
        if before is not None and before is not task:
            self.holds += 1  # a kernel does not reschedule while it switches
            yield from self.pay(self.switch_steps, request)
            self.holds -= 1

    # -- waiting with a request in hand -----------------------------------------------------

    def stop_spinning(self) -> None:
        """End a spin, unless something stands above it; then it is seen afterwards."""
        if self.spinning:
            self.cut()

    def _need(self, hold: int, masked: int, **what: Any) -> Need | None:
        """Begin to need something, unless that would never come; return the need below it."""
        deaf = bool(masked) or hold == Hold.BLOCK or self.level != ORDINARY
        before, self.need = self.need, Need(level=self.level, deaf=deaf, **what)
        refuse_cycle(self)
        return before

    def _needs_again(self, before: Need | None) -> None:
        """Go back to the need below, which others may have begun to depend on meanwhile."""
        self.need = before
        if before is not None:
            refuse_cycle(self)

    def _hold_on(
        self, wait: Held, hold: int, masked: int, account: int, request: Request | None
    ) -> Steps:
        """Wait, asleep or spinning; `request` None is one that a station books meanwhile."""
        if hold == Hold.SPIN:
            yield from self._spin(wait, masked, account, request)
            if not wait.over:
                self._halt(wait)
        if not wait.over:
            yield from self._block(wait, account, request)

    def _spin(self, wait: Held, masked: int, account: int, request: Request | None) -> Steps:
        """Burn the pCPU until `wait` is over, or patience is.

        Interrupts nest, slices end, the vCPU exits, and the spin goes on. Who waits for a station
        does not pause: its request's time is the station's, and an exit would have to be too.
        """
        while True:
            self.masked = masked
            if self.away:
                yield from self._regain(request)
            if self.level == ORDINARY and not masked and self.interrupt.told:
                yield from self._nest(request)
                continue
            if wait.seen() or wait.patience == 0:
                return
            window = self.spin_window if request is not None else 0
            longest = pause_rule.stretch(window, wait.patience)
            start, self.spinning = self.env.now, True
            try:
                yield self._stretch(
                    None if longest == pause_rule.FOREVER else longest, self.row.spin_account
                )
            finally:
                self.spinning = False
                ran, stood = self._ran(start)
                if request is not None:
                    request.book(account, ran)
                    request.book(self.row.waits[READY], stood)
            if wait.patience != pause_rule.FOREVER:
                wait.patience -= ran
            lost = self.away or wait.over  # its pCPU, or what it spun for
            if request is not None and 0 < window == ran and not lost:
                yield from self._exit_and_give_way(request)

    def _exit_and_give_way(self, request: Request) -> Steps:
        """Pay the exit of a vCPU that has spun for its window, and do as its hypervisor says."""
        pause_rule.grow(self)
        yield from self.pay(self.pause_steps, request)
        self.pool.give_way(self)

    def _halt(self, wait: Held) -> None:
        """Sleep in the middle of a spin; interrupts are heard no more."""
        assert self.need is not None, "it waits for a lock"
        wait.fall_asleep()
        self.need = replace(self.need, deaf=True)
        refuse_cycle(self)

    def _block(self, wait: Held, account: int, request: Request | None) -> Steps:
        """Give up the pCPU until `wait` is over, then get one again."""
        waits = list(self.row.waits)
        waits[BLOCKED] = account
        if request is not None:
            request.mark = self.clock.read()
        try:
            self._release(BLOCKED)
            yield wait.woken
        finally:
            if request is not None:
                self.settle(request, tuple(waits))
        if request is not None:
            yield from self._regain(request)

    def _lock(self, lock: Lock, request: Request, masked: int) -> Steps:
        """Take `lock`, or wait for it; woken to a free lock, try again.

        Who spun at first and was woken from its sleep pays for that, with the lock in its hands.
        """
        hold = Hold.SPIN if lock.spins else Hold.BLOCK
        while not lock.take(self):
            before = self._need(hold, masked, request=request, lock=lock)
            waiter = lock.join(self)
            yield from self._hold_on(waiter, hold, masked, lock.row.wait_account, request)
            self._needs_again(before)
            if waiter.owns:
                self.holds += 1
                if lock.spins and waiter.sleeps:
                    yield from self.pay(self.wake_steps, request)
                return
        self.holds += 1

    def _unlock(self, lock: Lock, request: Request) -> Steps:
        """Let go of `lock`; pay for waking the next one, if that is what it takes."""
        asleep = lock.release()
        if asleep is not None:
            yield from self.pay(self.kick_steps, request)
            lock.call(asleep)
        self.holds -= 1

    def _stay(self, request: Request, step: StepRow) -> Steps:
        """Keep `request` while a station serves it, which books its time until then."""
        wait = request.stays = Held(self, sleeps=step.hold == Hold.BLOCK)
        self.machine.serve(request, step)
        try:
            yield from self._hold_on(wait, step.hold, step.masked, NONE, None)
            if self.away:
                yield from self._regain()
        finally:
            if wait.over:
                self.settle(request, self.row.waits)

    def _join(self, request: Request, step: StepRow) -> Steps:
        """Ring several, one after the other, and wait until the last has answered."""
        machine = self.machine
        if step.hold == Hold.ASYNC:
            wait = Wait(lambda: machine.take_up(request), step.other)
        else:
            wait = Held(self, sleeps=step.hold == Hold.BLOCK, left=step.other)
        calls = []
        for number in range(step.target, step.target + step.other):
            if self._spared(number):
                wait.left -= 1
                wait.over = wait.left == 0
                continue
            child = machine.child(request, number, wait)
            calls.append((child, (yield from self._call(child, request))))
        if not isinstance(wait, Held):
            machine.put_by(request, step, wait)
            return
        before = self._need(step.hold, step.masked, request=request, calls=tuple(calls))
        yield from self._hold_on(wait, step.hold, step.masked, step.account, request)
        self._needs_again(before)

    def _spared(self, number: int) -> bool:
        """Whether a call can wait until whom it is for runs again, who then owes it."""
        bell = self.machine.bell_of(number)
        worker = bell.inbox.worker
        spared = bool(doorbell_rule.spares(bell, worker))
        worker.owes_flush |= spared and not worker.polling
        return spared

    def _call(self, child: Request, payer: Request) -> Generator[simpy.Event, object, Inbox]:
        """Ring the doorbell with which a side path begins; it lives from its hand-over on."""
        step = self.machine.steps[child.step]
        assert step.kind == Kind.RING, "the assembly lets a join ring"
        child.step += 1
        bell = self.machine.bells[step.target]
        state = yield from self._ring(bell, payer)
        self.machine.admit(child)
        bell.hand_over(child, state)
        return bell.inbox

    def _ring(self, bell: Doorbell, payer: Request) -> Generator[simpy.Event, object, int]:
        """Decide whether `bell` rings, and pay for it, before anything is handed over.

        Nobody else on this vCPU may get between the decision and the hand-over: others rely on a
        notification that is under way (a guest's driver rings with preemption off).
        """
        state = bell.decide()
        if state != NONE:
            self.holds += 1
            yield from self.pay(bell.pay[state], payer)
            self.holds -= 1
        return state
