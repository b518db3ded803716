"""Periodic timers: each starts a side path, again and again."""

from collections.abc import Callable

from virtperf.rules import poll as poll_rule
from virtperf.sim.clock import Clock, Owner, Ticker
from virtperf.sim.wait import Wait
from virtperf.sim.worker import Worker
from virtperf.tables import TimerRow

Start = Callable[[int, Wait], None]


class Timer:
    """The timer tick of a guest's vCPU, at every multiple of its period.

    One that is not handled yet swallows the next: an interrupt is pending or not, not twice.

    Parameters
    ----------
    env : Clock
    index : int
    row : TimerRow
    worker : Worker
        Whose guest ticks; the ticks look after the slices of its tasks.
    start : callable
        Starts a side path of a class; the `Wait` is answered at its end.
    """

    def __init__(self, env: Clock, index: int, row: TimerRow, worker: Worker, start: Start) -> None:
        self.env = env
        self.row = row
        self.worker = worker
        self.begin = start
        self.ticker = Ticker(Owner.TIMER, index)
        worker.guest.ticked = True
        self.pending = Wait(worker.guest.tick)
        self.pending.over = True

    def start(self) -> None:
        """Let the timer run."""
        self.env.after(self.ticker, self.row.period, self._expire)

    def _expire(self) -> None:
        halted = self.row.tickless and poll_rule.halted(self.worker)
        if self.pending.over and not halted:
            self.pending = Wait(self.worker.guest.tick)
            self.begin(self.row.klass, self.pending)
        self.start()
