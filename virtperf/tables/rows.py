"""The built system: rows of integers, floats and names, nothing else. Times are ticks (ps).

Engines read these rows and nothing above them. A row refers to another by its index; `NONE` (-1)
means there is none. A `Sequence` is a half-open range of the step table.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import IntEnum, IntFlag
from typing import Any, NamedTuple, TypeVar

NONE = -1

Row = TypeVar("Row")


class Kind(IntEnum):
    """What a step does."""

    WORK = 0
    LOCK = 1
    UNLOCK = 2
    SERVE = 3
    RING = 4
    END = 5
    TAKE = 6
    GIVE = 7
    CHOOSE = 8
    GOTO = 9
    SPAWN = 10
    JOIN = 11
    GATHER = 12
    ONCE = 13


class Edge(IntFlag):
    """Where a request is among those that were gathered in a turn; alone, it is both."""

    NONE = 0
    FIRST = 1
    LAST = 2


class Hold(IntEnum):
    """What a worker does while its request is elsewhere."""

    ASYNC = 0
    BLOCK = 1
    SPIN = 2


class StationKind(IntEnum):
    """What a station is: servers in parallel, a lock, or a stock of credits."""

    SERVERS = 0
    LOCK = 1
    CREDIT = 2


class Discipline(IntEnum):
    """Who gets a lock that is released, and what waiters do meanwhile (see `rules.lock`)."""

    TICKET = 0
    UNFAIR = 1
    MUTEX_DIRECT = 2
    MUTEX_BARGING = 3
    PARAVIRTUAL = 4


class Rule(IntEnum):
    """Whether a doorbell rings."""

    ALWAYS = 0
    EVENT_INDEX = 1
    MODERATED = 2
    UNLESS_IDLE = 3
    UNLESS_ABSENT = 4
    BATCH = 5
    RE_ENABLED = 6


SPARING = (Rule.UNLESS_IDLE, Rule.UNLESS_ABSENT)
"""Those of doorbells that call only whom a guest's kernel cannot leave to itself."""


class Policy(IntEnum):
    """How a pool chooses who runs where."""

    ROUND_ROBIN = 0
    PINNED = 1
    CREDIT = 2
    CREDIT2 = 3
    CFS = 4
    EEVDF = 5
    GANG = 6
    RELAXED_GANG = 7


class Idle(IntEnum):
    """Why nobody runs on a pCPU: nobody wants it, or a rule keeps those who do from it."""

    NOBODY = 0
    CAP = 1
    GANG = 2
    AFFINITY = 3


class DrawKind(IntEnum):
    """Shape of a draw: `a` is the mean in ns, `b` a coefficient of variation, `values` points.

    `CHOICE` is a number 0, 1, ... with the given weights, not a time.
    """

    EXPONENTIAL = 0
    LOGNORMAL = 1
    EMPIRICAL = 2
    DETERMINISTIC = 3
    CHOICE = 4
    CYCLE = 5  # the values one after the other, again and again
    MMPP = 6  # gaps of a modulated Poisson process: values are rates per s, weights sojourns in ns
    GAMMA = 7


class WorkerState(IntEnum):
    """What a worker is doing; its clocks split all time by these."""

    ASLEEP = 0
    READY = 1
    RUNNING = 2
    INTERRUPT = 3
    BLOCKED = 4
    SWITCHING = 5
    POLLING = 6


class ConsumerState(IntEnum):
    """State of a doorbell's consumer, which decides what ringing costs."""

    ACTIVE = 0
    ASLEEP = 1
    POLLING = 2
    OTHER = 3
    PENDING = 4


class PollKind(IntEnum):
    """Who polls for a worker before it sleeps (see `rules.poll`)."""

    EVENT_LOOP = 0
    HALT = 1
    GUEST = 2
    ENDLESS = 3


class Sequence(NamedTuple):
    """Steps `first` to `last - 1` of the step table; false if there are none."""

    first: int
    last: int

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.first < self.last


NOTHING = Sequence(0, 0)


class Poll(NamedTuple):
    """How a worker polls before it sleeps: who does, for how long at most, how that adapts itself.

    `start` is the first step of a window that grows by the factor `grow` and shrinks by the divisor
    `shrink` (0: to nothing); at `start` 0 it is constant. `hits` and `misses` are counters.
    """

    kind: int
    most: int
    start: int = 0
    grow: int = 2
    shrink: int = 0
    hits: int = NONE
    misses: int = NONE

    def __bool__(self) -> bool:
        """Whether it polls at all."""
        return self.most > 0


NO_POLL = Poll(PollKind.EVENT_LOOP, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """Physical CPUs under a policy; `tick` and `period` call its accounting, 0 never.

    `idle_accounts` are those of each reason of `Idle`; `constants` are the policy's own, by name.
    `sharing` is how long work takes while the sibling is busy, in thousandths (`rules.siblings`).
    """

    pcpus: int
    policy: int
    slice: int
    switch: int
    switch_account: int
    idle_accounts: tuple[int, ...]
    tick: int = 0
    period: int = 0
    sharing: int = 0
    sharing_account: int = NONE
    constants: tuple[tuple[str, int], ...] = ()

    @property
    def idle_account(self) -> int:
        """The account of a pCPU that nobody wants."""
        return self.idle_accounts[Idle.NOBODY]

    @property
    def idling(self) -> frozenset[int]:
        """All accounts of pCPUs that nobody runs on."""
        return frozenset(self.idle_accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A thread that needs a pCPU. `waits` maps a worker state to the account of who waits in it.

    `wake` and `pickup` are work at the start of a turn: when woken, when a poll found something.
    `host` 1 is host interrupt work, above all threads of pCPU `pin`. A worker with several
    ordinary inboxes is a vCPU whose guest schedules these tasks: `slice` while others wait
    (0: to the end of the turn), `switch` when another task goes on.

    A call that spared it (`rules.doorbell.spares`) makes it `flush` when it is put on a pCPU next.
    After others ran on its pCPU it must load again what it works with: `refill` if nothing is left,
    which is so when they had `forgets`; and walk for its `entries` of a TLB that has `room`, in
    `walks` if all are lost; it `touches` as many as its `pages` in that time (`rules.refill`).
    Both are booked to `refill_account`.

    For the policy: workers of a VM are of one `domain`; `weight` is its share, `cap` the most the
    domain may use, in thousandths of a pCPU (0: no limit), `affinity` the pCPUs it may use (all if
    there are none). `wake_group` is the row of `System.wakes` that its wake-to-run latencies are
    observed under, NONE for host interrupt work alone.

    A vCPU that spins for `pause_window` exits (0: never) and pays `pause`; its window is multiplied
    by `pause_grow` then, and `directed` 1 is a hypervisor that looks whom to favour. `kick` is what
    it pays to wake the next holder of a paravirtual lock.
    """

    name: str
    role: str
    pin: int
    inbox: int
    interrupt: int
    wake: Sequence
    waits: tuple[int, ...]
    batch_account: int
    poll_account: int
    spin_account: int = NONE
    pickup: Sequence = NOTHING
    poll: Poll = NO_POLL
    host: int = 0
    slice: int = 0
    switch: Sequence = NOTHING
    domain: int = NONE
    weight: int = 1
    cap: int = 0
    affinity: tuple[int, ...] = ()
    flush: int = 0
    refill: int = 0
    forgets: int = 1
    refill_account: int = NONE
    walks: int = 0
    entries: int = 0
    pages: int = 0
    room: int = 0
    touches: int = 1
    tagged: int = 1
    wake_group: int = NONE
    pause: Sequence = NOTHING
    pause_window: int = 0
    pause_grow: int = 1
    directed: int = 0
    kick: Sequence = NOTHING


WORD_BITS = 60  # pCPUs that one word of an affinity tells of


def affinity_words(pcpus: tuple[int, ...], count: int) -> list[int]:
    """Return which of `count` pCPUs a worker may use, as bits of words of `WORD_BITS` each."""
    words = [0] * -(-count // WORD_BITS)
    for p in pcpus or range(count):
        words[p // WORD_BITS] |= 1 << p % WORD_BITS
    return words


def kinship(workers: tuple[WorkerRow, ...]) -> list[tuple[int, int]]:
    """Return for each worker the first one of its domain, and the next one or `NONE`.

    A worker without a domain is one of its own.
    """
    leaders: dict[int, int] = {}
    latest: dict[int, int] = {}
    found: list[tuple[int, int]] = []
    for w, row in enumerate(workers):
        leader = w if row.domain == NONE else leaders.setdefault(row.domain, w)
        if leader != w:
            found[latest[leader]] = leader, w
        latest[leader] = w
        found.append((leader, NONE))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One level of a worker, or one of its guest tasks: what it takes, what a turn costs.

    `batch` 0 is no limit; `lock` is held for the whole turn.
    """

    name: str
    worker: int
    level: int
    batch: int
    prologue: Sequence
    epilogue: Sequence
    lock: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StationRow:
    """A server that is not a CPU, a lock, or credits, of which there are `servers`.

    `wake` is a lock's delay from its release until the next one has it, or tries again; `spin` is
    for how long who waits for a paravirtual one spins before it sleeps.
    """

    name: str
    kind: int
    servers: int
    wake: int
    wait_account: int
    discipline: int = Discipline.MUTEX_BARGING
    spin: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BellRow:
    """A doorbell; `pay`, `delay` and `debt` are indexed by `ConsumerState`.

    A moderated one rings `timer` after the first entry it has not told of, or at the `count`-th.
    """

    name: str
    inbox: int
    rule: int
    counter: int
    pay: tuple[Sequence, ...]
    delay: tuple[int, ...]
    debt: tuple[Sequence, ...]
    timer: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """Load. Closed: `outstanding` requests, each again after `think`. Open: gaps drawn by `gap`.

    `think`, `gap` and `order` are rows of the draw table; `inbox` NONE: the path starts at a
    station. `order` NONE: classes are drawn by weight, else its values are their numbers, in turn.
    """

    name: str
    outstanding: int
    think: int
    gap: int
    inbox: int
    classes: Sequence
    draws: Sequence
    order: int = NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """A kind of request of one source. `group` is the row of results it is observed under.

    A side class (`side` 1) belongs to no source: its time is nobody's latency, its `group` a row
    of `System.sides`. It enters `inbox`, or, if NONE, its path begins at a station or a doorbell.
    """

    name: str
    group: int
    weight: float
    path: int
    inbox: int = NONE
    side: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerRow:
    """A periodic timer that starts a request of side class `klass` at each multiple of `period`.

    `tickless` 1: not while `worker` is asleep.
    """

    name: str
    worker: int
    period: int
    tickless: int
    klass: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step. A cost is `ticks`, or draw number `draw` among those of the request's source.

    `target` is a station, a doorbell, a step (goto, and behind what is done once), a side class
    (spawn, and the first one of a join), or the row of `System.sides` under which an end is booked.
    `other` is the step to go on with where no credit is left, the number of classes of a join or of
    branches of a choice, or the `Edge` that does what is done once.
    `times` is what work adds to its counter.
    """

    kind: int
    ticks: int
    draw: int
    account: int
    target: int
    defer: int
    masked: int
    counter: int
    hold: int = Hold.ASYNC
    other: int = NONE
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRow:
    """A random time and the name of its stream."""

    purpose: str
    kind: int
    a: float
    b: float
    values: Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A scenario resolved to tables.

    `accounts`, `counters`, `groups` and `sides` name what steps, doorbells and classes refer to
    by index; `sides` are the groups of side paths and of requests that were dropped, `wakes` those
    of workers that are woken.
    `values` and `weights` hold the points of empirical distributions, in ns.
    """

    name: str
    accounts: tuple[str, ...]
    counters: tuple[str, ...]
    groups: tuple[str, ...]
    pool: PoolRow
    workers: tuple[WorkerRow, ...]
    inboxes: tuple[InboxRow, ...]
    stations: tuple[StationRow, ...]
    bells: tuple[BellRow, ...]
    sources: tuple[SourceRow, ...]
    classes: tuple[ClassRow, ...]
    steps: tuple[StepRow, ...]
    draws: tuple[DrawRow, ...]
    values: tuple[float, ...]
    weights: tuple[float, ...]
    sides: tuple[str, ...] = ()
    timers: tuple[TimerRow, ...] = ()
    wakes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists, numbers and strings: what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "System":
        """Return the system `to_dict` described, also after a trip through JSON."""
        rows: dict[str, Any] = {
            name: tuple(_row(kind, row) for row in data[name]) for name, kind in _ROWS.items()
        }
        plain: dict[str, Any] = {
            field.name: tuple(value) if isinstance(value := data[field.name], list) else value
            for field in fields(cls)
            if field.name not in _ROWS and field.name != "pool"
        }
        return cls(pool=_row(PoolRow, data["pool"]), **plain, **rows)


_ROWS: Mapping[str, type] = {
    "workers": WorkerRow,
    "inboxes": InboxRow,
    "stations": StationRow,
    "bells": BellRow,
    "sources": SourceRow,
    "classes": ClassRow,
    "steps": StepRow,
    "draws": DrawRow,
    "timers": TimerRow,
}
_SEQUENCES = {"wake", "switch", "prologue", "epilogue", "pickup", "classes", "draws", "values"}
_SEQUENCES |= {"pause", "kick"}
_SEQUENCE_LISTS = {"pay", "debt"}
_SEQUENCE_ROWS = {WorkerRow, InboxRow, SourceRow, DrawRow}


def _row(kind: type[Row], data: Mapping[str, Any]) -> Row:
    def cell(name: str, value: Any) -> Any:
        if name == "constants":
            return tuple((key, number) for key, number in value)
        if name == "poll":
            return Poll(*value)
        if name in _SEQUENCE_LISTS:
            return tuple(Sequence(*pair) for pair in value)
        if name in _SEQUENCES and kind in _SEQUENCE_ROWS and not isinstance(value, int):
            return Sequence(*value)
        return tuple(value) if isinstance(value, list) else value

    return kind(**{name: cell(name, value) for name, value in data.items()})
