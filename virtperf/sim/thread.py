"""Something that needs a pCPU: it spends time there, is cut, loses it and gets it back."""

from typing import TYPE_CHECKING

import simpy

from virtperf.sim.clock import Account, Alarm, Clock, Owner, Ticker
from virtperf.sim.doorbell import Steps
from virtperf.sim.pool import Pcpu, Pool
from virtperf.sim.request import Request
from virtperf.tables import NONE, WorkerRow, WorkerState

if TYPE_CHECKING:
    from virtperf.sim.engine import Machine

ASLEEP, READY, RUNNING, INTERRUPT, BLOCKED, SWITCHING, POLLING = WorkerState


class Thread:
    """A thread as the scheduler of the host sees it.

    A stretch of CPU time ends when it is over or when it is `cut`: by the end of a slice, by an
    interrupt, or, while polling or spinning, by what was waited for. `away` says that the thread
    cannot go on before it has been to `_regain`: it has no pCPU, or host interrupts stand above it.
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
        self.away = True
        self.switch_left = 0
        self.level = 0

    @property
    def state(self) -> int:
        """What the thread is doing, a `WorkerState`."""
        return self.clock.current

    def cut(self) -> None:
        """End the stretch the thread is in; what was left of it is the thread's to remember."""
        happen(self.alarm)

    def _stretch(self, ticks: int | None, account: int) -> Steps:
        """Hold the pCPU for `ticks`, or until cut; None is for ever."""
        assert self.pcpu is not None, "a stretch needs a pCPU"
        self.pcpu.account.enter(account)
        self.alarm = alarm = self.env.event()
        if ticks is not None:
            over = Alarm(self.env, self.ticker, ticks)
            over.callbacks.append(lambda _: happen(alarm))
        yield alarm

    def _release(self, state: int) -> None:
        """Give up the pCPU, to sleep or to wait."""
        if self.pcpu is not None:
            self.pool.release(self)
        self.clock.enter(state)

    def _regain(self, request: Request | None = None) -> Steps:
        """Wait for a pCPU, and for host interrupts there, and pay the switch.

        A `request` in hand waits along. Neither interrupts nor hand-overs shorten a switch; what
        cuts it leaves a rest.
        """
        if request is not None:
            request.mark = self.clock.read()
        try:
            self.clock.enter(READY)
            if self.pcpu is None and self.grant is None:
                self.pool.request(self)
            while not self._settled_in():
                if self.grant is not None:
                    yield self.grant
                elif self._overrun():
                    self.alarm = self.env.event()
                    yield self.alarm
                else:
                    yield from self._switch()
        finally:
            if request is not None:
                self.settle(request, self.row.waits)
        self.away = False
        self.enter_level(self.level)

    def _overrun(self) -> bool:
        """Whether host interrupt work stands above this thread on its pCPU."""
        assert self.pcpu is not None
        return self.pcpu.intruder is not None and self.pcpu.intruder is not self

    def _settled_in(self) -> bool:
        return self.grant is None and not self.switch_left and not self._overrun()

    def _switch(self) -> Steps:
        assert self.pcpu is not None
        start = self.env.now
        self.clock.enter(SWITCHING)
        try:
            yield from self._stretch(self.switch_left, self.pool.row.switch_account)
        finally:
            self.switch_left -= self.env.now - start
            self.clock.enter(READY)

    def enter_level(self, level: int) -> None:
        """Go on at a level, ordinary (0) or interrupt (1)."""
        self.level = level
        if self.pcpu is not None:
            self.clock.enter(INTERRUPT if level else RUNNING)

    def settle(self, request: Request, accounts: tuple[int, ...]) -> None:
        """Book to `request` what the thread's clocks show since its mark, state by state."""
        for account, then, now in zip(accounts, request.mark, self.clock.read(), strict=True):
            if now != then:
                request.book(account, now - then)


def happen(event: simpy.Event) -> None:
    """Let an event happen that may have happened already."""
    if not event.triggered:
        event.succeed()
