"""Doorbells: decide, mark under way, pay, push, signal."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import simpy

from virtperf.rules import doorbell as rule
from virtperf.sim.clock import Clock, Owner, Ticker
from virtperf.sim.request import Request
from virtperf.tables import NONE, BellRow

if TYPE_CHECKING:
    from virtperf.sim.inbox import Inbox
    from virtperf.sim.worker import Worker

Steps = Generator[simpy.Event, object, None]


class Doorbell:
    """One way to hand work to a consumer, with the indices of the ring behind it."""

    def __init__(
        self, env: Clock, index: int, row: BellRow, inbox: "Inbox", counters: list[int]
    ) -> None:
        self.env = env
        self.row = row
        self.rule = row.rule
        self.inbox = inbox
        self.counters = counters
        self.ticker = Ticker(Owner.BELL, index)
        self.produced = self.event = 0
        inbox.bells.append(self)

    def ring(self, request: Request, sender: "Worker") -> Steps:
        """Hand `request` on from `sender`, who pays if the bell rings."""
        state = self._decide()
        if state != NONE:
            yield from sender.pay(self.row.pay[state], request)
        self._hand_over(request, state)

    def ring_from_device(self, request: Request) -> None:
        """Hand `request` on from something that is not a CPU; nobody pays."""
        self._hand_over(request, self._decide())

    def _decide(self) -> int:
        """Return the consumer's state if the bell rings (then it is under way), else NONE."""
        state: int = NONE
        if rule.rings(self):
            state = rule.consumer_state(self.inbox, self.inbox.worker)
            self.inbox.notified += 1
            if self.row.counter != NONE:
                self.counters[self.row.counter] += 1
        self.produced += 1
        return state

    def _hand_over(self, request: Request, state: int) -> None:
        inbox = self.inbox
        inbox.push(request)
        if state == NONE:
            inbox.worker.notice()  # who polls sees the entry without being told
            return
        if state == rule.ACTIVE:
            inbox.notified -= 1
            state = rule.consumer_state(inbox, inbox.worker)
            if state == rule.ACTIVE:
                return
            inbox.notified += 1
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
            inbox.worker.tell(inbox, self.row.debt[state])
