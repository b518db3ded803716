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
        super().__init__(worker, sleeps=not lock.spins, patience=rule.patience(lock))
        self.lock, self.worker, self.level = lock, worker, worker.level
        self.owns = False

    @property
    def index(self) -> int:
        """Number of the worker."""
        return self.worker.index

    @property
    def running(self) -> int:
        """1 if the worker looks at the lock right now."""
        worker = self.worker
        return int(worker.spinning and not worker.away and worker.level == self.level)

    def seen(self) -> bool:
        """Whether the wait is over, also because the lock was left free."""
        return self.over or self.lock.grab(self)


class Lock:
    """A lock and the queue of those who wait for it."""

    def __init__(self, env: Clock, index: int, row: StationRow) -> None:
        self.env = env
        self.row = row
        self.discipline, self.wake, self.spin = row.discipline, row.wake, row.spin
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
        self._leave(waiter)
        waiter.over = waiter.owns = True
        return True

    def release(self) -> Waiter | None:
        """Free the lock: hand it over, or wake as many as the rule says, after the delay.

        Return who has it and must be called by the one that releases it, who pays for that.
        """
        self.holder = NONE
        self.busy.add(-1)
        for waiter in self.queue:
            if rule.inherits(self, waiter):
                waiter.owns = self.take(waiter)
                refuse_cycle(waiter.worker)  # its interrupt level may be waiting
                self._leave(waiter)
                if rule.kicks(self, waiter):
                    return waiter
                self.call(waiter)
                return None
        for _ in range(min(rule.wakes(self), len(self.queue))):
            waiter = self.queue[0]
            self._leave(waiter)
            self.call(waiter)
        return None

    def _leave(self, waiter: Waiter) -> None:
        self.queue.remove(waiter)
        self.queued.add(-1)

    def call(self, waiter: Waiter) -> None:
        """Let a waiter know, after the delay, that it has the lock or may try again."""
        delay = rule.delay(self, waiter)
        if delay:
            self.env.after(self.ticker, delay, waiter.answer)
        else:
            waiter.answer()
