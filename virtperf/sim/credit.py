"""Credits: ring slots, tags, grant references. A request waits for one, not its worker."""

from collections import deque
from collections.abc import Callable

from virtperf.sim.clock import Clock
from virtperf.sim.occupancy import Occupancy
from virtperf.sim.request import Request
from virtperf.tables import StationRow


class Credits:
    """A stock of credits and the requests that wait for one, first come first served.

    Parameters
    ----------
    env : Clock
    row : StationRow
    resume : callable
        Takes up a request that has got its credit.
    crowded : callable
        Called when more wait than ever, at each doubling: a chance to look for a deadlock.
    """

    def __init__(
        self,
        env: Clock,
        row: StationRow,
        resume: Callable[[Request], None],
        crowded: Callable[[], None],
    ) -> None:
        self.env = env
        self.row = row
        self.resume = resume
        self.crowded = crowded
        self.busy = Occupancy(env)
        self.queued = Occupancy(env)
        self.queue: deque[Request] = deque()
        self.most = 0  # that may wait before it is time to look again

    def take(self) -> bool:
        """Take a credit if one is left."""
        if self.busy.count == self.row.servers:
            return False
        self.busy.add(1)
        return True

    def park(self, request: Request) -> None:
        """Let `request` wait for a credit."""
        request.since = self.env.now
        self.queue.append(request)
        self.queued.add(1)
        if len(self.queue) > self.most:
            self.most = 2 * len(self.queue) - 1
            self.crowded()

    def give(self) -> None:
        """Return a credit, straight to the request that has waited longest."""
        if not self.queue:
            self.busy.add(-1)
            return
        request = self.queue.popleft()
        self.queued.add(-1)
        self._book(request)
        request.hold(self)
        self.resume(request)

    def _book(self, request: Request) -> None:
        request.book(self.row.wait_account, self.env.now - request.since)

    def settle(self) -> None:
        """Book what waits, at the end of a run."""
        for request in self.queue:
            self._book(request)
