"""Physical CPUs that workers share under a policy; the decisions are in `rules`."""

from collections import deque
from typing import TYPE_CHECKING, Any

from virtperf.rules import pinned, round_robin
from virtperf.sim.clock import Account, Clock, Owner, Ticker
from virtperf.tables import NONE, Policy, PoolRow

if TYPE_CHECKING:
    from virtperf.sim.thread import Thread

POLICIES: dict[int, Any] = {Policy.ROUND_ROBIN: round_robin, Policy.PINNED: pinned}
NOBODY = NONE


class Pcpu:
    """One physical CPU: who runs on it, who ran last, and the account of its time.

    `intruder` is the host interrupt work that stands above the thread `worker`, which stays.
    """

    __slots__ = (
        "account",
        "armed",
        "charged",
        "dispatched",
        "index",
        "intruder",
        "intruders",
        "last",
        "ticker",
        "worker",
    )

    def __init__(self, env: Clock, index: int, accounts: int, idle: int) -> None:
        self.index = index
        self.worker = NOBODY
        self.last = NOBODY
        self.dispatched = self.charged = 0
        self.armed = False
        self.account = Account(env, accounts, idle)
        self.ticker = Ticker(Owner.SLICE, index)
        self.intruder: Thread | None = None
        self.intruders: deque[Thread] = deque()


class Pool:
    """A scheduler's pCPUs and the queue in front of them.

    A policy is a module of `rules` with these functions: `place` (the idle pCPU a woken worker
    takes), `preempts` (else, whose worker must go for it), `enqueue` (else, it waits), `pick` (who
    is next), `slice_of` and `wanted` (when a slice ends), `tick`, `account` and `refill`. The
    state they keep of their own, ``FIELDS`` of a worker, starts at 0.

    A slice counts from the dispatch, but its timer runs only while somebody waits.
    """

    def __init__(self, env: Clock, row: PoolRow, accounts: int) -> None:
        self.env = env
        self.row = row
        self.policy = POLICIES[row.policy]
        self.count, self.slice = row.pcpus, row.slice
        self.head = self.tail = NOBODY
        self.pcpus = [Pcpu(env, i, accounts, row.idle_account) for i in range(row.pcpus)]
        self.workers: list[Thread] = []

    def start(self) -> None:
        """Let the policy's clocks run, if it has any."""
        for worker in self.workers:
            for field in getattr(self.policy, "FIELDS", ()):
                setattr(worker, field, 0)
        for pcpu in self.pcpus if self.row.tick else ():
            self._tick_again(pcpu, Ticker(Owner.TICK, pcpu.index))
        if self.row.period:
            self._refill_again(Ticker(Owner.TICK, self.count))

    # -- asked by threads -------------------------------------------------------------------

    def request(self, worker: "Thread") -> None:
        """Give `worker` a pCPU now, or when its turn comes (then its `grant` happens)."""
        if worker.row.host:
            self._intrude(worker)
            return
        p = self.policy.place(self, self.pcpus, self.workers, worker.index)
        if p == NOBODY:
            p = self.policy.preempts(self, self.pcpus, self.workers, worker.index)
            if p == NOBODY:
                self._queue(worker, woken=1)
                return
            self._preempt(self.pcpus[p], worker)
        else:
            self._dispatch(self.pcpus[p], worker)

    def release(self, worker: "Thread") -> None:
        """Take back the pCPU of `worker`, who sleeps or blocks."""
        worker.away = True
        if worker.row.host:
            self._depart(worker)
            return
        pcpu = self._vacate(worker)
        self._next(pcpu)
        if pcpu.worker == NOBODY:
            pcpu.account.enter(self.row.idle_account)

    # -- dispatch ---------------------------------------------------------------------------

    def _queue(self, worker: "Thread", *, woken: int) -> None:
        worker.grant = self.env.event()
        self.policy.enqueue(self, self.workers, worker.index, woken)
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

    def _dispatch(self, pcpu: Pcpu, worker: "Thread") -> None:
        pcpu.worker = worker.index
        pcpu.dispatched = pcpu.charged = self.env.now
        worker.pcpu = pcpu
        worker.last = pcpu.index
        if pcpu.last not in (NOBODY, worker.index):
            worker.switch_left = self.row.switch
        self._arm(pcpu)

    def _vacate(self, worker: "Thread") -> Pcpu:
        pcpu = worker.pcpu
        assert pcpu is not None, "only a worker that runs can leave its pCPU"
        self._charge(pcpu)
        pcpu.worker, pcpu.last = NOBODY, worker.index
        worker.pcpu = None
        return pcpu

    def _preempt(self, pcpu: Pcpu, heir: "Thread | None" = None) -> None:
        """Send the worker of `pcpu` back to the queue, for `heir` or for whoever is next."""
        worker = self.workers[pcpu.worker]
        self._vacate(worker)
        worker.away = True
        if heir is None:
            self._queue(worker, woken=0)
            self._next(pcpu)
        else:
            self._dispatch(pcpu, heir)
            self._queue(worker, woken=0)
        worker.cut()

    def _charge(self, pcpu: Pcpu) -> None:
        self.policy.account(self, self.workers, pcpu.worker, self.env.now - pcpu.charged)
        pcpu.charged = self.env.now

    # -- slices and the policy's clocks -----------------------------------------------------

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
        due = pcpu.dispatched + self.policy.slice_of(self, self.workers, pcpu.worker)
        if self.env.now < due or not self.policy.wanted(self, self.workers, pcpu.index):
            self._arm(pcpu)
        else:
            self._preempt(pcpu)

    def _tick_again(self, pcpu: Pcpu, ticker: Ticker) -> None:
        def tick() -> None:
            if pcpu.worker != NOBODY:
                self._charge(pcpu)
                if self.policy.tick(self, self.pcpus, self.workers, pcpu.index):
                    self._preempt(pcpu)
            self._tick_again(pcpu, ticker)

        self.env.after(ticker, self.row.tick, tick)

    def _refill_again(self, ticker: Ticker) -> None:
        def refill() -> None:
            self.policy.refill(self, self.workers, self.env.now)
            for pcpu in self.pcpus:
                if pcpu.worker == NOBODY:
                    self._next(pcpu)
            self._refill_again(ticker)

        self.env.after(ticker, self.row.period, refill)

    # -- host interrupts --------------------------------------------------------------------

    def _intrude(self, worker: "Thread") -> None:
        """Let host interrupt work have its pCPU; the thread below stays on it, and stands still."""
        pcpu = self.pcpus[worker.pin]
        if pcpu.intruder is not None:
            worker.grant = self.env.event()
            pcpu.intruders.append(worker)
            return
        pcpu.intruder, worker.pcpu = worker, pcpu
        if pcpu.worker != NOBODY:
            below = self.workers[pcpu.worker]
            below.away = True
            below.cut()

    def _depart(self, worker: "Thread") -> None:
        pcpu = worker.pcpu
        assert pcpu is not None, "only interrupt work that runs can depart"
        worker.pcpu = None
        if pcpu.intruders:
            pcpu.intruder = after = pcpu.intruders.popleft()
            after.pcpu = pcpu
            grant, after.grant = after.grant, None
            if grant is not None:
                grant.succeed()
            return
        pcpu.intruder = None
        if pcpu.worker == NOBODY:
            pcpu.account.enter(self.row.idle_account)
        else:
            self.workers[pcpu.worker].cut()
