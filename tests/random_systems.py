"""Small systems that nobody thought of, with every primitive of the step language in them.

Paths are legal by construction: a builder knows who holds the request and what is in its hands.
Locks and joins never nest, so that none of the systems can deadlock.
"""

from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from virtperf.assembly import Assembly
from virtperf.assembly.checking import takes_time
from virtperf.assembly.polling import FOR_EVER
from virtperf.assembly.scheduling import Share, SpinExits
from virtperf.dist import Distribution, Empirical
from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    Choice,
    Join,
    Once,
    Path,
    Ringing,
    Spawn,
    Step,
    end,
    gather,
    give,
    lock,
    ring,
    serve,
    take,
    unlock,
    work,
)
from virtperf.tables import SPARING, Kind, Poll, PollKind, Rule, System

DISCIPLINES = ("ticket", "unfair", "mutex-direct", "mutex-barging")


class RandomSystem:
    """One system; `scale` multiplies all its times, `spare` adds parts that nobody uses.

    Closed sources have up to `depth` requests outstanding; `wide` ones have many workers and pCPUs.
    With `credit` the pool follows that policy, whatever it would else; in `contended` ones several
    vCPUs want the lock `l0`, whose waiters spin, most of the time. With `gathers`, workers do some
    of their work once for all that they take in a turn.

    Every step of work on a path has an account of its own, and is listed in `work` with its
    length in ticks: what was cut into pieces must add up to it.
    """

    def __init__(
        self,
        seed: int,
        *,
        scale: int = 1,
        spare: bool = False,
        timers: bool = True,
        depth: int = 4,
        wide: bool = False,
        refills: bool = True,
        credit: bool = False,
        contended: bool = False,
        gathers: bool = False,
    ):
        self.rng, self.others = Random(seed), Random(-seed - 1)
        self.polls = Random(f"polls of {seed}")
        self.spinning = Random(f"spinning {seed}")  # apart: all else of a seed stays what it was
        self.gathering = Random(f"gathering {seed}")
        self.credit, self.contended, self.gathers = credit, contended, gathers
        self.scale, self.timers, self.depth, self.wide = scale, timers, depth, wide
        self.refills = refills  # whose times are rounded, and do not scale to the last tick
        self.work: dict[str, int] = {}
        self.sides = 0
        self._build()
        if spare:
            self._spare_parts()

    def system(self) -> System:
        return self.assembly.system()

    # -- parts ------------------------------------------------------------------------------

    def _ns(self, *choices: int) -> float:
        return float(self.rng.choice(choices) * self.scale)

    def _build(self) -> None:
        rng = self.rng
        self.pcpus = rng.randint(5, 40) if self.wide else rng.randint(1, 3)
        self.assembly = Assembly(
            "random",
            pcpus=self.pcpus,
            **{"policy": rng.choice(["round-robin", "round-robin", "pinned"])}
            | {"slice_ns": self._ns(1_000, 3_000, 40_000), "switch_ns": self._ns(0, 200, 700)}
            | self._accounting(),
        )
        for name in ("s0", "s1"):
            self.assembly.station(name, rng.randint(1, 3))
        for name in ("l0", "l1"):
            wake, discipline = self._ns(0, 400), rng.choice(DISCIPLINES)
            spin = 0.0
            if name == "l0" and self.spinning.random() < (0.7 if self.contended else 0.4):
                discipline, spin = "paravirtual", self._spin(200, 2_000)
            elif name == "l0" and self.contended:
                discipline = self.spinning.choice(["ticket", "unfair"])
            self.assembly.lock(name, called=name, wake_ns=wake, discipline=discipline, spin_ns=spin)
        self.assembly.credit("tags", rng.randint(1, 3), called="tags")
        self._workers()
        for consumer in (*self.names, *self.interruptible):
            for sender in ("", *self.names):
                self._bell(sender, consumer)
        if self.timers and self.interruptible and rng.random() < 0.5:
            self._timer(rng.choice(self.interruptible))
        for n in range(rng.randint(4, 12) if self.wide else rng.randint(1, 3)):
            self._source(f"load{n}")

    def _workers(self) -> None:
        rng = self.rng
        few = (2, 5) if self.contended else (1, 4)
        self.names = [f"w{n}" for n in range(rng.randint(*((6, 16) if self.wide else few)))]
        self.interruptible = []
        self.big: set[str] = set()
        self.homes = list(self.names)
        self.worker_of = {name: name for name in self.names}
        for name in self.names:
            self._worker(name)
            if rng.random() < 0.6:
                level = f"{name}.interrupt"
                self.assembly.interrupt_level(
                    name, prologue=self._plain(name), epilogue=self._plain(name)
                )
                self.interruptible.append(level)
                self.worker_of[level] = name
        if rng.random() < 0.4:
            self.names.append("hard")
            self.worker_of["hard"] = "hard"
            self.assembly.worker(
                "hard",
                "host",
                host_interrupts_of=rng.randrange(self.pcpus),
                batch=rng.choice([0, 1]),
            )

    def _worker(self, name: str) -> None:
        rng = self.rng
        tasks = rng.choice([0, 0, 1, 2])
        poll = self.polls.choice(["event-loop", "halt", "guest"])
        big = "" if tasks else rng.choice(["", "", "l1"])
        self.big |= {name} if big else set()
        self.assembly.worker(
            name,
            rng.choice(["vcpu", "iothread"]),
            wake=self._plain(name),
            prologue=self._plain(name),
            epilogue=self._plain(name),
            pickup=self._plain(name),
            batch=rng.choice([0, 0, 1, 2]),
            poll=poll,
            poll_ns=self._ns(0, 0, 800, 5_000),
            poll_start_ns=self._ns(0, 300),
            poll_grow=self.polls.choice([2, 3]),
            # other windows may shrink to an odd length, whose half does not scale
            poll_shrink=self.polls.choice([0, 2]) if poll == "halt" else 0,
            lock=big,
            slice_ns=self._ns(0, 500, 2_000) if tasks else 0.0,
            switch=self._plain(name) if tasks else (),
            refill_ns=float(self.others.choice([0, 0, 150, 250]) * self.scale * self.refills),
            forgets_ns=float(self.others.choice([400, 3_000]) * self.scale),
            **self._as_guest(name),
        )
        for n in range(tasks):
            task = f"{name}.task{n}"
            self.assembly.task(task, name, batch=rng.choice([0, 1]))
            self.homes.append(task)
            self.worker_of[task] = name

    def _accounting(self) -> dict[str, Any]:
        """Return what makes the pool follow the credit scheduler, if it shall.

        Its ticks have no measure in common with other times: a vCPU that none ever sees run keeps
        its boost, and may keep others from a pCPU for ever.
        """
        if not self.credit:
            return {}
        choose, scale = self.spinning.choice, self.scale
        ratelimit = choose([0, 499_979, 1_999_993]) * scale
        constants = {"ratelimit": ratelimit, "balance_every": 1_000_000 * scale, "sampled": 0}
        clocks = {"tick_ns": self._spin(4_999), "period_ns": self._spin(15_013)}
        return {"policy": "credit", "constants": constants, **clocks}

    def _spin(self, *choices: int) -> float:
        return float(self.spinning.choice(choices) * self.scale)

    def _as_guest(self, worker: str) -> dict[str, Any]:
        """Return what a worker is as a vCPU of one of two VMs, which may exit as it spins."""
        chance = self.spinning.random
        share = Share(domain=self.spinning.choice(["a", "b"]), weight=1 + int(4 * chance()))
        pauses = None
        if chance() < 0.6:
            cost = work(worker, self._spin(0, 100), "exit", masked=True, counts=f"{worker}: pause")
            pauses = SpinExits(
                window_ns=self._spin(50, 300, 2_000),
                grow=self.spinning.choice([1, 2]),
                directed=chance() < 0.7,
                cost=(cost,) if chance() < 0.8 else (),
            )
        kick = (work(worker, self._spin(50, 300), "kick", masked=chance() < 0.5),)
        return {"share": share, "pauses": pauses, "kick": kick if chance() < 0.8 else ()}

    def _plain(self, worker: str) -> Path:
        if self.rng.random() < 0.5:
            return ()
        return (
            work(worker, self._ns(50, 300), f"{worker}: extra", masked=self.rng.random() < 0.5),
        )

    def _bell(self, sender: str, consumer: str) -> None:
        rng, target = self.rng, self.worker_of[consumer]
        rule = rng.choice(["always", "event-index", "event-index"])
        if not sender and rng.random() < 0.3:
            rule = "moderated"
        costs = {
            state: Ringing(
                sender=self._plain(sender) if sender else (),
                delay=self._ns(0, 0, 600),
                target=self._plain(target),
            )
            for state in CONSUMER_STATES
            if rng.random() < 0.6
        }
        bell = Bell(
            name="", to="", rule=rule, costs=costs, timer=self._ns(1_500), count=rng.choice([0, 2])
        )
        self.assembly.bell(f"{sender}>{consumer}", bell, to=consumer, sender=sender)

    def _timer(self, level: str) -> None:
        worker = self.worker_of[level]
        path = (ring(f">{level}"), work(worker, self._ns(0, 200), "tick"), end())
        period, tickless = self._ns(7_000, 20_000), self.rng.random() < 0.5
        self.assembly.timer("tick", path, worker=worker, period_ns=period, tickless=tickless)

    def _source(self, name: str) -> None:
        rng = self.rng
        home = rng.choice([*self.homes, *self.homes, ""])
        closed = rng.random() < 0.7
        self.may_drop = not closed  # else it might do nothing but drop, for ever
        classes = {
            f"{name}.{kind}": (float(rng.randint(1, 3)), self._path(home, rng.randint(1, 7)))
            for kind in range(rng.randint(1, 2))
        }
        if closed:
            thinks = rng.random() < 0.5 or not all(takes_time(p) for _, p in classes.values())
            think = Empirical((0.0, self._ns(2_000)), (1.0, 1.0)) if thinks else None
            outstanding = rng.randint(1, self.depth)
            self.assembly.source(name, classes, to=home, outstanding=outstanding, think=think)
        else:
            gap = self._time(20_000, 60_000)
            self.assembly.source(name, classes, to=home, gap=gap)

    def _spare_parts(self) -> None:
        """Add what no path names, behind all that is used."""
        self.assembly.worker("spare", "spare", poll_ns=500.0 * self.scale)
        self.assembly.interrupt_level("spare")
        self.assembly.station("spare", 2)
        self.assembly.lock("spare lock", called="spare", wake_ns=0.0)
        self.assembly.credit("spare credit", 1, called="spare")
        self.assembly.bell(
            "spare", Bell(name="", to="", rule="always", costs={}), to="spare", sender=""
        )

    # -- paths ------------------------------------------------------------------------------

    def _time(self, *choices: int) -> Distribution:
        low = self._ns(*choices)
        return Empirical((low, 2 * low, 5 * low), (3.0, 2.0, 1.0))

    def _work(self, worker: str, *choices: int) -> Step:
        ns = self._ns(*(choices or (0, 100, 900, 4_000)))
        account = f"{worker}: step {len(self.work)}"
        self.work[account] = round(ns * 1000)
        times = len(self.work) % 3  # no draw: the systems of all seeds stay what they were
        counted = {"counts": f"{worker}: counted", "times": times} if times else {}
        return work(worker, ns, account, masked=self.rng.random() < 0.3, **counted)

    def _path(self, at: str, length: int, *, inside: bool = False) -> Path:
        """Return a path from inbox `at` ("" a station) to its end; `inside` a side path."""
        parts: list = []
        tagged = gathered = False
        for _ in range(length):
            if not at:
                at, gathered = self._from_a_station(parts), False
                continue
            if self.gathers and not gathered and self.gathering.random() < 0.4:
                parts += self._gathered(at)
                gathered = True
                if isinstance(parts[-1], Step) and parts[-1].kind == "serve":
                    at = ""
                continue
            moves = ["work", "work", "serve", "ring"]
            if not at.endswith(".interrupt") and at != "hard":
                moves += ["stay", "section", "choice"]
                moves += ["section"] * 20 if self.contended else []
                moves += [] if inside else ["tag", "spawn"]
                moves += [] if inside or self.worker_of[at] in self.big else ["join"]
            move = self.rng.choice(moves)
            if move == "tag":
                parts += [give("tags")] if tagged else [self._take()]
                tagged = not tagged
            else:
                at = self._move(move, parts, at)
                gathered = gathered and move not in ("serve", "ring")
        if tagged:
            parts.append(give("tags"))
        return (*parts, end())

    def _gathered(self, at: str) -> Path:
        """Return what a worker does for all of a turn, under a lock if it may have one there."""
        worker = self.worker_of[at]
        locks = at in self.homes and worker not in self.big
        few = partial(self._work, worker, 0, 100, 300)
        if locks and len(at) % 2:  # the same for all that this inbox gathers
            section = (lock("l0"), few(), unlock("l0"))
            return (gather(), Once(by="first", path=(few(), *section)))
        first = (few(), *((lock("l0"),) if locks else ()))
        last = (*((unlock("l0"),) if locks else ()), few())
        parts = (gather(), Once(by="first", path=first), few(), Once(by="last", path=last))
        return (*parts, self._serve(self.gathering.choice(["async", "defer"])))

    def _take(self) -> Step:
        return take("tags", otherwise=(end("dropped"),) if self.may_drop else ())

    def _from_a_station(self, parts: list) -> str:
        if self.rng.random() < 0.4 or not parts:
            parts.append(self._serve("async"))
            return ""
        consumer = self.rng.choice([*self.names, *self.interruptible])
        parts.append(ring(f">{consumer}"))
        return consumer

    def _serve(self, hold: str) -> Step:
        station = self.rng.choice(["s0", "s1"])
        if self.rng.random() < 0.5:
            return serve(station, self._time(1_000, 8_000), "device", purpose=station, hold=hold)
        cost = Empirical((self._ns(0, 500, 3_000),), (1.0,))
        return serve(station, cost, "device", purpose=f"{station} constant", hold=hold)

    def _move(self, move: str, parts: list, at: str) -> str:
        """Add a part that begins in inbox `at`; return where the request is then."""
        rng, worker = self.rng, self.worker_of[at]
        if move == "work":
            parts.append(self._work(worker))
        elif move == "serve":
            parts.append(self._serve(rng.choice(["async", "async", "defer"])))
            return ""
        elif move == "ring":
            consumer = rng.choice([*self.names, *self.interruptible])
            parts.append(ring(f"{worker}>{consumer}", hold=rng.choice(["async", "async", "defer"])))
            return consumer
        elif move == "stay":
            parts.append(self._serve(rng.choice(["block", "spin"])))
        elif move == "section":
            parts += [lock("l0", masked=rng.random() < 0.5), self._work(worker), unlock("l0")]
        elif move == "choice":
            ways = tuple((w, (self._work(worker),)) for w in (1.0, 3.0))
            parts.append(Choice(branches=ways, purpose=f"choice {len(self.work)}"))
        elif move == "spawn":
            to = rng.choice([*self.homes, ""])
            parts.append(
                Spawn(name="aside", path=self._path(to, rng.randint(1, 3), inside=True), to=to)
            )
        else:
            self._join(parts, worker)
        return at

    def _join(self, parts: list, worker: str) -> None:
        levels = [level for level in self.interruptible if self.worker_of[level] != worker]
        if levels:
            answers = tuple(
                (ring(f"{worker}>{level}"), self._work(self.worker_of[level]), end())
                for level in levels
            )
            holds = ["spin", "async", "block" if worker == "w0" else "spin"]
            hold = self.rng.choice(holds)  # two that block might wait for each other
            parts.append(Join(name="answers", paths=answers, account="wait: answers", hold=hold))


def on_shared_cores(system: System, pace: int) -> System:
    """Return a system on a host whose pCPUs are pairs of threads of a core."""
    pcpus = system.pool.pcpus + system.pool.pcpus % 2
    slice_ = 2 * system.pool.slice  # longer than a switch at half the speed
    account = len(system.accounts)
    pool = replace(system.pool, pcpus=pcpus, slice=slice_, sharing=pace, sharing_account=account)
    return replace(system, pool=pool, accounts=(*system.accounts, "shared"))


def sparing(system: System, seed: int) -> System:
    """Return a system whose joins spare who idles or is absent, and whose workers then flush."""
    rng = Random(seed)
    bells = tuple(
        replace(bell, rule=rng.choice([bell.rule, *SPARING])) if bell.rule == Rule.ALWAYS else bell
        for bell in system.bells
    )
    workers = tuple(replace(row, flush=rng.randint(0, 10**6)) for row in system.workers)
    return replace(system, bells=bells, workers=workers)


def polling_for_ever(system: System, seed: int) -> System:
    """Return a system some of whose threads never sleep, and some of whose doorbells tell once.

    Only where all that rings a doorbell is deferred may it ring for a batch.
    """
    rng = Random(seed)
    rung = {(step.target, step.defer) for step in system.steps if step.kind == Kind.RING}
    workers = tuple(
        replace(row, poll=Poll(PollKind.ENDLESS, FOR_EVER))
        if not row.host and rng.random() < 0.5
        else row
        for row in system.workers
    )
    bells = tuple(
        replace(bell, rule=Rule.BATCH)
        if not bell.name.startswith(">") and (n, 0) not in rung
        else bell
        for n, bell in enumerate(system.bells)
    )
    return replace(system, workers=workers, bells=bells)


def asking_again(system: System) -> System:
    """Return a system whose consumers move their event index when they begin to poll."""
    bells = tuple(
        replace(bell, rule=Rule.RE_ENABLED) if bell.rule == Rule.EVENT_INDEX else bell
        for bell in system.bells
    )
    return replace(system, bells=bells)


def translating(system: System, seed: int) -> System:
    """Return a system whose workers find the TLB entries of others in the place of theirs."""
    rng = Random(seed)
    slice_ = system.pool.slice + 10**6
    workers = []
    for row in system.workers:
        room = rng.choice([16, 64, 1536])
        tlb = {"room": room, "entries": rng.randint(1, room), "tagged": rng.randint(0, 1)}
        tlb |= {"walks": rng.randint(1, 10**6), "touches": rng.choice([1, 10**4, 10**7, 2**45 - 1])}
        tlb["pages"] = tlb["entries"] * rng.choice([1, 2, 10**4])
        workers.append(replace(row, refill_account=0, **tlb) if rng.random() < 0.7 else row)
    pool = replace(system.pool, slice=slice_)
    return replace(system, pool=pool, workers=tuple(workers))
