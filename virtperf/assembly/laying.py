"""Lays the paths of one source into the step table: branches, ways out, side paths, answers."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from virtperf.assembly.book import HOLDS, Book
from virtperf.assembly.checking import Checker
from virtperf.dist import Deterministic
from virtperf.errors import ParameterError
from virtperf.path import Choice, Join, Once, Path, Spawn, Step, Transition
from virtperf.tables import (
    NONE,
    ClassRow,
    DrawKind,
    DrawRow,
    Edge,
    Kind,
    Rule,
    Sequence,
    StepRow,
)

Expand = Callable[[Transition, str], tuple[Step, ...]]
_STATIONS = ("lock", "unlock", "serve", "take", "give")


def expanded(path: Path, expand: Expand, where: str = "vcpu") -> Path:
    """Return `path` with every transition replaced by its steps, in all branches."""
    parts: list[Step | Choice | Spawn | Join | Once] = []
    for part in path:
        if isinstance(part, Transition):
            steps = expand(part, part.where or where)
            parts.extend(steps if part.times == 1 else (s.repeated(part.times) for s in steps))
        elif isinstance(part, Choice):
            ways = tuple((w, expanded(way, expand, where)) for w, way in part.branches)
            parts.append(replace(part, branches=ways))
        elif isinstance(part, Spawn | Once):
            parts.append(replace(part, path=expanded(part.path, expand, where)))
        elif isinstance(part, Join):
            paths = tuple(expanded(one, expand, where) for one in part.paths)
            parts.append(replace(part, paths=paths))
        elif part.otherwise:
            parts.append(replace(part, otherwise=expanded(part.otherwise, expand, where)))
        else:
            parts.append(part)
    return tuple(parts)


class Laying:
    """Lays what belongs to one source; its random times are numbered in the order of first use.

    Parameters
    ----------
    book : Book
    owner : str
        Source or timer, for messages.
    names : mapping
        What local names of the paths stand for.
    expand : callable
        Expands a transition.
    random : bool
        Whether steps may draw; a timer's may not.
    """

    def __init__(
        self,
        book: Book,
        owner: str,
        names: Mapping[str, str],
        expand: Expand,
        *,
        random: bool = True,
    ) -> None:
        self.book, self.owner, self.names, self.random = book, owner, names, random
        self.expand = expand
        self.slots: dict[str, int] = {}
        self._later: list[Callable[[], None]] = []

    def path(self, path: Path, to: str) -> int:
        """Check and lay a path that begins in inbox `to`; return its first step."""
        return self._lay(self.checked(path, to))

    def checked(self, path: Path, to: str) -> Path:
        """Return a path that begins in inbox `to`, with its transitions expanded."""
        whole = expanded(path, self.expand)
        Checker(self.book, self.owner, self.names).whole(whole, to)
        return whole

    def finish(self) -> None:
        """Lay what hangs on the paths so far: ways out, side paths, answers."""
        while self._later:
            self._later.pop(0)()

    # -- parts ------------------------------------------------------------------------------

    def _lay(self, path: Path) -> int:
        first = len(self.book.steps)
        for part in path:
            if isinstance(part, Choice):
                self._choice(part)
            elif isinstance(part, Spawn):
                self._spawn(part)
            elif isinstance(part, Join):
                self._join(part)
            elif isinstance(part, Once):
                self._once(part)
            else:
                assert isinstance(part, Step), "transitions are expanded"
                self._step(part)
        return first

    def _step(self, step: Step) -> None:
        book, target = self.book, NONE
        if step.kind in _STATIONS:
            target = book.find("station", self._name(step.where), self.owner)
        elif step.kind == "ring":
            target = book.find("bell", self._name(step.where), self.owner)
            if book.bells[target].rule == Rule.BATCH and step.hold != "defer":
                must = "defer, for its doorbell rings once for a batch"
                raise ParameterError(self.owner, step.where, must, step.hold)
        elif step.outcome:
            target = book.sides.number(step.outcome)
        slot = NONE
        if not isinstance(step.cost, Deterministic):
            slot = self._slot(step.purpose, lambda: book.draw(step.purpose, step.cost))
        number = self._append(book.step(step, target=target, draw=slot))
        if step.otherwise:
            self._later.append(lambda: self._patch(number, other=self._lay(step.otherwise)))

    def _choice(self, choice: Choice) -> None:
        """Lay a choice, a goto per branch, the branches, each with a goto to where they meet."""
        slot = self._slot(choice.purpose, lambda: self._chances(choice))
        self._append(_row(Kind.CHOOSE, draw=slot, other=len(choice.branches)))
        heads = [self._append(_row(Kind.GOTO)) for _ in choice.branches]
        exits = []
        for head, (_, way) in zip(heads, choice.branches, strict=True):
            self._patch(head, target=self._lay(way))
            exits.append(self._append(_row(Kind.GOTO)))
        for exit_ in exits:
            self._patch(exit_, target=len(self.book.steps))

    def _spawn(self, spawn: Spawn) -> None:
        number = self._append(_row(Kind.SPAWN))
        to = self._name(spawn.to)
        inbox = self.book.find("inbox", to, self.owner) if to else NONE
        self._later.append(
            lambda: self._patch(number, target=self.side(spawn.name, (spawn.path,), inbox))
        )

    def _once(self, once: Once) -> None:
        number = self._append(_row(Kind.ONCE, other=Edge[once.by.upper()]))
        self._lay(once.path)
        self._patch(number, target=len(self.book.steps))

    def _join(self, join: Join) -> None:
        account = self.book.accounts.number(join.account)
        row = _row(Kind.JOIN, account=account, other=len(join.paths))
        number = self._append(replace(row, hold=HOLDS[join.hold], masked=int(join.masked)))
        self._later.append(lambda: self._patch(number, target=self.side(join.name, join.paths)))

    def side(self, name: str, paths: tuple[Path, ...], inbox: int = NONE) -> int:
        """Add a side class per path, one after the other; return the number of the first."""
        classes = self.book.classes
        group, first = self.book.sides.number(name), len(classes)
        classes += [
            ClassRow(name=name, group=group, weight=0.0, path=NONE, inbox=inbox, side=1)
            for _ in paths
        ]
        for number, path in enumerate(paths, first):
            classes[number] = replace(classes[number], path=self._lay(path))
        return first

    # -- rows -------------------------------------------------------------------------------

    def _name(self, local: str) -> str:
        return self.names.get(local, local)

    def _append(self, row: StepRow) -> int:
        self.book.steps.append(row)
        return len(self.book.steps) - 1

    def _patch(self, number: int, **changes: int) -> None:
        self.book.steps[number] = replace(self.book.steps[number], **changes)

    def _slot(self, purpose: str, add: Callable[[], object]) -> int:
        if not self.random:
            raise ParameterError(self.owner, "path", "free of random times", purpose)
        if purpose not in self.slots:
            self.slots[purpose] = len(self.slots)
            add()
        return self.slots[purpose]

    def _chances(self, choice: Choice) -> None:
        book, first = self.book, len(self.book.values)
        book.values.extend(float(n) for n in range(len(choice.branches)))
        book.weights.extend(weight for weight, _ in choice.branches)
        points = Sequence(first, len(book.values))
        row = DrawRow(purpose=choice.purpose, kind=DrawKind.CHOICE, a=0.0, b=0.0, values=points)
        book.draws.append(row)


def _row(kind: Kind, *, draw: int = NONE, account: int = NONE, other: int = NONE) -> StepRow:
    """Return the row of a step that only steers; targets are patched in."""
    return StepRow(
        kind=kind,
        ticks=0,
        draw=draw,
        account=account,
        target=NONE,
        defer=0,
        masked=0,
        counter=NONE,
        other=other,
    )
