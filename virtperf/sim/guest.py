"""The run queue of a vCPU's guest: which task goes on, and when its slice is over."""

from collections.abc import Callable

from virtperf.rules import guest as rule
from virtperf.sim.clock import Clock, Owner, Ticker
from virtperf.sim.inbox import Inbox
from virtperf.tables import NONE


class RunQueue:
    """Tasks of one worker that have work, and the slice of the one that runs.

    Where a guest has timer ticks these look after slices, as in a kernel; else a timer of no cost
    does, which is set only while another task waits.

    Parameters
    ----------
    env : Clock
    index : int
        Worker it belongs to.
    slice_ : int
        Longest run of a task while others wait, in ticks; 0: to the end of its turn.
    inboxes : list of Inbox
        Of all workers.
    reschedule : callable
        Called when the slice is over.
    """

    def __init__(
        self,
        env: Clock,
        index: int,
        slice_: int,
        inboxes: list[Inbox],
        reschedule: Callable[[], object],
    ) -> None:
        self.env = env
        self.inboxes = inboxes
        self.reschedule = reschedule
        self.ticker = Ticker(Owner.TASK, index)
        self.first = self.final = NONE
        self.slice, self.since = slice_, 0
        self.ticked = self.armed = self.expired = False

    def add(self, inbox: Inbox) -> None:
        """Put a task at the tail."""
        inbox.runnable = True
        rule.enqueue(self, self.inboxes, inbox.index)
        if self.slice and not self.expired:
            self._arm()

    def next(self) -> Inbox:
        """Take the next task that has work, whose slice begins."""
        i = rule.pick(self, self.inboxes)
        if self.slice:
            self.since, self.expired = self.env.now, False
            self._arm()
        return self.inboxes[i]

    def tick(self) -> None:
        """Let the guest's timer tick look whether the slice is over."""
        self.expired = bool(rule.over(self, self.env.now))

    def _arm(self) -> None:
        if not self.ticked and not self.armed and self.first != NONE:
            self.armed = True
            left = max(0, self.since + self.slice - self.env.now)
            self.env.after(self.ticker, left, self._end)

    def _end(self) -> None:
        self.armed = False
        if rule.over(self, self.env.now):
            self.expired = True
            self.reschedule()
        else:
            self._arm()
