"""Stations: servers that are not CPUs, and locks."""

from collections import deque
from collections.abc import Callable

import simpy

from virtperf.rules import lock as rule
from virtperf.sim.clock import Clock, Owner, Ticker
from virtperf.sim.request import Request
from virtperf.tables import StationRow


class Occupancy:
    """A count over time and its integral."""

    __slots__ = ("count", "env", "integral", "since")

    def __init__(self, env: Clock) -> None:
        self.env = env
        self.count = self.integral = self.since = 0

    def add(self, change: int) -> None:
        """Change the count now."""
        now = self.env.now
        self.integral += self.count * (now - self.since)
        self.since = now
        self.count += change

    def read(self) -> int:
        """Return the integral up to now."""
        return self.integral + self.count * (self.env.now - self.since)


class Servers:
    """`c` servers and one queue, first come first served: device channels, a link, DMA."""

    def __init__(
        self, env: Clock, index: int, row: StationRow, go_on: Callable[[Request], None]
    ) -> None:
        self.env = env
        self.row = row
        self.go_on = go_on
        self.ticker = Ticker(Owner.STATION, index)
        self.busy = Occupancy(env)
        self.queued = Occupancy(env)
        self.queue: deque[tuple[Request, int, int]] = deque()
        self.serving: dict[Request, int] = {}

    def arrive(self, request: Request, ticks: int, account: int) -> None:
        """Serve `request` for `ticks` as soon as a server is free, then let it go on."""
        request.since = self.env.now
        if self.busy.count < self.row.servers:
            self._start(request, ticks, account)
        else:
            self.queued.add(1)
            self.queue.append((request, ticks, account))

    def _start(self, request: Request, ticks: int, account: int) -> None:
        self.busy.add(1)
        self.serving[request] = account
        self.env.after(self.ticker, ticks, lambda: self._finish(request))

    def _finish(self, request: Request) -> None:
        """Start the next request before the finished one goes on."""
        request.book(self.serving.pop(request), self.env.now - request.since)
        self.busy.add(-1)
        if self.queue:
            waiting, ticks, account = self.queue.popleft()
            self.queued.add(-1)
            self._book_wait(waiting)
            self._start(waiting, ticks, account)
        self.go_on(request)

    def _book_wait(self, request: Request) -> None:
        request.book(self.row.wait_account, self.env.now - request.since)
        request.since = self.env.now

    def settle(self) -> None:
        """Book what waits and what is being served, at the end of a run."""
        for request, _, _ in self.queue:
            self._book_wait(request)
        for request, account in self.serving.items():
            request.book(account, self.env.now - request.since)


class Lock:
    """A lock that workers hold; who gets it is a rule, waiting is done by the worker."""

    def __init__(self, env: Clock, index: int, row: StationRow) -> None:
        self.env = env
        self.row = row
        self.ticker = Ticker(Owner.LOCK, index)
        self.holder = -1
        self.busy = Occupancy(env)
        self.queued = Occupancy(env)
        self.queue: deque[simpy.Event] = deque()

    def take(self, worker: int) -> bool:
        """Take the lock for `worker` if the rule allows it now."""
        if not rule.may_take(self):
            return False
        self.holder = worker
        self.busy.add(1)
        return True

    def wait(self) -> simpy.Event:
        """Join the queue; the event happens when it is time to try (again)."""
        woken = self.env.event()
        self.queue.append(woken)
        self.queued.add(1)
        return woken

    def release(self) -> None:
        """Free the lock and wake as many waiters as the rule says, after the wake-up delay."""
        self.busy.add(-1)
        for _ in range(min(rule.release(self), len(self.queue))):
            woken = self.queue.popleft()
            self.queued.add(-1)
            if self.row.wake:
                self.env.after(self.ticker, self.row.wake, woken.succeed)
            else:
                woken.succeed()

    def settle(self) -> None:
        """Nothing is booked here: who waits for a lock is a worker."""
