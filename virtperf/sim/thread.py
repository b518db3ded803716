"""Something that needs a pCPU: it spends time there, is cut, loses it and gets it back."""

from functools import partial
from typing import TYPE_CHECKING

import simpy
from simpy.events import PENDING

from virtperf.rules.policies import WORKER_FIELDS
from virtperf.sim import pieces
from virtperf.sim.clock import Account, Alarm, Clock, Owner, Ticker, happen
from virtperf.sim.doorbell import Steps
from virtperf.sim.pool import NEVER, Pcpu, Pool
from virtperf.sim.request import Request
from virtperf.tables import NONE, WorkerRow, WorkerState, affinity_words

if TYPE_CHECKING:
    from virtperf.sim.engine import Machine

# As plain numbers, which index a list faster than members of an enum do.
ASLEEP, READY, RUNNING, INTERRUPT, BLOCKED, SWITCHING, POLLING = map(int, WorkerState)


class Thread:
    """A thread as the scheduler of the host sees it.

    A stretch of CPU time ends when it is over or when it is `cut`: by an interrupt, or, while
    polling or spinning, by what was waited for. The scheduler and host interrupts `stop` it: the
    thread learns of that when it goes on. `away` says that it cannot go on before it has been to
    `_regain`: it has no pCPU, or host interrupt work stands above it.
    """

    __slots__ = (
        "account",
        "affinity",
        "ahead",
        "alarm",
        "away",
        "cap",
        "clock",
        "end",
        "entries",
        "env",
        "flush",
        "index",
        "kin",
        "last",
        "leader",
        "level",
        "machine",
        "next",
        "owes_flush",
        "pace",
        "pages",
        "pause_window",
        "pcpu",
        "piece",
        "pin",
        "plain",
        "pool",
        "queued",
        "refill_left",
        "requested",
        "room",
        "row",
        "seen_used",
        "slowed",
        "stood",
        "stopped",
        "switch_left",
        "switches_anew",
        "tagged",
        "ticker",
        "tlb_time",
        "touches",
        "wake_group",
        "walks",
        "weight",
        "yields",
        "__dict__",  # for the state of a policy that is not among `POLICIES`
        *WORKER_FIELDS,
    )

    def __init__(self, machine: "Machine", index: int, row: WorkerRow) -> None:
        self.env: Clock = machine.env
        self.pool: Pool = machine.pool
        self.machine = machine
        self.index = index
        self.row = row
        self.ticker = Ticker(Owner.WORKER, index)
        self.clock = Account(self.env, len(WorkerState), ASLEEP)
        self.pin, self.last, self.next = row.pin, NONE, NONE
        self.weight, self.cap, self.wake_group = row.weight, row.cap, row.wake_group
        self.affinity = affinity_words(row.affinity, machine.system.pool.pcpus)
        self.leader, self.kin, self.turn = index, NONE, index
        self.pause_window, self.pause_grow = row.pause_window, row.pause_grow
        self.spin_window, self.gave_way, self.eligible = row.pause_window, 0, 0
        self.pcpu: Pcpu | None = None
        self.queued = False
        self.alarm: simpy.Event = self.env.event()
        self.away = True
        self.stopped = self.end = NEVER
        self.requested = NEVER  # since when it has wished for a pCPU and has not had one
        self.stood = self.account = 0
        self.plain = False
        self.pace, self.piece = 0, NEVER  # of work on a shared core, and since when (`pieces`)
        self.ahead = self.slowed = 0  # work left as it began; what others have cost the stretch
        self.switch_left = self.refill_left = 0  # of both together, and of the second of them
        self.flush, self.owes_flush = row.flush, False
        self.refill, self.forgets, self.seen_ran = row.refill, row.forgets, 0
        self.walks, self.entries, self.room = row.walks, row.entries, row.room
        self.pages, self.touches, self.tagged = row.pages, row.touches, row.tagged
        self.tlb_time = self.seen_used = 0
        self.switches_anew = False  # put on a pCPU after another one, since the switch was cut
        self.level = 0
        self.yields = False  # a poll that ends as soon as somebody else wants the pCPU

    @property
    def state(self) -> int:
        """What the thread is doing, a `WorkerState`."""
        return self.clock.current

    # -- told by the scheduler --------------------------------------------------------------

    def stop(self) -> None:
        """Take the CPU from under the thread, which is not told."""
        self.away = True
        if self.clock.current != READY:
            if type(self.alarm) is Alarm:
                self.no_alarm()
            if self.pace:
                pieces.end(self)
            self.stopped = self.env.now
            self.clock.enter(READY)

    def resume(self, *, at_once: bool = False) -> None:
        """Give the CPU back: plain work that has nothing else to heed goes on where it was.

        So a stretch of work is one wait of the process, over however many slices it extends. What
        has been caused before comes first.
        """
        pcpu, stopped = self.pcpu, self.stopped
        simple = self.plain and stopped != NEVER
        if simple and self.env.consequences and not at_once:
            self.env.soon(partial(self.resume, at_once=True))
            return
        if pcpu is None:  # it has lost it again
            return
        if not simple or self.switch_left or pcpu.intruder is not None or self.urgent():
            happen(self.alarm)
            return
        away = self.env.now - stopped
        self.stood += away
        self.end += away
        if self.pace:
            self.end = self.env.now + pieces.begin(self, self.ahead)
        self.stopped = NEVER
        pcpu.account.enter(self.account)
        self.away = False
        self.clock.enter(INTERRUPT if self.level else RUNNING)
        if pcpu.timer == NEVER or pcpu.timer >= self.end:
            self.carry_on()

    def give_way(self) -> None:
        """End a poll that yields, for whatever reason the pool has to take the pCPU back."""
        self.yields = False
        self.cut()

    def carry_on(self) -> None:
        """Set the alarm for the end of a stretch, unless a slice's timer goes off before it."""
        pcpu, end = self.pcpu, self.end
        if end == NEVER or pcpu is None or self.stopped != NEVER:
            return
        if self.alarm._value is not PENDING:  # it is set, which counts as triggered, or was cut
            return
        if pcpu.timer == NEVER or pcpu.timer >= end or pcpu.worker != self.index:
            self._wait_for(Alarm(self.env, self.ticker, end - self.env.now))

    def urgent(self) -> bool:
        """Whether there is something to do before plain work goes on."""
        return False

    # -- stretches --------------------------------------------------------------------------

    def cut(self) -> None:
        """End the stretch, or the wait for a pCPU, that the thread is in."""
        self.no_alarm()
        happen(self.alarm)

    def _work(self, ticks: int, account: int, *, plain: bool = False) -> simpy.Event:
        """Hold the pCPU for `ticks` of work, which takes longer on a core that others share."""
        if self.pool.sharing:
            ticks = pieces.begin(self, ticks)
        return self._stretch(ticks, account, plain=plain)

    def _stretch(self, ticks: int | None, account: int, *, plain: bool = False) -> simpy.Event:
        """Hold the pCPU for `ticks`, or until cut (None: only until cut); return the end.

        A slice's timer that goes off earlier stops the thread or lets it `carry_on`, so that a
        stretch of many slices sets one alarm. Then ask `_ran` how long it was.
        """
        pcpu = self.pcpu
        assert pcpu is not None, "a stretch needs a pCPU"
        pcpu.account.enter(account)
        self.account, self.plain, self.stood, self.slowed = account, plain, 0, 0
        self.end = NEVER
        if ticks is not None:
            self.end = self.env.now + ticks
            if pcpu.timer == NEVER or pcpu.timer >= self.end or pcpu.worker != self.index:
                self.alarm = Alarm(self.env, self.ticker, ticks)
                return self.alarm
        self.alarm = simpy.Event(self.env)
        return self.alarm

    def no_alarm(self) -> None:
        """Let no alarm end the stretch any more."""
        if type(self.alarm) is Alarm and not self.alarm.processed:
            self._wait_for(simpy.Event(self.env))

    def _wait_for(self, event: simpy.Event) -> None:
        """Let the process, if it waits already, wait for another event than before."""
        event.callbacks = self.alarm.callbacks
        if type(self.alarm) is Alarm:
            self.env.void(self.alarm)
        self.alarm = event

    def _ran(self, start: int) -> tuple[int, int]:
        """Return how long a stretch since `start` ran, and how long the thread stood still.

        Of the former `slowed` was lost to the sibling.
        """
        now, stood = self.env.now, self.stood
        if self.pace:
            pieces.end(self)
            self.pace = 0
        if self.stopped != NEVER:
            stood += now - self.stopped
            self.stopped = NEVER
        self.end, self.plain = NEVER, False
        return now - start - stood, stood

    # -- without a pCPU ---------------------------------------------------------------------

    def _release(self, state: int) -> None:
        """Give up the pCPU, to sleep or to wait."""
        if self.pcpu is not None:
            self.pool.release(self)
        self.clock.enter(state)

    def _regain(self, request: Request | None = None) -> Steps:
        """Wait for a pCPU, and for host interrupts there, and pay the switch.

        A `request` in hand waits along. Neither interrupts nor hand-overs shorten a switch; what
        stops it leaves a rest.
        """
        if request is not None:
            request.mark = self.clock.read()
        try:
            self.clock.enter(READY)
            if self.pcpu is None and not self.queued:
                self.pool.request(self)
            while self.switch_left or self.pcpu is None or self._overrun():
                if self.pcpu is None or self._overrun():
                    self.alarm = simpy.Event(self.env)
                    yield self.alarm
                else:
                    yield from self._switch()
        finally:
            if request is not None:
                self.settle(request, self.row.waits)
        self._go_on()

    def _back(self) -> bool:
        """Whether a thread that was stopped can simply go on; then it does."""
        pcpu = self.pcpu
        if pcpu is None or self.switch_left or pcpu.intruder is not None:
            return False
        self._go_on()
        return True

    def _go_on(self) -> None:
        self.away = False
        self.clock.enter(INTERRUPT if self.level else RUNNING)

    def _overrun(self) -> bool:
        """Whether host interrupt work stands above this thread on its pCPU."""
        return self.pcpu is not None and self.pcpu.intruder not in (None, self)

    def _switch(self) -> Steps:
        """Pay what is left of the switch."""
        start, self.switches_anew = self.env.now, False
        ticks, account = self.switch_left - self.refill_left, self.pool.row.switch_account
        if not ticks:
            ticks, account = self.refill_left, self.row.refill_account
        self.clock.enter(SWITCHING)
        try:
            yield self._work(ticks, account)
        finally:
            ran = self._ran(start)[0] - self.slowed
            self.switch_left -= 0 if self.switches_anew else ran
            self.refill_left = min(self.refill_left, self.switch_left)
            self.clock.enter(READY)

    def enter_level(self, level: int) -> None:
        """Go on at a level, ordinary (0) or interrupt (1)."""
        self.level = level
        if self.pcpu is not None:
            self.clock.enter(INTERRUPT if level else RUNNING)

    def settle(self, request: Request, accounts: tuple[int, ...]) -> None:
        """Book to `request` what the thread's clocks show since its mark, state by state."""
        now = self.clock.read()
        if now == request.mark:
            return
        for account, before, after in zip(accounts, request.mark, now, strict=True):
            if after != before:
                request.book(account, after - before)
