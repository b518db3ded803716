"""Physical CPUs that workers share under a policy; the decisions are in `rules`."""

from typing import TYPE_CHECKING, Any

from virtperf.rules import pinned, round_robin
from virtperf.sim.clock import Account, Clock, Owner, Ticker
from virtperf.tables import Policy, PoolRow

if TYPE_CHECKING:
    from virtperf.sim.worker import Worker

POLICIES: dict[int, Any] = {Policy.ROUND_ROBIN: round_robin, Policy.PINNED: pinned}
NOBODY = -1


class Pcpu:
    """One physical CPU: who runs on it, who ran last, and the account of its time."""

    __slots__ = ("account", "armed", "dispatched", "index", "last", "ticker", "worker")

    def __init__(self, env: Clock, index: int, accounts: int, idle: int) -> None:
        self.index = index
        self.worker = NOBODY
        self.last = NOBODY
        self.dispatched = 0
        self.armed = False
        self.account = Account(env, accounts, idle)
        self.ticker = Ticker(Owner.SLICE, index)


class Pool:
    """A scheduler's pCPUs and the queue in front of them.

    A slice counts from the dispatch, but its timer runs only while somebody waits.
    """

    def __init__(self, env: Clock, row: PoolRow, accounts: int) -> None:
        self.env = env
        self.row = row
        self.policy = POLICIES[row.policy]
        self.count, self.slice = row.pcpus, row.slice
        self.head = self.tail = NOBODY
        self.pcpus = [Pcpu(env, i, accounts, row.idle_account) for i in range(row.pcpus)]
        self.workers: list[Worker] = []

    def request(self, worker: "Worker") -> None:
        """Give `worker` a pCPU now, or when its turn comes (then its `grant` happens)."""
        p = self.policy.place(self, self.pcpus, self.workers, worker.index)
        if p == NOBODY:
            worker.grant = self.env.event()
            self._enqueue(worker)
        else:
            self._dispatch(self.pcpus[p], worker)

    def release(self, worker: "Worker") -> None:
        """Take back the pCPU of `worker`, who sleeps or blocks."""
        pcpu = self._vacate(worker)
        self._next(pcpu)
        if pcpu.worker == NOBODY:
            pcpu.account.enter(self.row.idle_account)

    def _enqueue(self, worker: "Worker") -> None:
        self.policy.enqueue(self, self.workers, worker.index)
        for pcpu in self.pcpus:
            self._arm(pcpu)

    def _next(self, pcpu: Pcpu) -> None:
        w = self.policy.pick(self, self.workers, pcpu.index)
        if w != NOBODY:
            worker = self.workers[w]
            self._dispatch(pcpu, worker)
            grant, worker.grant = worker.grant, None
            if grant is not None:
                grant.succeed()

    def _dispatch(self, pcpu: Pcpu, worker: "Worker") -> None:
        pcpu.worker = worker.index
        pcpu.dispatched = self.env.now
        worker.pcpu = pcpu
        worker.last = pcpu.index
        self._arm(pcpu)

    def _vacate(self, worker: "Worker") -> Pcpu:
        pcpu = worker.pcpu
        assert pcpu is not None, "only a worker that runs can leave its pCPU"
        pcpu.worker, pcpu.last = NOBODY, worker.index
        worker.pcpu = None
        return pcpu

    def _arm(self, pcpu: Pcpu) -> None:
        if pcpu.armed or pcpu.worker == NOBODY:
            return
        if self.policy.wanted(self, self.workers, pcpu.index):
            pcpu.armed = True
            due = pcpu.dispatched + self.policy.slice_of(self, self.workers, pcpu.worker)
            delay = max(0, due - self.env.now)
            self.env.after(pcpu.ticker, delay, lambda: self._slice_end(pcpu))

    def _slice_end(self, pcpu: Pcpu) -> None:
        """End the slice if it is over and somebody waits; an earlier slice's timer is void."""
        pcpu.armed = False
        if pcpu.worker == NOBODY:
            return
        worker = self.workers[pcpu.worker]
        due = pcpu.dispatched + self.policy.slice_of(self, self.workers, worker.index)
        if self.env.now < due or not self.policy.wanted(self, self.workers, pcpu.index):
            self._arm(pcpu)
            return
        self._vacate(worker)
        worker.preempted = True
        worker.grant = self.env.event()
        self._enqueue(worker)
        self._next(pcpu)
        worker.cut()

    def switch_due(self, worker: "Worker") -> bool:
        """Whether `worker`, just dispatched, follows another worker on its pCPU."""
        pcpu = worker.pcpu
        assert pcpu is not None, "a switch needs a pCPU"
        return pcpu.last not in (NOBODY, worker.index)
