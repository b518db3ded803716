"""Doorbells: decide, mark under way, pay, push, signal."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import simpy

from virtperf.rules import doorbell as rule
from virtperf.sim.clock import Clock, Owner, Ticker
from virtperf.sim.request import Request
from virtperf.tables import NONE, BellRow, StepRow

if TYPE_CHECKING:
    from virtperf.sim.inbox import Inbox

Steps = Generator[simpy.Event, object, None]
WorkSteps = tuple[StepRow, ...]


class Doorbell:
    """One way to hand work to a consumer, with the indices of the ring behind it.

    A worker that rings decides, pays what the decision costs, and hands over.
    """

    def __init__(
        self, env: Clock, index: int, row: BellRow, inbox: "Inbox", counters: list[int]
    ) -> None:
        self.env = env
        self.row = row
        self.rule = row.rule
        self.inbox = inbox
        self.counters = counters
        steps_of = inbox.worker.machine.work_steps
        self.pay, self.debt = [*map(steps_of, row.pay)], [*map(steps_of, row.debt)]
        self.ticker = Ticker(Owner.BELL, index)
        self.produced = self.event = self.batch = 0
        self.rung = NONE
        self.pending, self.timer, self.count = 0, row.timer, row.count
        self.signals = 0  # of moderation; a timer that was set before the last one is void
        inbox.bells.append(self)

    def decide(self) -> int:
        """Return the consumer's state if the bell rings (then it is under way), else NONE."""
        rings = rule.rings(self)
        self.produced += 1
        if not rings:
            return NONE
        self.rung = self.batch
        return self._announce()

    def _announce(self) -> int:
        state: int = rule.consumer_state(self.inbox, self.inbox.worker)
        self.inbox.notified += 1
        if self.row.counter != NONE:
            self.counters[self.row.counter] += 1
        return state

    def hand_over(self, request: Request, state: int) -> None:
        """Push `request`, and signal if the bell rang and found its consumer in `state`."""
        inbox = self.inbox
        inbox.push(request)
        inbox.worker.notice()  # who polls sees the entry without being told
        if state == NONE:
            return
        if state == rule.ACTIVE:
            inbox.notified -= 1
            state = rule.consumer_state(inbox, inbox.worker)
            if state == rule.ACTIVE:
                return
            inbox.notified += 1
        self._send(state)

    def ring_from_device(self, request: Request) -> None:
        """Hand `request` on from something that is not a CPU; nobody pays."""
        if self.rule == rule.MODERATED:
            self._moderate(request)
        else:
            self.hand_over(request, self.decide())

    def _send(self, state: int) -> None:
        if self.row.delay[state]:
            self.env.after(self.ticker, self.row.delay[state], self._signal)
        else:
            self._signal()

    def _signal(self) -> None:
        """Look at the consumer again: one that has become active needs no telling."""
        inbox = self.inbox
        inbox.notified -= 1
        state = rule.consumer_state(inbox, inbox.worker)
        if inbox.queue and state != rule.ACTIVE:
            inbox.worker.tell(inbox, self.debt[state])

    # -- moderation -------------------------------------------------------------------------

    def _moderate(self, request: Request) -> None:
        """Push `request`; the signal comes with the count, or with the timer."""
        self.inbox.push(request)
        self.inbox.worker.notice()
        self.pending += 1
        due = rule.due(self)
        if due == 0:
            self._release()
        elif due > 0:
            set_at = self.signals
            self.env.after(self.ticker, due, lambda: self._expire(set_at))

    def _expire(self, set_at: int) -> None:
        if set_at == self.signals:
            self._release()

    def _release(self) -> None:
        """Signal what is pending, unless the consumer has found it by itself."""
        self.pending = 0
        self.signals += 1
        if self.inbox.queue:
            self._send(self._announce())
