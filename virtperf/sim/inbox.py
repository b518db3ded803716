"""One level of a worker, or one guest task: what waits for it, and whether it has been told."""

from collections import deque
from typing import TYPE_CHECKING

from virtperf.rules import doorbell as doorbell_rule
from virtperf.sim.request import Request
from virtperf.tables import NONE, InboxRow, StepRow

if TYPE_CHECKING:
    from virtperf.sim.doorbell import Doorbell, Steps, WorkSteps
    from virtperf.sim.lock import Lock
    from virtperf.sim.worker import Worker

ORDINARY = 0


class Inbox:
    """A queue of requests in front of a worker, with the state that rules about it read."""

    def __init__(self, index: int, row: InboxRow, worker: "Worker", lock: "Lock | None") -> None:
        self.index = index
        self.row = row
        self.level = row.level
        self.worker = worker
        self.lock = lock
        steps_of = worker.machine.work_steps
        self.prologue, self.epilogue = steps_of(row.prologue), steps_of(row.epilogue)
        self.queue: deque[Request] = deque()
        self.resumed = 0  # of them, at the head: begun here before
        self.deferred: list[tuple[Request, StepRow]] = []
        self.bells: list[Doorbell] = []
        self.debts: list[WorkSteps] = []
        self.in_turn = self.told = self.notified = 0
        self.runnable = False  # in the run queue of its worker's tasks, or having its turn
        self.behind = NONE
        self.turn: Steps | None = None  # of a task that the guest may put aside

    def push(self, request: Request) -> None:
        """Let `request` wait here from now on, before those that nobody has begun to serve.

        One that was begun here and had to wait for a credit, or for answers, is not new: a kernel
        goes on with it when it handles the completion that lets it.
        """
        request.mark = self.worker.clock.read()
        if request.home is self:
            self.queue.insert(self.resumed, request)
            self.resumed += 1
        else:
            self.queue.append(request)
        if self.level == ORDINARY and not self.runnable:
            self.worker.guest.add(self)

    def take(self) -> Request:
        """Take the head; its wait is booked by what the worker did meanwhile."""
        request = self.queue.popleft()
        if request.home is self:
            self.resumed -= 1
        request.home = self
        self.worker.settle(request, self.worker.row.waits)
        return request

    def publish(self) -> None:
        """Ask to be told of the next entry."""
        for bell in self.bells:
            doorbell_rule.publish(bell)

    def withdraw(self) -> None:
        """Ask not to be told: who polls looks for itself."""
        for bell in self.bells:
            doorbell_rule.withdraw(bell)
