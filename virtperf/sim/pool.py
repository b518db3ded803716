"""Physical CPUs that workers share under a policy; the decisions are in `rules`."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import simpy

from virtperf.rules import pause, refill, siblings
from virtperf.rules.policies import (
    CONSTANTS,
    PCPU_FIELDS,
    POLICIES,
    POOL_FIELDS,
    WORKER_FIELDS,
)
from virtperf.sim import pieces
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
        "ran",
        "ticker",
        "timer",
        "used",
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
        self.dispatched = self.charged = self.ran = self.used = 0
        self.timer = NEVER
        self.alarm: simpy.Event | None = None
        self.account = Account(env, accounts, idle)
        self.ticker = Ticker(Owner.SLICE, index)
        self.intruder: Thread | None = None
        self.intruders: deque[Thread] = deque()
        for field in PCPU_FIELDS:
            setattr(self, field, 0)


def _nobody_listens(group: int, waited: int) -> None:
    """Hear of a dispatch of a woken worker."""


class Pool:
    """A scheduler's pCPUs and the queue in front of them.

    What a policy is, `rules.policies` says. A timer runs only while somebody waits.

    Parameters
    ----------
    env : Clock
    row : PoolRow
    accounts : int
        Accounts of a pCPU's time.
    wakes : int
        Groups of workers whose wake-to-run latencies are summed in `waking`; `woke` is told each.
    """

    __slots__ = (
        "account",
        "armed",
        "count",
        "crew",
        "due",
        "enqueue",
        "entries",
        "env",
        "explains",
        "favour",
        "head",
        "home",
        "idle",
        "idle_account",
        "leaves",
        "migrations",
        "moves",
        "must_go",
        "particular",
        "pcpus",
        "period",
        "pick",
        "place",
        "policy",
        "preemptions",
        "preempts",
        "regroups",
        "reloads",
        "row",
        "sharing",
        "slice",
        "starts",
        "switch",
        "switches",
        "tail",
        "tick",
        "waking",
        "wanted",
        "why_idle",
        "woke",
        "workers",
        "yields",
        "__dict__",  # for the state of a policy that is not among `POLICIES`
        *POOL_FIELDS,
        *CONSTANTS,
    )

    def __init__(self, env: Clock, row: PoolRow, accounts: int, wakes: int = 0) -> None:
        self.env = env
        self.row = row
        self.woke: Callable[[int, int], None] = _nobody_listens
        self.waking = [0] * wakes
        self.switches = self.preemptions = self.migrations = 0
        self.policy = policy = POLICIES[row.policy]
        self.place, self.enqueue, self.pick = policy.place, policy.enqueue, policy.pick
        self.due, self.wanted = policy.due, policy.wanted
        self.home: Any = getattr(policy, "home", None)
        self.preempts: Any = getattr(policy, "preempts", None)
        self.yields: Any = getattr(policy, "yields", None)
        self.favour: Any = getattr(policy, "favour", None)
        self.starts: Any = getattr(policy, "starts", None)
        self.account: Any = getattr(policy, "account", None)
        self.leaves: Any = getattr(policy, "leaves", None)
        self.moves: Any = getattr(policy, "moves", None)
        self.must_go: Any = getattr(policy, "must_go", None)
        self.regroups: Any = getattr(policy, "regroups", None)
        self.why_idle: Any = getattr(policy, "why_idle", None)
        self.explains = self.why_idle is not None
        self.count, self.crew = row.pcpus, 0
        self.slice, self.tick, self.period = row.slice, row.tick, row.period
        self.sharing = row.sharing
        self.switch, self.idle_account = row.switch, row.idle_account
        self.head = self.tail = NOBODY
        self.idle = row.pcpus
        self.armed = 0  # timers
        self.reloads = False  # whether anybody has a working set to load again
        self.particular = False  # whether a dispatch has more to it than being on a pCPU
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
        self.reloads = any(worker.refill or worker.walks for worker in self.workers)
        pauses = any(worker.pause_window for worker in self.workers)
        self.entries = sum(worker.entries for worker in self.workers)
        flushes = any(worker.flush for worker in self.workers)
        self.particular = self.reloads or pauses or flushes or self.starts is not None
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
        now = worker.requested = self.env.now
        p = self.place(self, self.pcpus, self.workers, worker.index, now)
        if p != NOBODY:
            self._dispatch(self.pcpus[p], worker)
            if self.explains and self.idle:
                self._explain()
            return
        self._queue(worker, woken=1)
        if self.preempts is not None:
            p = self.preempts(self, self.pcpus, self.workers, worker.index, now)
            if p != NOBODY:
                self._preempt(self.pcpus[p], asks=worker)
        if self.regroups is not None:
            self._regroup(worker)

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
        if self.explains and self.idle:
            self._explain()
        if self.regroups is not None:
            self._regroup(None)

    def pace(self, pcpu: Pcpu) -> int:
        """Return how long work takes on `pcpu`, in thousandths of what it takes alone."""
        other = self.pcpus[siblings.sibling(pcpu.index)]
        if other.worker == NOBODY and other.intruder is None:
            return siblings.ALONE
        return self.sharing

    def read(self, pcpu: Pcpu) -> list[int]:
        """Return the accounts of `pcpu` as they stand, with what its sibling costs right now."""
        times = pcpu.account.read()
        worker = pcpu.intruder
        if worker is None and pcpu.worker != NOBODY:
            worker = self.workers[pcpu.worker]
        if self.sharing and worker is not None:
            lost = pieces.lost(worker)
            times[worker.account] -= lost
            times[self.row.sharing_account] += lost
        return times

    def alone(self, worker: "Thread") -> bool:
        """Whether nobody else wants the pCPU of `worker`; a timer for who left is taken back."""
        pcpu = worker.pcpu
        assert pcpu is not None, "only a worker that runs can be alone"
        self._arm(pcpu)
        return pcpu.timer == NEVER

    def give_way(self, worker: "Thread") -> None:
        """Let a worker that spins wait behind others, or go on if it should favour one but cannot.

        It sees itself whether it still has a pCPU, or has one again.
        """
        if worker.row.directed and not self._favours(worker):
            return
        worker.away, worker.gave_way = True, 1
        pcpu = self._vacate(worker)
        self._queue(worker, woken=0, gives_way=True)
        self._next(pcpu, asks=worker)
        if self.explains and self.idle:
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

    def _queue(self, worker: "Thread", *, woken: int, gives_way: bool = False) -> None:
        """Let a worker wait, and look at those whom it may want to replace."""
        worker.queued = True
        if gives_way and self.yields is not None:
            self.yields(self, self.pcpus, self.workers, worker.index, self.env.now)
        else:
            self.enqueue(self, self.pcpus, self.workers, worker.index, woken, self.env.now)
        p = NOBODY if self.home is None else self.home(self, self.pcpus, self.workers, worker.index)
        if p != NOBODY:
            self._arm(self.pcpus[p])
        elif self.armed < self.count - self.idle:
            for pcpu in self.pcpus:
                if pcpu.timer == NEVER and pcpu.worker != NOBODY:
                    self._arm(pcpu)
        if woken and self.explains and self.idle:
            self._explain()

    def _next(self, pcpu: Pcpu, asks: "Thread | None" = None) -> None:
        """Let the next one have `pcpu`; a policy may leave it idle though somebody waits.

        The one that `asks` for a pCPU sees itself that it has one.
        """
        w = self.pick(self, self.pcpus, self.workers, pcpu.index, self.env.now)
        if w != NOBODY:
            worker = self.workers[w]
            worker.queued = False
            self._dispatch(pcpu, worker)
            if worker is not asks:
                worker.resume()
        elif pcpu.intruder is None:
            pcpu.account.enter(self.idle_account)
            if self.sharing:
                self._pace_sibling(pcpu)

    def _dispatch(self, pcpu: Pcpu, worker: "Thread") -> None:
        now = self.env.now
        w = pcpu.worker = worker.index
        before = pcpu.last
        self.idle -= 1
        pcpu.dispatched = pcpu.charged = now
        if before != w and before != NOBODY:
            self.switches += 1
            worker.switch_left, worker.switches_anew = self.switch, True
        if self.particular:
            self._heed(pcpu, worker)
        worker.pcpu = pcpu
        if self.sharing:
            self._pace_sibling(pcpu)
        if worker.requested != NEVER:
            group, waited = worker.wake_group, now - worker.requested
            self.waking[group] += waited
            self.woke(group, waited)
            worker.requested = NEVER
        if worker.last != pcpu.index:
            if worker.last != NOBODY:
                self.migrations += 1
            worker.last = pcpu.index
        due = self.due(self, self.pcpus, self.workers, pcpu.index, now)
        if due != NEVER:
            pcpu.timer = due = max(due, now)
            pcpu.alarm = Alarm(self.env, pcpu.ticker, due - now, pcpu.look)
            self.armed += 1

    def _heed(self, pcpu: Pcpu, worker: "Thread") -> None:
        """Do at a dispatch what only some workers and policies ask for."""
        if self.reloads and pcpu.last != worker.index and not refill.fresh(worker, pcpu):
            worker.refill_left = refill.reload(self, worker, pcpu)
            worker.switch_left += worker.refill_left
            worker.tlb_time = 0
        if worker.owes_flush:
            worker.owes_flush = False
            worker.switch_left += worker.flush
        if worker.pause_window:
            pause.starts(worker)
        if self.starts is not None:
            now = self.env.now
            self.starts(self, self.pcpus, self.workers, pcpu.index, worker.index, now)

    def _vacate(self, worker: "Thread") -> Pcpu:
        pcpu = worker.pcpu
        assert pcpu is not None, "only a worker that runs can leave its pCPU"
        if self.account is not None:
            self._charge(pcpu)
        if pcpu.alarm is not None:
            self._disarm(pcpu, pcpu.alarm)
        self.idle += 1
        if self.reloads:
            ran = self.env.now - pcpu.dispatched
            pcpu.ran = worker.seen_ran = pcpu.ran + ran
            refill.stays(worker, pcpu, ran)
        pcpu.worker, pcpu.last = NOBODY, worker.index
        worker.pcpu = None
        return pcpu

    def _preempt(self, pcpu: Pcpu, asks: "Thread | None" = None) -> None:
        """Send the worker of `pcpu` back to the queue, for whoever is next."""
        worker = self.workers[pcpu.worker]
        if worker.yields:  # it has nothing to do, and leaves by itself as soon as it is told
            worker.give_way()
            return
        self._vacate(worker)
        worker.stop()
        self._queue(worker, woken=0)
        self._next(pcpu, asks)
        if pcpu.worker != worker.index:
            self.preemptions += 1
        if self.explains and self.idle:
            self._explain()

    def _move(self, pcpu: Pcpu, to: Pcpu) -> None:
        """Let the worker of `pcpu` go on at once on another one, which is idle."""
        worker = self.workers[pcpu.worker]
        if worker.yields:  # it has nothing to do
            self._arm(pcpu)
            return
        self._vacate(worker)
        worker.stop()
        self._dispatch(to, worker)
        worker.resume()
        self._next(pcpu)
        if self.explains and self.idle:
            self._explain()

    def _charge(self, pcpu: Pcpu) -> None:
        now = self.env.now
        ran, pcpu.charged = now - pcpu.charged, now
        self.account(self, self.pcpus, self.workers, pcpu.worker, ran, now)

    def _explain(self) -> None:
        """Book the time of idle pCPUs from now on to what keeps them so."""
        for pcpu in self.pcpus:
            if pcpu.worker == NOBODY and pcpu.intruder is None:
                why = self.why_idle(self, self.pcpus, self.workers, pcpu.index)
                pcpu.account.enter(self.row.idle_accounts[why])

    def _pace_sibling(self, pcpu: Pcpu) -> None:
        """Let who works on the other thread of the core feel that `pcpu` is busy, or idle."""
        other = self.pcpus[siblings.sibling(pcpu.index)]
        if other.intruder is not None:
            pieces.at_another_pace(other.intruder)
        elif other.worker != NOBODY:
            pieces.at_another_pace(self.workers[other.worker])

    # -- when to look again, and the policy's clocks ------------------------------------------

    def _arm(self, pcpu: Pcpu) -> None:
        """Set, move or take back the timer of `pcpu`."""
        if pcpu.worker == NOBODY:
            return
        now, before = self.env.now, pcpu.alarm
        due = self.due(self, self.pcpus, self.workers, pcpu.index, now)
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
        worker = self.workers[pcpu.worker]
        if before is not None:
            worker.carry_on()
        elif worker.yields:
            worker.cut()  # it asks again whether it is alone

    def _disarm(self, pcpu: Pcpu, alarm: simpy.Event) -> None:
        self.env.void(alarm)
        pcpu.timer, pcpu.alarm = NEVER, None
        self.armed -= 1

    def _look_again(self, pcpu: Pcpu, alarm: simpy.Event) -> None:
        """Let the worker go if it is wanted elsewhere or its pCPU by others; else look later."""
        pcpu.timer, pcpu.alarm = NEVER, None
        self.armed -= 1
        if self.account is not None:
            self._charge(pcpu)
        now = self.env.now
        if self.wanted(self, self.pcpus, self.workers, pcpu.index, now):
            self._preempt(pcpu)
            return
        if self.due(self, self.pcpus, self.workers, pcpu.index, now) > now:
            self._arm(pcpu)
        self.workers[pcpu.worker].carry_on()

    def _tick_again(self, pcpu: Pcpu, ticker: Ticker) -> None:
        def tick() -> None:
            if pcpu.worker != NOBODY:
                if self.account is not None:
                    self._charge(pcpu)
                now, to = self.env.now, NOBODY
                if self.moves is not None:
                    to = self.moves(self, self.pcpus, self.workers, pcpu.index, now)
                if self.policy.tick(self, self.pcpus, self.workers, pcpu.index, now):
                    self._preempt(pcpu)
                elif to != NOBODY:
                    self._move(pcpu, self.pcpus[to])
                else:
                    self._arm(pcpu)
            self._tick_again(pcpu, ticker)

        self.env.after(ticker, self.row.tick, tick)

    def _refill_again(self, ticker: Ticker) -> None:
        def refill() -> None:
            for pcpu in self.pcpus:
                if pcpu.worker != NOBODY and self.account is not None:
                    self._charge(pcpu)
            self.policy.refill(self, self.pcpus, self.workers, self.env.now)
            self._choose_anew(None)
            self._refill_again(ticker)

        self.env.after(ticker, self.row.period, refill)

    def _regroup(self, asks: "Thread | None") -> None:
        """Let all pCPUs choose anew, if the policy says so now that somebody came or went."""
        if self.regroups(self, self.pcpus, self.workers, self.env.now):
            self._choose_anew(asks)

    def _choose_anew(self, asks: "Thread | None") -> None:
        """Let each pCPU have another worker, if what has been handed out changes who it is.

        Who must go goes from all pCPUs before anybody is put on one.
        """
        if self.must_go is not None:
            for pcpu in self.pcpus:
                if pcpu.worker != NOBODY and self.must_go(
                    self, self.pcpus, self.workers, pcpu.index, self.env.now
                ):
                    worker = self.workers[pcpu.worker]
                    if worker.yields:
                        worker.give_way()
                        continue
                    self._vacate(worker)
                    worker.stop()
                    self._queue(worker, woken=0)
                    self.preemptions += 1
        for pcpu in self.pcpus:
            if pcpu.worker == NOBODY:
                self._next(pcpu, asks)
            else:
                self._arm(pcpu)
        if self.explains and self.idle:
            self._explain()

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
        elif self.sharing:
            self._pace_sibling(pcpu)

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
            pcpu.account.enter(self.idle_account)
            if self.sharing:
                self._pace_sibling(pcpu)
            if self.explains and self.idle:
                self._explain()
        else:
            self.workers[pcpu.worker].resume()
