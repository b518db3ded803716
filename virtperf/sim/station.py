"""Stations: servers that are not CPUs."""

from collections import deque
from collections.abc import Callable

from virtperf.sim.clock import Clock, Owner, Ticker
from virtperf.sim.occupancy import Occupancy
from virtperf.sim.request import Request
from virtperf.tables import StationRow


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
