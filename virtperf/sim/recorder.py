"""Records a run as a timeline. The engine does not know: its parts are exchanged before it runs."""

from collections.abc import Sequence

from virtperf.sim.clock import Account
from virtperf.sim.doorbell import Doorbell
from virtperf.sim.engine import Machine
from virtperf.sim.inbox import Inbox
from virtperf.sim.pool import Pcpu
from virtperf.sim.request import Request
from virtperf.tables import NONE, Arrow, Run, Span, System, Timeline, WorkerState

SPANS = 100_000  # a recording ends here, so that its memory is bounded
STATES = [state.name.lower() for state in WorkerState]


class Tape:
    """What is recorded: spans and arrows, until there are too many."""

    def __init__(self, machine: Machine, spans: int) -> None:
        self.machine = machine
        self.left = spans
        self.end = NONE
        self.rung: dict[Request, tuple[str, int, int]] = {}
        self.arrows: list[Arrow] = []

    def take(self, now: int) -> bool:
        """Make room for one more span; False if the recording is over."""
        if self.left:
            self.left -= 1
        elif self.end == NONE:
            self.end = now
        return self.end == NONE

    def ring(self, bell: Doorbell, request: Request) -> None:
        """Note that `bell` is rung, by the worker whose process is active or by a device."""
        if self.end != NONE:
            return
        machine = self.machine
        process = machine.env.active_process
        sender = NONE if process is None else machine.processes[process]
        self.rung[request] = (bell.row.name, sender, machine.env.now)

    def took(self, inbox: Inbox, request: Request) -> None:
        """Note that a request that was rung for is taken up."""
        if request in self.rung and self.end == NONE:
            name, sender, start = self.rung.pop(request)
            self.arrows.append(
                Arrow(
                    name=name,
                    sender=sender,
                    consumer=inbox.worker.index,
                    start=start,
                    end=self.machine.env.now,
                )
            )


class RecordedAccount(Account):
    """An account that remembers when each dial ran: (dial, start, end, worker)."""

    __slots__ = ("pcpu", "spans", "tape", "worker")

    def __init__(self, plain: Account, tape: Tape, pcpu: Pcpu | None = None) -> None:
        super().__init__(plain.env, len(plain.times), plain.current)
        self.tape, self.pcpu = tape, pcpu
        self.worker = NONE
        self.spans: list[tuple[int, int, int, int]] = []

    def enter(self, dial: int) -> None:
        """Remember what ran until now, and let `dial` run; on a pCPU, for whoever is on it now."""
        if self.env.now != self.since:
            self._remember(self.current, self.env.now)
        super().enter(dial)
        if self.pcpu is not None:
            above = self.pcpu.intruder
            self.worker = self.pcpu.worker if above is None else above.index

    def _remember(self, dial: int, end: int) -> None:
        spans = self.spans
        if spans and (spans[-1][0], spans[-1][3]) == (dial, self.worker):
            spans[-1] = (dial, spans[-1][1], end, self.worker)
        elif self.tape.take(self.since):
            spans.append((dial, self.since, end, self.worker))

    def track(self, names: Sequence[str], end: int) -> tuple[Span, ...]:
        """Return all spans up to `end`, the running one included."""
        spans = [*self.spans, (self.current, self.since, end, self.worker)]
        return tuple(
            Span(name=names[dial], start=start, end=min(stop, end), worker=worker)
            for dial, start, stop, worker in spans
            if start < min(stop, end)
        )


def record(
    system: System, *, seed: int, replication: int, requests: int, spans: int = SPANS
) -> tuple[Run, Timeline]:
    """Simulate as `run` does, and record what happened when.

    Parameters
    ----------
    system : System
    seed, replication, requests : int
        As in `run`.
    spans : int
        Most that is recorded; the run goes on without it.

    Returns
    -------
    Run
        The same as without a recording.
    Timeline
    """
    machine = Machine(system, seed=seed, replication=replication, requests=requests)
    tape = Tape(machine, spans)
    for pcpu in machine.pool.pcpus:
        pcpu.account = RecordedAccount(pcpu.account, tape, pcpu)
    for worker in machine.workers:
        worker.clock = RecordedAccount(worker.clock, tape)
    _listen(machine, tape)
    result = machine.run()
    end = machine.env.now if tape.end == NONE else tape.end
    return result, Timeline(
        name=system.name,
        workers=tuple(row.name for row in system.workers),
        pcpus=tuple(_track(pcpu.account, system.accounts, end) for pcpu in machine.pool.pcpus),
        states=tuple(_track(worker.clock, STATES, end) for worker in machine.workers),
        arrows=tuple(tape.arrows),
        time=end,
    )


def _track(account: Account, names: Sequence[str], end: int) -> tuple[Span, ...]:
    assert isinstance(account, RecordedAccount), "exchanged before the run"
    return account.track(names, end)


def _listen(machine: Machine, tape: Tape) -> None:
    """Let doorbells and inboxes tell the tape what they hand on and take up."""

    class Bell(Doorbell):
        def hand_over(self, request: Request, state: int) -> None:
            tape.ring(self, request)
            super().hand_over(request, state)

        def _moderate(self, request: Request) -> None:
            tape.ring(self, request)
            super()._moderate(request)

    class Box(Inbox):
        def take(self) -> Request:
            request = super().take()
            tape.took(self, request)
            return request

    for bell in machine.bells:
        bell.__class__ = Bell
    for inbox in machine.inboxes:
        inbox.__class__ = Box
