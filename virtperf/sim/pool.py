"""Physical CPUs that workers share under a policy; the decisions are in `rules`."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import simpy

from virtperf.rules import pause
from virtperf.rules.policies import PCPU_FIELDS, POLICIES, POOL_FIELDS, WORKER_FIELDS
from virtperf.sim.clock import Account, Alarm, Clock, Owner, Ticker
from virtperf.tables import NONE, PoolRow

if TYPE_CHECKING:
    from virtperf.sim.thread import Thread

NOBODY = NONE
NEVER = -1


class Pcpu:
    """One physical CPU: who runs on it, who ran last, and the account of its time.

    `intruder` is the host interrupt work that stands above the thread `worker`, which stays;
    `timer` is when the policy will look at it again, and `alarm` that timer.
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
        "look",
        "ticker",
        "timer",
        "worker",
        *PCPU_FIELDS,
    )

    def __init__(
        self,
        env: Clock,
        index: int,
        accounts: int,
        idle: int,
        look: Callable[["Pcpu", simpy.Event], None],
    ) -> None:
        self.index = index
        self.look = partial(look, self)
        self.worker = NOBODY
        self.last = NOBODY
        self.dispatched = self.charged = 0
        self.timer = NEVER
        self.alarm: simpy.Event | None = None
        self.account = Account(env, accounts, idle)
        self.ticker = Ticker(Owner.SLICE, index)
        self.intruder: Thread | None = None
        self.intruders: deque[Thread] = deque()
        for field in PCPU_FIELDS:
            setattr(self, field, 0)


class Pool:
    """A scheduler's pCPUs and the queue in front of them.

    What a policy is, `rules.policies` says. A timer runs only while somebody waits.
    """

    def __init__(self, env: Clock, row: PoolRow, accounts: int) -> None:
        self.env = env
        self.row = row
        self.policy = policy = POLICIES[row.policy]
        self.home: Any = getattr(policy, "home", None)
        self.preempts: Any = getattr(policy, "preempts", None)
        self.yields: Any = getattr(policy, "yields", None)
        self.favour: Any = getattr(policy, "favour", None)
        self.starts: Any = getattr(policy, "starts", None)
        self.account: Any = getattr(policy, "account", None)
        self.leaves: Any = getattr(policy, "leaves", None)
        self.must_go: Any = getattr(policy, "must_go", None)
        self.why_idle: Any = getattr(policy, "why_idle", None)
        self.count, self.crew = row.pcpus, 0
        self.slice, self.tick, self.period = row.slice, row.tick, row.period
        self.head = self.tail = NOBODY
        self.idle = row.pcpus
        self.armed = 0  # timers
        for name in (*POOL_FIELDS, *getattr(policy, "POOL_FIELDS", ())):
            setattr(self, name, 0)
        for name, number in row.constants:
            setattr(self, name, number)
        self.pcpus = [
            Pcpu(env, i, accounts, row.idle_account, self._look_again) for i in range(row.pcpus)
        ]
        self.workers: list[Thread] = []

    def start(self) -> None:
        """Let the policy's clocks run, if it has any."""
        self.crew = len(self.workers)
        for worker in self.workers:
            for field in (*WORKER_FIELDS, *getattr(self.policy, "WORKER_FIELDS", ())):
                setattr(worker, field, 0)
        if hasattr(self.policy, "reset"):
            self.policy.reset(self, self.pcpus, self.workers)
        if self.row.period:
            self._refill_again(Ticker(Owner.TICK, 0))
        for pcpu in self.pcpus if self.row.tick else ():
            self._tick_again(pcpu, Ticker(Owner.TICK, 1 + pcpu.index))

    # -- asked by threads -------------------------------------------------------------------

    def request(self, worker: "Thread") -> None:
        """Give `worker` a pCPU now, or when its turn comes (then its `alarm` happens)."""
        if worker.row.host:
            self._intrude(worker)
            return
        now = self.env.now
        p = self.policy.place(self, self.pcpus, self.workers, worker.index, now)
        if p != NOBODY:
            self._dispatch(self.pcpus[p], worker)
            self._explain()
            return
        self._queue(worker, woken=1)
        if self.preempts is not None:
            p = self.preempts(self, self.pcpus, self.workers, worker.index, now)
            if p != NOBODY:
                self._preempt(self.pcpus[p], asks=worker)

    def release(self, worker: "Thread") -> None:
        """Take back the pCPU of `worker`, who sleeps or blocks."""
        worker.away = True
        if worker.row.host:
            self._depart(worker)
            return
        pcpu = self._vacate(worker)
        if self.leaves is not None:
            self.leaves(self, self.pcpus, self.workers, worker.index, self.env.now)
        self._next(pcpu)
        self._explain()

    def give_way(self, worker: "Thread") -> None:
        """Let a worker that spins wait behind others, or go on if it should favour one but cannot.

        It sees itself whether it still has a pCPU, or has one again.
        """
        if worker.row.directed and not self._favours(worker):
            return
        now = self.env.now
        worker.away, worker.gave_way = True, 1
        pcpu = self._vacate(worker)
        worker.queued = True
        if self.yields is not None:
            self.yields(self, self.pcpus, self.workers, worker.index, now)
        else:
            self.policy.enqueue(self, self.pcpus, self.workers, worker.index, 0, now)
        self._await(worker)
        self._next(pcpu, asks=worker)
        self._explain()

    def _favours(self, worker: "Thread") -> bool:
        """Whether some other worker of the domain of `worker` is the next one now."""
        tried, tries = NOBODY, pause.TRIES if self.favour is not None else 0
        for _ in range(tries):
            tried = pause.candidate(self.workers, worker.index, tried)
            if tried == NOBODY:
                return False
            if self.favour(self, self.pcpus, self.workers, tried, self.env.now):
                pause.favoured(self.workers, tried)
                return True
        return False

    # -- dispatch ---------------------------------------------------------------------------

    def _queue(self, worker: "Thread", *, woken: int) -> None:
        """Let a worker wait, woken or because it lost its pCPU."""
        worker.queued = True
        self.policy.enqueue(self, self.pcpus, self.workers, worker.index, woken, self.env.now)
        self._await(worker)
        if woken:
            self._explain()

    def _await(self, worker: "Thread") -> None:
        """Set the timers of those whom a worker that has begun to wait may want to replace."""
        p = NOBODY
        if self.home is not None:
            p = self.home(self, self.pcpus, self.workers, worker.index)
        if p != NOBODY:
            self._arm(self.pcpus[p])
        elif self.armed < self.count - self.idle:
            for pcpu in self.pcpus:
                if pcpu.timer == NEVER:
                    self._arm(pcpu)

    def _next(self, pcpu: Pcpu, asks: "Thread | None" = None) -> None:
        """Let the next one have `pcpu`; a policy may leave it idle though somebody waits.

        The one that `asks` for a pCPU sees itself that it has one.
        """
        w = self.policy.pick(self, self.pcpus, self.workers, pcpu.index, self.env.now)
        if w != NOBODY:
            worker = self.workers[w]
            worker.queued = False
            self._dispatch(pcpu, worker)
            if worker is not asks:
                worker.resume()
        elif pcpu.intruder is None:
            pcpu.account.enter(self.row.idle_account)

    def _dispatch(self, pcpu: Pcpu, worker: "Thread") -> None:
        now = self.env.now
        self.idle -= 1
        pcpu.worker = worker.index
        pcpu.dispatched = pcpu.charged = now
        worker.pcpu = pcpu
        worker.last = pcpu.index
        if pcpu.last != worker.index and pcpu.last != NOBODY:
            worker.switch_left, worker.switches_anew = self.row.switch, True
        pause.starts(worker)
        if self.starts is not None:
            self.starts(self, self.pcpus, self.workers, pcpu.index, worker.index, now)
        self._arm(pcpu)

    def _vacate(self, worker: "Thread") -> Pcpu:
        pcpu = worker.pcpu
        assert pcpu is not None, "only a worker that runs can leave its pCPU"
        self._charge(pcpu)
        if pcpu.alarm is not None:
            self._disarm(pcpu, pcpu.alarm)
        self.idle += 1
        pcpu.worker, pcpu.last = NOBODY, worker.index
        worker.pcpu = None
        return pcpu

    def _preempt(self, pcpu: Pcpu, asks: "Thread | None" = None) -> None:
        """Send the worker of `pcpu` back to the queue, for whoever is next."""
        worker = self.workers[pcpu.worker]
        self._vacate(worker)
        worker.stop()
        self._queue(worker, woken=0)
        self._next(pcpu, asks)
        self._explain()

    def _charge(self, pcpu: Pcpu) -> None:
        if self.account is not None:
            now = self.env.now
            ran, pcpu.charged = now - pcpu.charged, now
            self.account(self, self.pcpus, self.workers, pcpu.worker, ran, now)

    def _explain(self) -> None:
        """Book the time of idle pCPUs from now on to what keeps them so."""
        if self.why_idle is None or not self.idle:
            return
        for pcpu in self.pcpus:
            if pcpu.worker == NOBODY and pcpu.intruder is None:
                why = self.why_idle(self, self.pcpus, self.workers, pcpu.index)
                pcpu.account.enter(self.row.idle_accounts[why])

    # -- when to look again, and the policy's clocks ------------------------------------------

    def _arm(self, pcpu: Pcpu) -> None:
        """Set, move or take back the timer of `pcpu`."""
        if pcpu.worker == NOBODY:
            return
        now, before = self.env.now, pcpu.alarm
        due = self.policy.due(self, self.pcpus, self.workers, pcpu.index, now)
        if due != NEVER and due < now:
            due = now
        if due == pcpu.timer:
            return
        if before is not None:
            self._disarm(pcpu, before)
        if due != NEVER:
            pcpu.timer = due
            pcpu.alarm = Alarm(self.env, pcpu.ticker, due - now, pcpu.look)
            self.armed += 1
        if before is not None:
            self.workers[pcpu.worker].carry_on()

    def _disarm(self, pcpu: Pcpu, alarm: simpy.Event) -> None:
        self.env.void(alarm)
        pcpu.timer, pcpu.alarm = NEVER, None
        self.armed -= 1

    def _look_again(self, pcpu: Pcpu, alarm: simpy.Event) -> None:
        """Let the worker go if it is wanted elsewhere or its pCPU by others; else look later."""
        pcpu.timer, pcpu.alarm = NEVER, None
        self.armed -= 1
        self._charge(pcpu)
        now = self.env.now
        if self.policy.wanted(self, self.pcpus, self.workers, pcpu.index, now):
            self._preempt(pcpu)
            return
        if self.policy.due(self, self.pcpus, self.workers, pcpu.index, now) > now:
            self._arm(pcpu)
        self.workers[pcpu.worker].carry_on()

    def _tick_again(self, pcpu: Pcpu, ticker: Ticker) -> None:
        def tick() -> None:
            if pcpu.worker != NOBODY:
                self._charge(pcpu)
                now = self.env.now
                if self.policy.tick(self, self.pcpus, self.workers, pcpu.index, now):
                    self._preempt(pcpu)
                else:
                    self._arm(pcpu)
            self._tick_again(pcpu, ticker)

        self.env.after(ticker, self.row.tick, tick)

    def _refill_again(self, ticker: Ticker) -> None:
        def refill() -> None:
            for pcpu in self.pcpus:
                if pcpu.worker != NOBODY:
                    self._charge(pcpu)
            self.policy.refill(self, self.pcpus, self.workers, self.env.now)
            for pcpu in self.pcpus:
                self._choose_anew(pcpu)
            self._explain()
            self._refill_again(ticker)

        self.env.after(ticker, self.row.period, refill)

    def _choose_anew(self, pcpu: Pcpu) -> None:
        """Let a pCPU have another worker, if a refill has changed who it is."""
        if pcpu.worker == NOBODY:
            self._next(pcpu)
        elif self.must_go is not None and self.must_go(
            self, self.pcpus, self.workers, pcpu.index, self.env.now
        ):
            self._preempt(pcpu)
        else:
            self._arm(pcpu)

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
            self._explain()
        else:
            self.workers[pcpu.worker].resume()
