"""The language techniques speak: steps, transitions, doorbells. Knows no clock and no engine.

A technique answers "what does this operation do?" with a path. A step says where it runs, how
long, and why (the ledger account). A transition names something only the CPU technique of the VM
can price (an exit, a halt); building the system expands it into steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from virtperf.dist import Deterministic, Distribution
from virtperf.errors import ParameterError

Kind = Literal["work", "lock", "unlock", "serve", "ring", "take", "give", "gather", "end"]
Hold = Literal["async", "defer", "block", "spin"]
Target = Literal["fast", "kernel", "user", "blocking"]
Crossing = Literal[
    "exit", "ipi", "timer", "switch", "reflect", "trace", "hypercall", "multicall", "kernel"
]
Rule = Literal[
    "always", "event-index", "moderated", "unless-idle", "unless-absent", "batch", "re-enabled"
]
ConsumerState = Literal["active", "asleep", "polling", "other", "pending"]
CONSUMER_STATES: tuple[ConsumerState, ...] = ("active", "asleep", "polling", "other", "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stay at one resource.

    Attributes
    ----------
    kind : {'work', 'lock', 'unlock', 'serve', 'ring', 'take', 'give', 'gather', 'end'}
        Work on the worker that holds the request; take or release a lock; be served by a station;
        ring a doorbell, which hands the request to its consumer; take or return a credit; wait for
        all that the worker takes in this turn, then go on one after the other (see `Once`); finish.
    where : str
        Worker, lock, station or doorbell of the VM, for example ``"iothread"``.
    cost : Distribution
        Time of `work` and `serve`, in ns.
    account : str
        Why: the ledger account of that time.
    hold : {'async', 'defer', 'block', 'spin'}
        How a `serve` or `ring` ends the worker's hold of the request: at once, or together with
        the others at the end of the batch. With `block` or `spin` (`serve` only) the worker
        keeps the request and gives up its pCPU, or burns it, until the request is served.
    masked : bool
        Whether interrupt work of this worker must wait until the step is over.
    counts : str
        Counter that moves by `times` when the step is taken, for example ``"exits.io"``.
    purpose : str
        Name of the random stream of a cost that varies; alternatives that use the same purpose
        meet the same draws.
    otherwise : Path
        Where a `take` goes on if no credit is left, to its own end; if empty, the request waits.
    times : int
        How many of the same a `work` step stands for: one event may stand for a batch of work.
    outcome : str
        Of an `end`: the request did not succeed, and is counted apart under this name.
    """

    kind: Kind
    where: str = ""
    cost: Distribution = field(default_factory=lambda: Deterministic(0.0))
    account: str = ""
    hold: Hold = "async"
    masked: bool = False
    counts: str = ""
    purpose: str = ""
    otherwise: "Path" = ()
    outcome: str = ""
    times: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ("end", "gather") and not self.where:
            raise ParameterError("Step", "where", f"named for a {self.kind} step", self.where)
        if self.kind in ("work", "serve") and not self.account:
            raise ParameterError("Step", "account", f"named for a {self.kind} step", self.account)
        if self.times < 1 or (self.times > 1 and self.kind != "work"):
            raise ParameterError("Step", "times", f"1 for a {self.kind} step, or more", self.times)
        if not isinstance(self.cost, Deterministic) and not self.purpose:
            raise ParameterError("Step", "purpose", "named where the cost varies", self.purpose)
        if self.hold in ("block", "spin") and self.kind != "serve":
            raise ParameterError("Step", "hold", f"async or defer for a {self.kind}", self.hold)

    def repeated(self, number: int) -> "Step":
        """Return what `number` of the same work are: between two of them interrupts come."""
        times = self.times * number if self.counts else 1
        masked = self.masked and number == 1
        cost = Deterministic(self.cost.mean * number)
        return replace(self, cost=cost, times=times, masked=masked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A crossing that the VM's CPU technique prices.

    Attributes
    ----------
    name : str
        One of `Crossing`. Leave the guest and come back; send an inter-processor interrupt; arm
        the next timer tick; let another process run on the vCPU; hand a fault on to the guest's
        kernel; write to a page that the hypervisor watches; call the hypervisor; leave it a call
        that can wait for others; or stay: the guest's kernel does itself what `reason` names.
    reason : str
        Exit reason, as users of ``perf kvm stat`` know it.
    to : {'fast', 'kernel', 'user', 'blocking'}
        How far an exit travels: not even out of the run loop, into the hypervisor's kernel, to
        its user space, or until somebody wakes the vCPU.
    where : str
        The vCPU that crosses; "" is the one that issued the request, or whose work it is.
    times : int
        How many of the same it stands for.
    """

    name: Crossing
    reason: str
    to: Target = "kernel"
    where: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Goes one of several ways, by chance; all that do not end meet again behind it.

    Attributes
    ----------
    branches : tuple of (float, Path)
        Each way and its weight.
    purpose : str
        Name of the random stream that decides.
    """

    branches: tuple[tuple[float, "Path"], ...]
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """Starts a side path: somebody's CPU, but not this request's latency.

    Attributes
    ----------
    name : str
        What it is counted under.
    path : Path
        Up to its own end.
    to : str
        Worker whose inbox it enters; if empty, it begins at a station or a device's doorbell.
    """

    name: str
    path: "Path"
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Rings several doorbells, one after the other, and waits until the last has been answered.

    Attributes
    ----------
    name : str
        What the answers are counted under.
    paths : tuple of Path
        Each begins with its `ring` and is answered at its `end`.
    account : str
        Ledger account of the wait.
    hold : {'async', 'block', 'spin'}
        What the worker does meanwhile.
    """

    name: str
    paths: tuple["Path", ...]
    account: str
    hold: Literal["async", "block", "spin"] = "spin"
    masked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """What one request does for all that its worker has gathered, where the others pass by.

    A driver that submits several commands writes the doorbell once, and its hypervisor takes them
    all in one exit; so the first brings about what all need, and the last ends it.

    Attributes
    ----------
    by : {'first', 'last'}
        Of those that were gathered in this turn; where none were, ``first`` is the one that its
        worker took first in this turn.
    path : Path
        Work and locks of the worker that holds the request, and side paths.
    """

    by: Literal["first", "last"]
    path: "Path"


Part: TypeAlias = Step | Transition | Choice | Spawn | Join | Once
Path: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """What ringing costs, and when it is seen, for one state of the consumer.

    Attributes
    ----------
    sender : Path
        Work the sender pays before the request is handed over.
    delay : float
        From the hand-over until the consumer notices, in ns, nobody's CPU.
    target : Path
        Work the consumer pays before it serves what it was told about.
    """

    sender: Path = ()
    delay: float = 0.0
    target: Path = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bell:
    """A doorbell: how work reaches a worker.

    Attributes
    ----------
    name : str
    to : str
        Consumer: a worker, or ``"vcpu.interrupt"`` for its interrupt level.
    rule : {'always', 'event-index', 'moderated', 'unless-idle', 'unless-absent', 'batch',
            're-enabled'}
        Whether it rings: always, when the index the consumer published is crossed, or `timer`
        after the first entry it has not told of and at the latest with the `count`-th. The calls
        of a `Join` may spare a vCPU that idles, or has no pCPU: it flushes when it runs again.
        Once for all that is handed over together at the end of a batch (its rings are deferred).
        As by event index, of a consumer that publishes it anew when it begins to poll.
    costs : mapping of consumer state to Ringing
        States that are not named cost nothing.
    counts : str
        Counter that moves by one when it rings.
    timer : float
        Longest delay of a moderated signal, in ns.
    count : int
        Entries that a moderated doorbell tells of at once; 0 is no limit.
    """

    name: str
    to: str
    rule: Rule
    costs: Mapping[ConsumerState, Ringing]
    counts: str = ""
    timer: float = 0.0
    count: int = 0


def work(
    where: str,
    ns: float,
    account: str,
    *,
    masked: bool = False,
    counts: str = "",
    times: int = 1,
) -> Step:
    """Return a step of `ns` nanoseconds on the worker `where`."""
    return Step(
        kind="work",
        where=where,
        cost=Deterministic(ns),
        account=account,
        masked=masked,
        counts=counts,
        times=times,
    )


def lock(where: str, *, masked: bool = True) -> Step:
    """Return a step that takes the lock `where`; unless `masked`, its wait may be interrupted."""
    return Step(kind="lock", where=where, masked=masked)


def unlock(where: str) -> Step:
    """Return a step that releases the lock `where`."""
    return Step(kind="unlock", where=where, masked=True)


def take(where: str, *, otherwise: Path = (), counts: str = "") -> Step:
    """Return a step that takes a credit of `where`, waits for one, or goes another way."""
    return Step(kind="take", where=where, otherwise=otherwise, counts=counts)


def give(where: str) -> Step:
    """Return a step that returns a credit of `where`."""
    return Step(kind="give", where=where)


def serve(
    where: str, cost: Distribution, account: str, *, purpose: str = "", hold: Hold = "async"
) -> Step:
    """Return a stay at the station `where`."""
    return Step(kind="serve", where=where, cost=cost, account=account, purpose=purpose, hold=hold)


def ring(where: str, *, hold: Hold = "async") -> Step:
    """Return a step that rings the doorbell `where` and hands the request on."""
    return Step(kind="ring", where=where, hold=hold)


def gather() -> Step:
    """Return a step that waits until its worker has taken all that it takes in this turn."""
    return Step(kind="gather", hold="defer")


def end(outcome: str = "", *, counts: str = "") -> Step:
    """Return the step that finishes a request; with an `outcome`, one that did not succeed."""
    return Step(kind="end", outcome=outcome, counts=counts)


def leave(reason: str, to: Target, *, where: str = "", times: int = 1) -> Transition:
    """Return an exit of the guest for `reason` that travels as far as `to`, and the way back."""
    return Transition(name="exit", reason=reason, to=to, where=where, times=times)


def interprocessor(reason: str) -> Transition:
    """Return the sending of an inter-processor interrupt."""
    return Transition(name="ipi", reason=reason)


def rearm() -> Transition:
    """Return the arming of the guest's next timer tick."""
    return Transition(name="timer", reason="timer")


def switch_process() -> Transition:
    """Return the switch of a vCPU to another process of its guest."""
    return Transition(name="switch", reason="process")


def renamed(path: Path, names: Mapping[str, str]) -> Path:
    """Return a path with its local names replaced by those that they stand for."""
    return tuple(_renamed(part, names) for part in path)


def _renamed(part: Part, names: Mapping[str, str]) -> Part:
    if isinstance(part, Choice):
        ways = tuple((weight, renamed(way, names)) for weight, way in part.branches)
        return replace(part, branches=ways)
    if isinstance(part, Spawn):
        return replace(part, path=renamed(part.path, names), to=names.get(part.to, part.to))
    if isinstance(part, Join):
        return replace(part, paths=tuple(renamed(path, names) for path in part.paths))
    if isinstance(part, Once):
        return replace(part, path=renamed(part.path, names))
    if isinstance(part, Transition):
        where = part.where or "vcpu"
        return replace(part, where=names.get(where, where))
    where = names.get(part.where, part.where)
    return replace(part, where=where, otherwise=renamed(part.otherwise, names))


def continued(path: Path, further: Path) -> Path:
    """Return a path that goes on with `further` where it would end, on every way of its own.

    Ends with an outcome of their own stay ends.
    """
    ways = tuple(
        replace(part, otherwise=continued(part.otherwise, further))
        if isinstance(part, Step) and part.otherwise
        else part
        for part in path
    )
    last = ways[-1]
    if isinstance(last, Step) and last.kind == "end" and not last.outcome:
        return (*ways[:-1], *further)
    return ways
