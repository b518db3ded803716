"""Puts a system together from named parts: rows are numbered, names resolved, mistakes refused."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from virtperf.assembly.book import Book
from virtperf.assembly.checking import refuse_endless
from virtperf.assembly.laying import Expand, Laying, expanded
from virtperf.assembly.polling import ACCOUNTS, PollKind, poll_row
from virtperf.assembly.scheduling import NO_EXITS, NO_LIMITS, Share, SpinExits, pool_row
from virtperf.assembly.translations import NO_TRANSLATIONS, Translations
from virtperf.dist import Cycle, Deterministic, Distribution
from virtperf.errors import ParameterError
from virtperf.path import CONSUMER_STATES, Bell, Path, Ringing, Step, Transition
from virtperf.rules.siblings import ALONE, elapsed
from virtperf.tables import (
    NONE,
    NOTHING,
    BellRow,
    ClassRow,
    Discipline,
    InboxRow,
    Rule,
    Sequence,
    SourceRow,
    StationKind,
    StationRow,
    System,
    TimerRow,
    WorkerRow,
    WorkerState,
)
from virtperf.units import ticks

RULES = {
    "always": Rule.ALWAYS,
    "event-index": Rule.EVENT_INDEX,
    "moderated": Rule.MODERATED,
    "unless-idle": Rule.UNLESS_IDLE,
    "unless-absent": Rule.UNLESS_ABSENT,
    "batch": Rule.BATCH,
    "re-enabled": Rule.RE_ENABLED,
}
DISCIPLINES = {kind.name.lower().replace("_", "-"): kind for kind in Discipline}


def _no_transitions(transition: Transition, where: str) -> tuple[Step, ...]:
    raise ParameterError("path", where, "free of transitions without a CPU technique", transition)


class Assembly:
    """Collects the parts of a system; `system` returns the tables.

    Parameters
    ----------
    name : str
    pcpus : int
        Physical CPUs.
    policy : str
        One of `scheduling.POLICIES`.
    slice_ns, switch_ns : float
        Longest run while others wait, and the cost of putting another worker on a pCPU.
    tick_ns, period_ns : float
        How often the policy looks at each pCPU, and how often it hands out; 0 never.
    constants : mapping of str to int, optional
        Other numbers that the policy asks for, times in ticks.
    sharing : float
        Speed of each of a core's two threads while both are busy, in parts of what one has alone;
        pCPUs 2k and 2k + 1 are the threads of a core. 0: each pCPU is a core.

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
        tick_ns: float = 0.0,
        period_ns: float = 0.0,
        constants: Mapping[str, int] | None = None,
        sharing: float = 0.0,
    ) -> None:
        self.name = name
        self._book = Book()
        self._pool = pool_row(
            self._book,
            policy,
            pcpus=pcpus,
            slice_ns=slice_ns,
            switch_ns=switch_ns,
            tick_ns=tick_ns,
            period_ns=period_ns,
            constants=constants or {},
            sharing=sharing,
        )

    # -- workers ----------------------------------------------------------------------------

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
        poll: PollKind = "event-loop",
        poll_ns: float = 0.0,
        poll_start_ns: float = 0.0,
        poll_grow: int = 2,
        poll_shrink: int = 0,
        lock: str = "",
        slice_ns: float = 0.0,
        switch: Path = (),
        host_interrupts_of: int | None = None,
        share: Share = NO_LIMITS,
        flush_ns: float = 0.0,
        refill_ns: float = 0.0,
        forgets_ns: float = 0.0,
        tlb: Translations | None = None,
        pauses: SpinExits | None = None,
        kick: Path = (),
        expand: Expand = _no_transitions,
    ) -> None:
        """Add a thread and its ordinary level.

        Parameters
        ----------
        name, role : str
        wake, prologue, epilogue, pickup : Path
            Work when woken, at the start of a turn, after a batch, when polling found something.
        batch : int
            Requests per turn at most; 0 is no limit.
        poll : {'event-loop', 'halt', 'guest', 'endless'}
            Who polls: the thread itself, a vCPU's host, or its guest; or a thread that never
            sleeps, and has no window.
        poll_ns, poll_start_ns, poll_grow, poll_shrink : float, int
            Longest window before it sleeps; one with a start adapts itself, by factor and divisor.
        lock : str
            Lock held for whole turns.
        slice_ns, switch : float, Path
            Of a vCPU with several tasks: longest run of one while others wait, 0 to the end of
            its turn; work when another one goes on.
        host_interrupts_of : int, optional
            Makes it the interrupt work of the host on that pCPU, above all threads there.
        share : Share
            What the policy may give it.
        flush_ns : float
            Part of the switch to it after a call that spared it.
        refill_ns, forgets_ns : float
            Time to load all it works with into the pCPU's caches, and how long others must run
            there until nothing of it is left.
        tlb : Translations, optional
            What it must walk for again after others ran there.
        pauses : SpinExits, optional
            Makes it a vCPU that leaves its guest when it spins for long.
        kick : Path
            Work when it releases a paravirtual lock to a vCPU that sleeps.
        """
        book, index = self._book, len(self._book.workers)
        changes = self._sequence(switch, name, expand)
        paid = sum(step.ticks for step in book.steps[slice(*changes)])
        if 0 < ticks(slice_ns) <= paid:
            raise ParameterError(name, "slice", "longer than a process switch", slice_ns)
        pin = index if host_interrupts_of is None else host_interrupts_of
        if not 0 <= pin % self._pool.pcpus == pin and host_interrupts_of is not None:
            raise ParameterError(name, "pCPU", f"below {self._pool.pcpus}", host_interrupts_of)
        tlb = NO_TRANSLATIONS if tlb is None else tlb.checked(name)
        comes = ticks(refill_ns) + ticks(flush_ns) + ticks(tlb.walks_ns) + self._pool.switch
        if elapsed(comes, self._pool.sharing or ALONE) >= self._pool.slice:
            raise ParameterError(name, "refill", "with a switch shorter than a slice", refill_ns)
        exits = NO_EXITS if pauses is None else pauses.checked(name)
        if lock and self._discipline(lock, name) == Discipline.PARAVIRTUAL:
            raise ParameterError(name, "lock", "no paravirtual one, for it is held by turns", lock)
        book.enter("worker", name, index)
        waits = _waits(role)
        wake_group = NONE
        if host_interrupts_of is None:
            wake_group = book.wakes.number(f"{share.domain} {role}".strip())
        polls = poll_row(
            book, name, poll, poll_ns, start_ns=poll_start_ns, grow=poll_grow, shrink=poll_shrink
        )
        book.workers.append(
            WorkerRow(
                name=name,
                role=role,
                pin=pin % self._pool.pcpus,
                inbox=len(book.inboxes),
                interrupt=NONE,
                wake=self._sequence(wake, name, expand),
                waits=tuple(book.accounts.number(waits[state]) for state in WorkerState),
                batch_account=book.accounts.number("wait: batch"),
                poll_account=book.accounts.number(f"{role}: {ACCOUNTS[poll]}"),
                spin_account=book.accounts.number(f"{role}: spinning"),
                pickup=self._sequence(pickup, name, expand),
                poll=polls,
                host=int(host_interrupts_of is not None),
                slice=ticks(slice_ns),
                switch=changes,
                domain=book.domains.number(share.domain) if share.domain else NONE,
                weight=share.weight,
                cap=share.cap,
                affinity=share.affinity_of(name, self._pool.pcpus),
                flush=ticks(flush_ns),
                refill=ticks(refill_ns),
                forgets=max(1, ticks(forgets_ns)),
                refill_account=self._refill_account(role, refill_ns, tlb.walks_ns),
                walks=ticks(tlb.walks_ns),
                entries=tlb.entries,
                pages=tlb.pages,
                room=tlb.room,
                touches=max(1, ticks(tlb.touches_ns)),
                tagged=int(tlb.tagged),
                wake_group=wake_group,
                pause=self._sequence(exits.cost, name, expand),
                pause_window=ticks(exits.window_ns),
                pause_grow=exits.grow,
                directed=int(exits.directed),
                kick=self._sequence(kick, name, expand),
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
                lock=book.find("station", lock, name) if lock else NONE,
            )
        )

    def task(self, name: str, worker: str, *, batch: int = 0) -> None:
        """Add a task, a process or kernel thread, that the guest runs on the vCPU `worker`."""
        self._plain_inbox(name, self._book.find("worker", worker, name), level=0, batch=batch)

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
        index, workers = self._book.find("worker", worker, self.name), self._book.workers
        workers[index] = replace(workers[index], interrupt=len(self._book.inboxes))
        before = self._sequence(prologue, worker, expand)
        after = self._sequence(epilogue, worker, expand)
        self._plain_inbox(f"{worker}.interrupt", index, 1, batch, prologue=before, epilogue=after)

    def _plain_inbox(
        self,
        name: str,
        worker: int,
        level: int,
        batch: int,
        prologue: Sequence = NOTHING,
        epilogue: Sequence = NOTHING,
    ) -> None:
        """Add an inbox without a lock."""
        self._inbox(
            InboxRow(
                name=name,
                worker=worker,
                level=level,
                batch=batch,
                prologue=prologue,
                epilogue=epilogue,
                lock=NONE,
            )
        )

    def _inbox(self, row: InboxRow) -> None:
        self._book.enter("inbox", row.name, len(self._book.inboxes))
        self._book.inboxes.append(row)

    # -- stations and doorbells -------------------------------------------------------------

    def station(self, name: str, servers: int, *, called: str = "device") -> None:
        """Add a station of `servers` servers in parallel, first come first served."""
        if servers < 1:
            raise ParameterError(name, "servers", "at least 1", servers)
        self._station(name, StationKind.SERVERS, servers, f"wait: {called}")

    def lock(
        self,
        name: str,
        *,
        called: str,
        wake_ns: float,
        discipline: str = "mutex-barging",
        spin_ns: float = 0.0,
    ) -> None:
        """Add a lock.

        Parameters
        ----------
        name : str
        called : str
            What the ledger calls it.
        wake_ns : float
            From the release until the next one has it, or tries again.
        discipline : {'ticket', 'unfair', 'mutex-direct', 'mutex-barging', 'paravirtual'}
            Waiters of the first two spin, of the mutexes sleep, of the last do one after the
            other; see `rules.lock`.
        spin_ns : float
            CPU time that waiters for a paravirtual lock spin before they sleep.
        """
        if discipline not in DISCIPLINES:
            raise ParameterError(name, "discipline", f"one of {', '.join(DISCIPLINES)}", discipline)
        if (discipline == "paravirtual") != (ticks(spin_ns) > 0):
            raise ParameterError(name, "spin", "above 0 for a paravirtual lock alone", spin_ns)
        kind = DISCIPLINES[discipline]
        self._station(name, StationKind.LOCK, 1, f"wait: {called}", wake_ns, kind, spin_ns)

    def credit(self, name: str, count: int, *, called: str) -> None:
        """Add `count` credits: ring slots, tags, grant references."""
        if count < 1:
            raise ParameterError(name, "count", "at least 1", count)
        self._station(name, StationKind.CREDIT, count, f"wait: {called}")

    def _station(
        self,
        name: str,
        kind: int,
        servers: int,
        wait: str,
        wake_ns: float = 0.0,
        discipline: int = Discipline.MUTEX_BARGING,
        spin_ns: float = 0.0,
    ) -> None:
        self._book.enter("station", name, len(self._book.stations))
        self._book.stations.append(
            StationRow(
                name=name,
                kind=kind,
                servers=servers,
                wake=ticks(wake_ns),
                wait_account=self._book.accounts.number(wait),
                discipline=discipline,
                spin=ticks(spin_ns),
            )
        )

    def _refill_account(self, role: str, refill_ns: float, walks_ns: float) -> int:
        what = " and ".join(name for name, ns in (("cache", refill_ns), ("TLB", walks_ns)) if ns)
        return self._book.accounts.number(f"{role}: {what} refill") if what else NONE

    def _discipline(self, lock: str, owner: str) -> int:
        return self._book.stations[self._book.find("station", lock, owner)].discipline

    def bell(
        self, name: str, bell: Bell, *, to: str, sender: str, expand: Expand = _no_transitions
    ) -> None:
        """Add a doorbell to the inbox `to`; `sender` is the worker that rings, "" a device."""
        book = self._book
        inbox = book.find("inbox", to, name)
        costs = [bell.costs.get(state, Ringing()) for state in CONSUMER_STATES]
        if not sender and any(cost.sender for cost in costs):
            raise ParameterError(name, "costs", "free for the sender, which is no worker", sender)
        if bell.rule == "batch" and not sender:
            raise ParameterError(
                name, "rule", "one of a device, which hands over one by one", "batch"
            )
        if bell.rule == "moderated":
            if sender:
                raise ParameterError(name, "moderation", "that of a device's doorbell", sender)
            if bell.timer <= 0:
                raise ParameterError(
                    name, "timer", "above 0, or an entry waits for ever", bell.timer
                )
        target = book.workers[book.inboxes[inbox].worker].name
        book.enter("bell", name, len(book.bells))
        book.bells.append(
            BellRow(
                name=name,
                inbox=inbox,
                rule=RULES[bell.rule],
                counter=book.counters.number(bell.counts) if bell.counts else NONE,
                pay=tuple(self._sequence(cost.sender, sender, expand) for cost in costs),
                delay=tuple(ticks(cost.delay) for cost in costs),
                debt=tuple(self._sequence(cost.target, target, expand) for cost in costs),
                timer=ticks(bell.timer),
                count=bell.count,
            )
        )

    # -- load -------------------------------------------------------------------------------

    def source(
        self,
        name: str,
        classes: Mapping[str, tuple[float, Path]],
        *,
        to: str = "",
        outstanding: int = 0,
        think: Distribution | None = None,
        gap: Distribution | None = None,
        order: Iterable[int] | None = None,
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
            Worker or task that takes new requests; "" for a path that begins at a station.
        outstanding : int
            Requests of a closed source in flight; 0 for an open one.
        think, gap : Distribution, optional
            Pause of a closed source; time between arrivals of an open one.
        order : iterable of int, optional
            Numbers of the classes of requests one after the other, again and again; by default
            they are drawn by weight.
        names : mapping, optional
            What local names of the paths stand for.
        group : str
            Prefix of the groups the requests are observed under.
        """
        if (outstanding < 1) == (gap is None):
            raise ParameterError(name, "outstanding", "at least 1, or a gap given", outstanding)
        if gap is not None and gap.mean <= 0:
            raise ParameterError(name, "gap", "above 0", gap.mean)
        turns = None if order is None else tuple(order)
        if turns is not None and not set(turns) <= set(range(len(classes))):
            raise ParameterError(name, "order", f"of numbers below {len(classes)}", turns)
        book = self._book
        inbox = book.find("inbox", to, name) if to else NONE
        laying = Laying(book, name, dict(names or {}), expand)
        first_draw = len(book.draws)
        rows = []
        for kind, (weight, path) in classes.items():
            group_number = book.groups.number(f"{group} {kind}".strip())
            first = laying.path(path, to)
            rows.append(ClassRow(name=kind, group=group_number, weight=weight, path=first))
        first_class = len(book.classes)
        book.classes += rows
        laying.finish()
        if gap is None and (think is None or think.mean <= 0):
            for kind, (_, path) in classes.items():
                refuse_endless(name, kind, expanded(path, expand))
        draws = Sequence(first_draw, len(book.draws))
        book.enter("source", name, len(book.sources))
        book.sources.append(
            SourceRow(
                name=name,
                outstanding=outstanding,
                think=book.draw("think", think) if think is not None and think.mean > 0 else NONE,
                gap=book.draw("gap", gap) if gap is not None else NONE,
                inbox=inbox,
                classes=Sequence(first_class, first_class + len(rows)),
                draws=draws,
                order=NONE if turns is None else book.draw("order", Cycle(turns)),
            )
        )

    def timer(
        self,
        name: str,
        path: Path,
        *,
        worker: str,
        period_ns: float,
        tickless: bool = False,
        names: Mapping[str, str] | None = None,
        expand: Expand = _no_transitions,
    ) -> None:
        """Add a periodic timer that starts a side path, which begins with a device's doorbell.

        Parameters
        ----------
        name : str
            What it is counted under.
        path : Path
            Without random times.
        worker : str
            Whose timer it is.
        period_ns : float
        tickless : bool
            Whether it is silent while `worker` sleeps.
        names, expand
            As in `source`.
        """
        if period_ns <= 0:
            raise ParameterError(name, "period", "above 0", period_ns)
        book = self._book
        laying = Laying(book, name, dict(names or {}), expand, random=False)
        first = len(book.steps)
        number = laying.side(name, (laying.checked(path, ""),))
        laying.finish()
        handled = sum(step.ticks for step in book.steps[first:])
        if handled >= ticks(period_ns):
            owner, must = f"{worker}: {name}", "longer than it takes to handle it, in ns"
            raise ParameterError(owner, "period", must, round(period_ns, 3))
        book.timers.append(
            TimerRow(
                name=name,
                worker=book.find("worker", worker, name),
                period=ticks(period_ns),
                tickless=int(tickless),
                klass=number,
            )
        )

    def system(self) -> System:
        """Return the tables."""
        book = self._book
        if not book.sources:
            raise ParameterError(self.name, "sources", "at least one", 0)
        return System(
            name=self.name,
            accounts=tuple(book.accounts),
            counters=tuple(book.counters),
            groups=tuple(book.groups),
            sides=tuple(book.sides),
            pool=self._pool,
            workers=tuple(book.workers),
            inboxes=tuple(book.inboxes),
            stations=tuple(book.stations),
            bells=tuple(book.bells),
            sources=tuple(book.sources),
            classes=tuple(book.classes),
            timers=tuple(book.timers),
            wakes=tuple(book.wakes),
            steps=tuple(book.steps),
            draws=tuple(book.draws),
            values=tuple(book.values),
            weights=tuple(book.weights),
        )

    def _sequence(self, path: Path, where: str, expand: Expand) -> Sequence:
        """Lay a range of plain work on one worker."""
        steps = self._book.steps
        first = len(steps)
        for step in _plain(expanded(path, expand, where), where):
            if ticks(step.cost.mean) or step.counts:
                steps.append(self._book.step(step))
        return Sequence(first, len(steps))


def _plain(path: Path, where: str) -> Iterable[Step]:
    for step in path:
        fixed = isinstance(step, Step) and isinstance(step.cost, Deterministic)
        if not isinstance(step, Step) or step.kind != "work" or not fixed:
            raise ParameterError(where, "overhead", "work of a fixed length", step)
        yield step


def _waits(role: str) -> Mapping[WorkerState, str]:
    """Return the account of who waits at a worker, by what the worker does."""
    return {
        WorkerState.ASLEEP: f"wait: wake-up of {role}",
        WorkerState.READY: f"wait: CPU for {role}",
        WorkerState.RUNNING: f"wait: {role} busy",
        WorkerState.INTERRUPT: f"wait: interrupts on {role}",
        WorkerState.BLOCKED: f"wait: {role} blocked",
        WorkerState.SWITCHING: f"wait: switch to {role}",
        WorkerState.POLLING: f"wait: wake-up of {role}",
    }
