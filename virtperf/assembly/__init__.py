"""Puts a system together from named parts: rows are numbered, names resolved, mistakes refused."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from virtperf.assembly.numbering import Names, draw_row
from virtperf.dist import Deterministic, Distribution
from virtperf.errors import ParameterError
from virtperf.path import CONSUMER_STATES, Bell, Path, Ringing, Step, Transition
from virtperf.tables import (
    NONE,
    BellRow,
    ClassRow,
    DrawRow,
    InboxRow,
    Kind,
    Policy,
    PoolRow,
    Rule,
    Sequence,
    SourceRow,
    StationKind,
    StationRow,
    StepRow,
    System,
    WorkerRow,
    WorkerState,
)
from virtperf.units import ticks

Expand = Callable[[Transition, str], tuple[Step, ...]]
POLICIES = {"round-robin": Policy.ROUND_ROBIN, "pinned": Policy.PINNED}
RULES = {"always": Rule.ALWAYS, "event-index": Rule.EVENT_INDEX}
KINDS = {kind.name.lower(): kind for kind in Kind}
IDLE, SWITCH = "idle", "host: switch"


def _no_transitions(transition: Transition, where: str) -> tuple[Step, ...]:
    raise ParameterError("path", where, "free of transitions without a CPU technique", transition)


class Assembly:
    """Collects the parts of a system; `system` returns the tables.

    Parameters
    ----------
    name : str
    pcpus : int
        Physical CPUs.
    policy : {'round-robin', 'pinned'}
    slice_ns, switch_ns : float
        Longest run while others wait, and the cost of putting another worker on a pCPU.

    Raises
    ------
    ParameterError
        From every method: a part that names something unknown, or makes no sense.
    """

    def __init__(
        self,
        name: str,
        *,
        pcpus: int = 1,
        policy: str = "round-robin",
        slice_ns: float = 3e6,
        switch_ns: float = 0.0,
    ) -> None:
        if switch_ns >= slice_ns:
            raise ParameterError("pool", "slice", "longer than a switch", slice_ns)
        self.name = name
        self._accounts, self._counters, self._groups = Names(), Names(), Names()
        self._workers: list[WorkerRow] = []
        self._inboxes: list[InboxRow] = []
        self._stations: list[StationRow] = []
        self._bells: list[BellRow] = []
        self._sources: list[SourceRow] = []
        self._classes: list[ClassRow] = []
        self._steps: list[StepRow] = []
        self._draws: list[DrawRow] = []
        self._values: list[float] = []
        self._weights: list[float] = []
        self._index: dict[str, dict[str, int]] = {
            kind: {} for kind in ("worker", "inbox", "station", "bell", "source")
        }
        self._pool = PoolRow(
            pcpus=pcpus,
            policy=POLICIES[policy],
            slice=ticks(slice_ns),
            switch=ticks(switch_ns),
            switch_account=self._accounts.number(SWITCH),
            idle_account=self._accounts.number(IDLE),
        )

    # -- parts ------------------------------------------------------------------------------

    def worker(
        self,
        name: str,
        role: str,
        *,
        wake: Path = (),
        prologue: Path = (),
        epilogue: Path = (),
        pickup: Path = (),
        batch: int = 0,
        poll_ns: float = 0.0,
        poll_start_ns: float = 0.0,
        lock: str = "",
        expand: Expand = _no_transitions,
    ) -> None:
        """Add a thread and its ordinary level; a poll window with a start adapts itself."""
        index = len(self._workers)
        waits = {
            WorkerState.ASLEEP: f"wait: wake-up of {role}",
            WorkerState.READY: f"wait: CPU for {role}",
            WorkerState.RUNNING: f"wait: {role} busy",
            WorkerState.INTERRUPT: f"wait: interrupts on {role}",
            WorkerState.BLOCKED: f"wait: {role} blocked",
            WorkerState.SWITCHING: f"wait: switch to {role}",
            WorkerState.POLLING: f"wait: wake-up of {role}",
        }
        self._index["worker"][name] = index
        self._workers.append(
            WorkerRow(
                name=name,
                role=role,
                pin=index % self._pool.pcpus,
                inbox=len(self._inboxes),
                interrupt=NONE,
                wake=self._sequence(wake, name, expand),
                waits=tuple(self._accounts.number(waits[state]) for state in WorkerState),
                batch_account=self._accounts.number("wait: batch"),
                poll_account=self._accounts.number(f"{role}: polling"),
            )
        )
        self._inbox(
            InboxRow(
                name=name,
                worker=index,
                level=0,
                batch=batch,
                prologue=self._sequence(prologue, name, expand),
                epilogue=self._sequence(epilogue, name, expand),
                pickup=self._sequence(pickup, name, expand),
                lock=self._find("station", lock, name) if lock else NONE,
                poll=ticks(poll_ns),
                poll_start=ticks(poll_start_ns),
            )
        )

    def interrupt_level(
        self,
        worker: str,
        *,
        prologue: Path = (),
        epilogue: Path = (),
        batch: int = 0,
        expand: Expand = _no_transitions,
    ) -> None:
        """Give a worker an interrupt level, named ``<worker>.interrupt``."""
        index = self._find("worker", worker, self.name)
        self._workers[index] = replace(self._workers[index], interrupt=len(self._inboxes))
        nothing = self._sequence((), worker, expand)
        self._inbox(
            InboxRow(
                name=f"{worker}.interrupt",
                worker=index,
                level=1,
                batch=batch,
                prologue=self._sequence(prologue, worker, expand),
                epilogue=self._sequence(epilogue, worker, expand),
                pickup=nothing,
                lock=NONE,
                poll=0,
            )
        )

    def _inbox(self, row: InboxRow) -> None:
        self._index["inbox"][row.name] = len(self._inboxes)
        self._inboxes.append(row)

    def station(self, name: str, servers: int, *, called: str = "device") -> None:
        """Add a station of `servers` servers in parallel, first come first served."""
        if servers < 1:
            raise ParameterError(name, "servers", "at least 1", servers)
        self._station(name, StationKind.SERVERS, servers, 0.0, f"wait: {called}")

    def lock(self, name: str, *, called: str, wake_ns: float) -> None:
        """Add a lock; a waiter tries again `wake_ns` after a release."""
        self._station(name, StationKind.LOCK, 1, wake_ns, f"wait: {called}")

    def _station(self, name: str, kind: int, servers: int, wake_ns: float, wait: str) -> None:
        self._index["station"][name] = len(self._stations)
        wait_account = self._accounts.number(wait)
        self._stations.append(
            StationRow(
                name=name,
                kind=kind,
                servers=servers,
                wake=ticks(wake_ns),
                wait_account=wait_account,
            )
        )

    def bell(
        self, name: str, bell: Bell, *, to: str, sender: str, expand: Expand = _no_transitions
    ) -> None:
        """Add a doorbell to the inbox `to`; `sender` is the worker that rings, "" a device."""
        inbox = self._find("inbox", to, name)
        costs = [bell.costs.get(state, Ringing()) for state in CONSUMER_STATES]
        if not sender and any(cost.sender for cost in costs):
            raise ParameterError(name, "costs", "free for the sender, which is no worker", sender)
        target = self._workers[self._inboxes[inbox].worker].name
        self._index["bell"][name] = len(self._bells)
        self._bells.append(
            BellRow(
                name=name,
                inbox=inbox,
                rule=RULES[bell.rule],
                counter=self._counters.number(bell.counts) if bell.counts else NONE,
                pay=tuple(self._sequence(cost.sender, sender, expand) for cost in costs),
                delay=tuple(ticks(cost.delay) for cost in costs),
                debt=tuple(self._sequence(cost.target, target, expand) for cost in costs),
            )
        )

    def source(
        self,
        name: str,
        classes: Mapping[str, tuple[float, Path]],
        *,
        to: str = "",
        outstanding: int = 0,
        think: Distribution | None = None,
        gap: Distribution | None = None,
        names: Mapping[str, str] | None = None,
        group: str = "",
        expand: Expand = _no_transitions,
    ) -> None:
        """Add a job.

        Parameters
        ----------
        name : str
        classes : mapping
            Kind of request to (weight, path).
        to : str
            Worker that takes new requests; "" for a path that begins at a station.
        outstanding : int
            Requests of a closed source in flight; 0 for an open one.
        think, gap : Distribution, optional
            Pause of a closed source; time between arrivals of an open one.
        names : mapping, optional
            What local names of the paths stand for.
        group : str
            Prefix of the groups the requests are observed under.
        """
        if (outstanding < 1) == (gap is None):
            raise ParameterError(name, "outstanding", "at least 1, or a gap given", outstanding)
        local = dict(names or {})
        slots: dict[str, int] = {}
        first_draw, first_class = len(self._draws), len(self._classes)
        for kind, (weight, path) in classes.items():
            steps = self._checked(name, _expanded(path, expand), local, to)
            first = self._lay(steps, local, slots)
            observed = self._groups.number(f"{group} {kind}".strip())
            self._classes.append(ClassRow(name=kind, group=observed, weight=weight, path=first))
        draws = Sequence(first_draw, len(self._draws))
        self._index["source"][name] = len(self._sources)
        self._sources.append(
            SourceRow(
                name=name,
                outstanding=outstanding,
                think=self._draw("think", think) if _positive(think) else NONE,
                gap=self._draw("gap", gap) if gap is not None else NONE,
                inbox=self._find("inbox", to, name) if to else NONE,
                classes=Sequence(first_class, len(self._classes)),
                draws=draws,
            )
        )

    def system(self) -> System:
        """Return the tables."""
        if not self._sources:
            raise ParameterError(self.name, "sources", "at least one", 0)
        return System(
            name=self.name,
            accounts=tuple(self._accounts),
            counters=tuple(self._counters),
            groups=tuple(self._groups),
            pool=self._pool,
            workers=tuple(self._workers),
            inboxes=tuple(self._inboxes),
            stations=tuple(self._stations),
            bells=tuple(self._bells),
            sources=tuple(self._sources),
            classes=tuple(self._classes),
            steps=tuple(self._steps),
            draws=tuple(self._draws),
            values=tuple(self._values),
            weights=tuple(self._weights),
        )

    # -- steps ------------------------------------------------------------------------------

    def _find(self, kind: str, name: str, owner: str) -> int:
        index = self._index[kind]
        if name not in index:
            raise ParameterError(owner, kind, f"one of {', '.join(index) or 'none'}", name)
        return index[name]

    def _draw(self, purpose: str, cost: Distribution | None) -> int:
        assert cost is not None
        self._draws.append(draw_row(purpose, cost, self._values, self._weights))
        return len(self._draws) - 1

    def _sequence(self, path: Path, where: str, expand: Expand) -> Sequence:
        """Lay a range of plain work on one worker."""
        first = len(self._steps)
        for step in _expanded(path, expand, where):
            if step.kind != "work" or not isinstance(step.cost, Deterministic):
                raise ParameterError(where, "overhead", "work of a fixed length", step)
            if ticks(step.cost.value) or step.counts:
                self._steps.append(self._row(step, NONE, NONE))
        return Sequence(first, len(self._steps))

    def _lay(self, steps: Iterable[Step], names: Mapping[str, str], slots: dict[str, int]) -> int:
        first = len(self._steps)
        for step in steps:
            target = NONE
            if step.kind in ("lock", "unlock", "serve"):
                target = self._find("station", names.get(step.where, step.where), step.where)
            elif step.kind == "ring":
                target = self._find("bell", names.get(step.where, step.where), step.where)
            slot = NONE
            if not isinstance(step.cost, Deterministic):
                if step.purpose not in slots:
                    slots[step.purpose] = len(slots)
                    self._draw(step.purpose, step.cost)
                slot = slots[step.purpose]
            self._steps.append(self._row(step, target, slot))
        return first

    def _row(self, step: Step, target: int, slot: int) -> StepRow:
        cost = step.cost.value if isinstance(step.cost, Deterministic) else 0.0
        return StepRow(
            kind=KINDS[step.kind],
            ticks=ticks(cost),
            draw=slot,
            account=self._accounts.number(step.account) if step.account else NONE,
            target=target,
            defer=int(step.hold == "defer"),
            masked=int(step.masked),
            counter=self._counters.number(step.counts) if step.counts else NONE,
        )

    def _checked(
        self, source: str, steps: list[Step], names: Mapping[str, str], to: str
    ) -> list[Step]:
        """Walk the path once by name: who holds the request must be who the step says."""
        if not steps or steps[-1].kind != "end":
            raise ParameterError(source, "path", "finished by an end step", len(steps))
        holder, held = to, set[str]()
        for step in steps:
            where = names.get(step.where, step.where)
            if step.kind in ("work", "lock", "unlock") and not holder:
                raise ParameterError(source, "path", f"{step.kind} on a worker", step.where)
            if step.kind == "work" and where != holder:
                raise ParameterError(source, "path", f"work on {holder}, who holds it", where)
            if step.kind == "lock" and where in held:
                raise ParameterError(source, "path", "free of a lock taken twice", where)
            if step.kind == "lock":
                held.add(where)
            elif step.kind == "unlock":
                held.discard(where)
            elif step.kind in ("serve", "ring", "end"):
                if held:
                    raise ParameterError(source, "path", "handed on without locks", min(held))
                holder = self._next_holder(step, where)
        return steps

    def _next_holder(self, step: Step, where: str) -> str:
        if step.kind != "ring":
            return ""
        bell = self._bells[self._find("bell", where, step.where)]
        return self._workers[self._inboxes[bell.inbox].worker].name


def _positive(cost: Distribution | None) -> bool:
    return cost is not None and cost.mean > 0


def _expanded(path: Path, expand: Expand, where: str = "vcpu") -> list[Step]:
    steps: list[Step] = []
    for part in path:
        steps.extend([part] if isinstance(part, Step) else expand(part, where))
    return steps
