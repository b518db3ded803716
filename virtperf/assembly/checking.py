"""Walks a path once by name, before it is laid: who holds the request, which locks and credits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from virtperf.assembly.book import Book
from virtperf.errors import ParameterError
from virtperf.path import Choice, Join, Once, Path, Spawn, Step
from virtperf.tables import NONE, StationKind

_ON_A_WORKER = ("work", "lock", "unlock")


@dataclass(frozen=True, slots=True)
class Hands:
    """Where a request is: in which inbox's turn (NONE: at a station), with what in its hands.

    `once` is None before it is gathered there; then what has been done once for all: by whom, and
    which locks were held behind it. `bound` says that the last of them releases one: until then the
    others hold it, and must be handed on.
    """

    inbox: int = NONE
    locks: frozenset[str] = frozenset()
    credits: Counter[str] = field(default_factory=Counter)
    once: tuple[tuple[str, frozenset[str]], ...] | None = None
    bound: bool = False


class Checker:
    """Checks the paths of one owner.

    Raises
    ------
    ParameterError
        From every method: the step that makes no sense, in the owner's name.
    """

    def __init__(self, book: Book, owner: str, names: Mapping[str, str]) -> None:
        self.book, self.owner, self.names = book, owner, names

    def whole(self, path: Path, to: str) -> None:
        """Check a path that begins in inbox `to`, or, if empty, at a station."""
        inbox = self.book.find("inbox", to, self.owner) if to else NONE
        self._finished(path, Hands(inbox))

    def _finished(self, path: Path, hands: Hands) -> None:
        """Check a path that must reach an end."""
        left = self._walk(path, hands)
        if left is not None:
            last = path[-1] if path else None
            raise self._wrong("finished by an end step", getattr(last, "kind", last))

    def _walk(self, path: Path, hands: Hands) -> Hands | None:
        """Return what a request holds after `path`; None if it has ended."""
        at: Hands | None = hands
        for part in path:
            if at is None:
                raise self._wrong("over at its end", getattr(part, "kind", type(part).__name__))
            if at.bound and not _hands_on(part):
                raise self._wrong("handed on behind a lock that the last releases for all", part)
            if isinstance(part, Choice):
                at = self._choice(part, at)
            elif isinstance(part, Spawn):
                at = self._spawn(part, at)
            elif isinstance(part, Join):
                self._join(part, at)
            elif isinstance(part, Once):
                at = self._once(part, at)
            else:
                assert isinstance(part, Step), "transitions are expanded"
                at = self._step(part, at)
        return at

    # -- parts ------------------------------------------------------------------------------

    def _step(self, step: Step, at: Hands) -> Hands | None:
        where = self.names.get(step.where, step.where)
        if step.kind in _ON_A_WORKER:
            return self._on_a_worker(step, where, at)
        if step.kind in ("take", "give"):
            return self._credit(step, where, at)
        if step.hold in ("block", "spin"):
            self._need_worker(at, f"{step.hold} by a worker", step.where)
            return at
        if step.kind == "gather":
            return self._gather(at)
        if at.once is not None and self.book.once.setdefault(at.inbox, at.once) != at.once:
            raise self._wrong("the same, done once, for all that a worker gathers", at.once)
        if at.locks:
            raise self._wrong("handed on without locks", min(at.locks))
        if step.kind == "end":
            if +at.credits:
                raise self._wrong("ended with every credit given back", min(+at.credits))
            return None
        if step.kind == "serve":
            self._station(where, StationKind.SERVERS)
            return Hands(credits=at.credits)
        return Hands(self.book.bells[self._bell(where)].inbox, credits=at.credits)

    def _gather(self, at: Hands) -> Hands:
        self._need_worker(at, "gathered by a worker", "gather")
        if at.once is not None:
            raise self._wrong("gathered once in a turn", "twice")
        if at.locks:
            raise self._wrong("gathered without locks", min(at.locks))
        return replace(at, once=())

    def _once(self, once: Once, at: Hands) -> Hands:
        """Check what one request does for all: it hands on none of them."""
        if at.once is None and once.by == "last":
            raise self._wrong("gathered before the last one does something for all", once.by)
        left = self._walk(once.path, at)
        if left is None or (left.inbox, left.credits) != (at.inbox, at.credits):
            raise self._wrong("in the same hands behind what is done once", once.by)
        if at.once is None:
            if left.locks != at.locks:
                raise self._wrong("gathered before one takes a lock for all", once.by)
            return left
        bound = bool(at.locks - left.locks)
        return replace(left, once=(*at.once, (once.by, left.locks)), bound=bound)

    def _on_a_worker(self, step: Step, where: str, at: Hands) -> Hands:
        self._need_worker(at, f"{step.kind} on a worker", step.where)
        holder = self.book.workers[self.book.inboxes[at.inbox].worker].name
        if step.kind == "work":
            if where != holder:
                self.book.find("worker", where, self.owner)
                raise self._wrong(f"work on {holder}, who holds it", where)
            return at
        number = self._station(where, StationKind.LOCK)
        if step.kind == "unlock":
            if where not in at.locks:
                raise self._wrong("unlocking what it has locked", where)
            return replace(at, locks=at.locks - {where})
        if where in at.locks or self.book.inboxes[at.inbox].lock == number:
            raise self._wrong(f"free of a lock taken twice by {holder}", where)
        return replace(at, locks=at.locks | {where})

    def _credit(self, step: Step, where: str, at: Hands) -> Hands:
        self._station(where, StationKind.CREDIT)
        if step.kind == "give":
            if not at.credits[where]:
                raise self._wrong("giving back what it has taken", where)
            return replace(at, credits=at.credits - Counter([where]))
        if at.locks and not step.otherwise:
            raise self._wrong("waiting for credits without locks", min(at.locks))
        if step.otherwise:
            self._finished(step.otherwise, at)
        return replace(at, credits=at.credits + Counter([where]))

    def _choice(self, choice: Choice, at: Hands) -> Hands | None:
        if not choice.branches or not all(weight > 0 for weight, _ in choice.branches):
            raise self._wrong("choosing by weights above 0", choice.purpose)
        ways = [self._walk(way, at) for _, way in choice.branches]
        going_on = [way for way in ways if way is not None]
        if any(way != going_on[0] for way in going_on):
            raise self._wrong("the same after every branch: holder, locks, credits", choice.purpose)
        return going_on[0] if going_on else None

    def _spawn(self, spawn: Spawn, at: Hands) -> Hands:
        """Check a side path, which may give back what the request took."""
        to = self.names.get(spawn.to, spawn.to)
        inbox = self.book.find("inbox", to, self.owner) if to else NONE
        lent = Counter(_gives(spawn.path, self.names)) & at.credits
        self._finished(spawn.path, Hands(inbox, credits=lent))
        return replace(at, credits=at.credits - lent)

    def _join(self, join: Join, at: Hands) -> None:
        self._need_worker(at, "a join on a worker", join.name)
        if self.book.inboxes[at.inbox].level:  # as kernels forbid: two such would wait for ever
            raise self._wrong("a join outside of interrupts", join.name)
        if not join.paths:
            raise self._wrong("a join of at least one doorbell", join.name)
        if at.locks and join.hold == "async":
            raise self._wrong("handed on without locks", min(at.locks))
        for path in join.paths:
            if not path or not isinstance(path[0], Step) or path[0].kind != "ring":
                raise self._wrong("a join of paths that begin with their doorbell", join.name)
            self._finished(path, Hands(at.inbox))

    # -- words ------------------------------------------------------------------------------

    def _station(self, where: str, kind: StationKind) -> int:
        number = self.book.find("station", where, self.owner)
        if self.book.stations[number].kind != kind:
            raise self._wrong(f"naming a {kind.name.lower()} station here", where)
        return number

    def _bell(self, where: str) -> int:
        return self.book.find("bell", where, self.owner)

    def _need_worker(self, at: Hands, must: str, where: str) -> None:
        if at.inbox == NONE:
            raise self._wrong(must, where)

    def _wrong(self, must: str, got: object) -> ParameterError:
        return ParameterError(self.owner, "path", must, got)


def _hands_on(part: object) -> bool:
    """Whether a part hands a request on, or does nothing on the way there."""
    if not isinstance(part, Step):
        return isinstance(part, Spawn)
    if part.kind == "serve":
        return part.hold in ("async", "defer")
    return part.kind in ("ring", "give", "end")


def takes_time(path: Path) -> bool:
    """Whether some way through `path` takes time, so that not all requests take none."""
    return any(
        any(takes_time(way) for _, way in part.branches)
        if isinstance(part, Choice)
        else takes_time(part.path)
        if isinstance(part, Once)
        else isinstance(part, Step) and part.kind in ("work", "serve") and part.cost.mean > 0
        for part in path
    )


def refuse_endless(owner: str, kind: str, path: Path) -> None:
    """Refuse a path that a closed source without think times could take for ever in no time.

    Raises
    ------
    ParameterError
    """
    if not takes_time(path):
        raise ParameterError(owner, "path", "taking time, as nobody thinks", kind)
    if drops_at_once(path):
        raise ParameterError(owner, "think", "above 0 where requests may be dropped at once", 0)


def drops_at_once(path: Path) -> bool:
    """Whether a request may be dropped for want of a credit before any time has passed."""
    for part in path:
        if isinstance(part, Choice):
            if any(drops_at_once(way) for _, way in part.branches):
                return True
            if all(takes_time(way) for _, way in part.branches):
                return False
        elif isinstance(part, Once):
            if drops_at_once(part.path):
                return True
        elif isinstance(part, Step) and part.otherwise and not takes_time(part.otherwise):
            return True
        elif isinstance(part, Step) and takes_time((part,)):
            return False
    return False


def _gives(path: Path, names: Mapping[str, str]) -> list[str]:
    """Return the credits that a side path gives back beyond those it takes."""
    net: Counter[str] = Counter()
    for part in path:
        if isinstance(part, Step) and part.kind in ("take", "give"):
            net[names.get(part.where, part.where)] += 1 if part.kind == "give" else -1
    return list((+net).elements())
