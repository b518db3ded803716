"""The tables under construction: rows so far, and what names stand for."""

from dataclasses import dataclass, field

from virtperf.assembly.numbering import Names, draw_row
from virtperf.dist import Deterministic, Distribution
from virtperf.errors import ParameterError
from virtperf.path import Step
from virtperf.tables import (
    NONE,
    BellRow,
    ClassRow,
    DrawRow,
    Hold,
    InboxRow,
    Kind,
    SourceRow,
    StationRow,
    StepRow,
    TimerRow,
    WorkerRow,
)
from virtperf.units import ticks

KINDS = {kind.name.lower(): kind for kind in Kind}
HOLDS = {hold.name.lower(): hold for hold in Hold} | {"defer": Hold.ASYNC}


@dataclass(slots=True)
class Book:
    """Rows of every table, and their numbers by name."""

    accounts: Names = field(default_factory=Names)
    counters: Names = field(default_factory=Names)
    groups: Names = field(default_factory=Names)
    sides: Names = field(default_factory=Names)
    domains: Names = field(default_factory=Names)
    wakes: Names = field(default_factory=Names)
    workers: list[WorkerRow] = field(default_factory=list)
    inboxes: list[InboxRow] = field(default_factory=list)
    stations: list[StationRow] = field(default_factory=list)
    bells: list[BellRow] = field(default_factory=list)
    sources: list[SourceRow] = field(default_factory=list)
    classes: list[ClassRow] = field(default_factory=list)
    timers: list[TimerRow] = field(default_factory=list)
    steps: list[StepRow] = field(default_factory=list)
    draws: list[DrawRow] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    once: dict[int, object] = field(default_factory=dict)
    """What is done once for all that is gathered, by inbox."""
    index: dict[str, dict[str, int]] = field(
        default_factory=lambda: {
            kind: {} for kind in ("worker", "inbox", "station", "bell", "source")
        }
    )

    def find(self, kind: str, name: str, owner: str) -> int:
        """Return the number of a part; `owner` is who names it.

        Raises
        ------
        ParameterError
            If there is no such part.
        """
        known = self.index[kind]
        if name not in known:
            raise ParameterError(owner, kind, f"one of {', '.join(known) or 'none'}", name)
        return known[name]

    def enter(self, kind: str, name: str, number: int) -> None:
        """Let `name` stand for row `number`; a name can be used once."""
        if name in self.index[kind]:
            raise ParameterError(name, kind, "a name that is still free", name)
        self.index[kind][name] = number

    def draw(self, purpose: str, cost: Distribution) -> int:
        """Add a random time; return its number."""
        self.draws.append(draw_row(purpose, cost, self.values, self.weights))
        return len(self.draws) - 1

    def step(self, step: Step, *, target: int = NONE, draw: int = NONE) -> StepRow:
        """Return the row of a plain step."""
        cost = step.cost.value if isinstance(step.cost, Deterministic) else 0.0
        return StepRow(
            kind=KINDS[step.kind],
            ticks=ticks(cost),
            draw=draw,
            account=self.accounts.number(step.account) if step.account else NONE,
            target=target,
            defer=int(step.hold == "defer"),
            masked=int(step.masked),
            counter=self.counters.number(step.counts) if step.counts else NONE,
            hold=HOLDS[step.hold],
            times=step.times,
        )
