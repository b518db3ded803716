"""Physical CPUs that workers share under a policy; the decisions are in `rules`."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import simpy

from virtperf.rules.policies import POLICIES
from virtperf.sim.clock import Account, Alarm, Clock, Owner, Ticker
from virtperf.tables import NONE, PoolRow

if TYPE_CHECKING:
    from virtperf.sim.thread import Thread

NOBODY = NONE
NEVER = -1


class Pcpu:
    """One physical CPU: who runs on it, who ran last, and the account of its time.

    `intruder` is the host interrupt work that stands above the thread `worker`, which stays;
    `timer` is when its slice timer goes off, and `alarm` that timer.
    """

    __slots__ = (
        "account",
        "alarm",
        "charged",
        "dispatched",
        "index",
        "intruder",
        "intruders",
        "last",
        "slice_over",
        "ticker",
        "timer",
        "worker",
    )

    def __init__(
        self,
        env: Clock,
        index: int,
        accounts: int,
        idle: int,
        slice_end: Callable[["Pcpu", simpy.Event], None],
    ) -> None:
        self.index = index
        self.slice_over = partial(slice_end, self)
        self.worker = NOBODY
        self.last = NOBODY
        self.dispatched = self.charged = 0
        self.timer = NEVER
        self.alarm: simpy.Event | None = None
        self.account = Account(env, accounts, idle)
        self.ticker = Ticker(Owner.SLICE, index)
        self.intruder: Thread | None = None
        self.intruders: deque[Thread] = deque()


class Pool:
    """A scheduler's pCPUs and the queue in front of them.

    What a policy is, `rules.policies` says.

    A slice counts from the dispatch, but its timer runs only while somebody waits.
    """

    def __init__(self, env: Clock, row: PoolRow, accounts: int) -> None:
        self.env = env
        self.row = row
        self.policy = POLICIES[row.policy]
        self.preempts = getattr(self.policy, "preempts", None)
        self.charges: Any = getattr(self.policy, "account", None)
        self.count, self.slice = row.pcpus, row.slice
        self.head = self.tail = NOBODY
        self.idle = row.pcpus
        self.armed = 0  # slice timers
        self.pcpus = [
            Pcpu(env, i, accounts, row.idle_account, self._slice_end) for i in range(row.pcpus)
        ]
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
        """Give `worker` a pCPU now, or when its turn comes (then its `alarm` happens)."""
        if worker.row.host:
            self._intrude(worker)
            return
        p = self.policy.place(self, self.pcpus, self.workers, worker.index)
        if p != NOBODY:
            self._dispatch(self.pcpus[p], worker)
            return
        if self.preempts is not None:
            p = self.preempts(self, self.pcpus, self.workers, worker.index)
        if p != NOBODY:
            self._preempt(self.pcpus[p], worker)
        else:
            self._queue(worker, woken=1)

    def release(self, worker: "Thread") -> None:
        """Take back the pCPU of `worker`, who sleeps or blocks."""
        worker.away = True
        if worker.row.host:
            self._depart(worker)
            return
        self._next(self._vacate(worker))

    # -- dispatch ---------------------------------------------------------------------------

    def _queue(self, worker: "Thread", *, woken: int) -> None:
        worker.queued = True
        self.policy.enqueue(self, self.workers, worker.index, woken)
        if self.armed < self.count - self.idle:
            for pcpu in self.pcpus:
                if pcpu.timer == NEVER and pcpu.worker != NOBODY:
                    self._arm(pcpu)

    def _next(self, pcpu: Pcpu) -> None:
        """Let the next one have `pcpu`; a policy may leave it idle though somebody waits."""
        w = self.policy.pick(self, self.workers, pcpu.index)
        if w != NOBODY:
            worker = self.workers[w]
            worker.queued = False
            self._dispatch(pcpu, worker)
            worker.resume()
        elif pcpu.intruder is None:
            pcpu.account.enter(self.row.idle_account)

    def _dispatch(self, pcpu: Pcpu, worker: "Thread") -> None:
        self.idle -= 1
        pcpu.worker = worker.index
        pcpu.dispatched = pcpu.charged = self.env.now
        worker.pcpu = pcpu
        worker.last = pcpu.index
        if pcpu.last != worker.index and pcpu.last != NOBODY:
            worker.switch_left, worker.switches_anew = self.row.switch, True
        self._arm(pcpu)

    def _vacate(self, worker: "Thread") -> Pcpu:
        pcpu = worker.pcpu
        assert pcpu is not None, "only a worker that runs can leave its pCPU"
        if self.charges is not None:
            self._charge(pcpu)
        if pcpu.alarm is not None:
            self._disarm(pcpu, pcpu.alarm)
        self.idle += 1
        pcpu.worker, pcpu.last = NOBODY, worker.index
        worker.pcpu = None
        return pcpu

    def _preempt(self, pcpu: Pcpu, heir: "Thread | None" = None) -> None:
        """Send the worker of `pcpu` back to the queue, for `heir` or for whoever is next."""
        worker = self.workers[pcpu.worker]
        self._vacate(worker)
        worker.stop()
        if heir is None:
            self._queue(worker, woken=0)
            self._next(pcpu)
        else:
            self._dispatch(pcpu, heir)
            self._queue(worker, woken=0)

    def _charge(self, pcpu: Pcpu) -> None:
        now = self.env.now
        self.charges(self, self.workers, pcpu.worker, now - pcpu.charged)
        pcpu.charged = now

    # -- slices and the policy's clocks -----------------------------------------------------

    def _arm(self, pcpu: Pcpu) -> None:
        if pcpu.timer != NEVER or pcpu.worker == NOBODY:
            return
        if self.policy.wanted(self, self.workers, pcpu.index):
            due = pcpu.dispatched + self.policy.slice_of(self, self.workers, pcpu.worker)
            left = max(0, due - self.env.now)
            pcpu.timer = self.env.now + left
            pcpu.alarm = Alarm(self.env, pcpu.ticker, left, pcpu.slice_over)
            self.armed += 1

    def _disarm(self, pcpu: Pcpu, alarm: simpy.Event) -> None:
        self.env.void(alarm)
        pcpu.timer, pcpu.alarm = NEVER, None
        self.armed -= 1

    def _slice_end(self, pcpu: Pcpu, alarm: simpy.Event) -> None:
        """End the slice if somebody waits still."""
        pcpu.timer, pcpu.alarm = NEVER, None
        self.armed -= 1
        if self.policy.wanted(self, self.workers, pcpu.index):
            self._preempt(pcpu)
        else:
            self.workers[pcpu.worker].carry_on()

    def _tick_again(self, pcpu: Pcpu, ticker: Ticker) -> None:
        def tick() -> None:
            if pcpu.worker != NOBODY:
                if self.charges is not None:
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
            worker.queued = True
            pcpu.intruders.append(worker)
            return
        pcpu.intruder, worker.pcpu = worker, pcpu
        if pcpu.worker != NOBODY:
            self.workers[pcpu.worker].stop()

    def _depart(self, worker: "Thread") -> None:
        pcpu = worker.pcpu
        assert pcpu is not None, "only interrupt work that runs can depart"
        worker.pcpu = None
        if pcpu.intruders:
            pcpu.intruder = after = pcpu.intruders.popleft()
            after.pcpu, after.queued = pcpu, False
            after.resume()
            return
        pcpu.intruder = None
        if pcpu.worker == NOBODY:
            pcpu.account.enter(self.row.idle_account)
        else:
            self.workers[pcpu.worker].resume()
