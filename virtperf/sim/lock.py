"""Locks that workers hold; who gets one is a rule, waiting is done by the worker."""

from collections import deque
from typing import TYPE_CHECKING

from virtperf.rules import lock as rule
from virtperf.sim.clock import Clock, Owner, Ticker
from virtperf.sim.occupancy import Occupancy
from virtperf.sim.wait import Held
from virtperf.tables import NONE, StationRow
from virtperf.tables.deadlock import refuse_cycle

if TYPE_CHECKING:
    from virtperf.sim.hands import Hands


class Waiter(Held):
    """A worker, at one of its levels, in the queue of a lock."""

    __slots__ = ("level", "lock", "owns", "worker")

    def __init__(self, lock: "Lock", worker: "Hands") -> None:
        super().__init__(worker, sleeps=not lock.spins)
        self.lock, self.worker, self.level = lock, worker, worker.level
        self.owns = False

    @property
    def index(self) -> int:
        """Number of the worker."""
        return self.worker.index

    @property
    def running(self) -> int:
        """1 if the worker looks at the lock right now."""
        return int(not self.worker.away and self.worker.level == self.level)

    def seen(self) -> bool:
        """Whether the wait is over, also because the lock was left free."""
        return self.over or self.lock.grab(self)


class Lock:
    """A lock and the queue of those who wait for it."""

    def __init__(self, env: Clock, index: int, row: StationRow) -> None:
        self.env = env
        self.row = row
        self.discipline = row.discipline
        self.spins = rule.spins(self)
        self.ticker = Ticker(Owner.LOCK, index)
        self.holder, self.level = NONE, 0  # who, at which of its levels
        self.busy = Occupancy(env)
        self.queued = Occupancy(env)
        self.queue: deque[Waiter] = deque()

    def take(self, by: "Hands | Waiter") -> bool:
        """Take the lock, if the rule allows it now."""
        if not rule.may_take(self):
            return False
        self.holder, self.level = by.index, by.level
        self.busy.add(1)
        return True

    def join(self, worker: "Hands") -> Waiter:
        """Queue up: the wait is over when `worker` has the lock or it is time to try again."""
        waiter = Waiter(self, worker)
        self.queue.append(waiter)
        self.queued.add(1)
        return waiter

    def grab(self, waiter: Waiter) -> bool:
        """Let a waiter that runs take a lock that was left free."""
        if not self.take(waiter):
            return False
        self.queue.remove(waiter)
        self.queued.add(-1)
        waiter.over = waiter.owns = True
        return True

    def release(self) -> None:
        """Free the lock: hand it over, or wake as many as the rule says, after the delay."""
        self.holder = NONE
        self.busy.add(-1)
        for waiter in self.queue:
            if rule.inherits(self, waiter):
                waiter.owns = self.take(waiter)
                refuse_cycle(waiter.worker)  # its interrupt level may be waiting
                self._call(waiter)
                return
        for _ in range(min(rule.wakes(self), len(self.queue))):
            self._call(self.queue[0])

    def _call(self, waiter: Waiter) -> None:
        self.queue.remove(waiter)
        self.queued.add(-1)
        if self.row.wake:
            self.env.after(self.ticker, self.row.wake, waiter.answer)
        else:
            waiter.answer()
