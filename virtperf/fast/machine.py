"""A system's tables, and those of a run of it, as compiled code reads them."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.draws import chooses
from virtperf.errors import SimulationError
from virtperf.fast.calendar import MOST_OWNERS
from virtperf.fast.layout import AFFINITY, DEPTH, NONE, STATE, STATES, TABLES
from virtperf.fast.policy import COMPILED
from virtperf.fast.race import FOREVER
from virtperf.tables import StationKind, System, affinity_words, kinship
from virtperf.tables.batches import SCALARS
from virtperf.tables.histogram import bucket
from virtperf.tables.rows import WORD_BITS
from virtperf.units import MAX_TICKS

BUCKETS = bucket(int(MAX_TICKS)) + 1
PER_CLOSED = 64  # rows of room for each snapshot that may wait to be put away


def why_not(system: System) -> str:
    """Return why the compiled engine cannot run a system; "" if it can."""
    if system.pool.policy not in COMPILED:
        return f"the policy {system.pool.policy} is not among those that are compiled"
    if system.pool.pcpus > AFFINITY * WORD_BITS:
        return f"there are more than {AFFINITY * WORD_BITS:,} pCPUs"
    owners = (system.workers, system.stations, system.bells, system.sources, system.timers)
    if max(system.pool.pcpus, *map(len, owners)) >= MOST_OWNERS:
        return f"there are more than {MOST_OWNERS:,} of a kind"
    return ""


class Machine:
    """The state of one run: one record, and the tables whose addresses it holds.

    Parameters
    ----------
    system : System
    requests : int
        The run ends when this many have finished.
    room : mapping of str to int
        Rows of each of `status.TABLES` that there are beside those the system asks for.
    spans : int, optional
        Spans that are recorded; by default nothing is.
    """

    def __init__(
        self, system: System, requests: int, room: Mapping[str, int], spans: int | None = None
    ) -> None:
        if reason := why_not(system):
            raise SimulationError(f"{system.name}: {reason}")
        self.system = system
        self.tables: dict[str, NDArray[Any]] = {}
        self._state = np.zeros(1, STATE)
        self.state: Any = self._state[0]
        self.address = self._state.ctypes.data
        self.set(left=requests, seen=requests, batch=1, buckets=BUCKETS, active=NONE)
        self._sizes()
        self._build_pool()
        self._build_workers()
        self._build_bells()
        self._build_stations(room["credits"])
        self._build_load()
        self._build_room(room)
        self._build_totals(max(4, room["closed"] // PER_CLOSED))
        self._build_tape(spans, room["arrows"])

    def set(self, **fields: int) -> None:
        """Set fields of the state."""
        for name, value in fields.items():
            self.state[name] = value

    def get(self, name: str) -> int:
        """Return a field of the state."""
        return int(self.state[name])

    def put(self, name: str, table: "NDArray[Any]") -> None:
        """Let the state have a table, or a longer one in place of the one it had."""
        assert table.dtype == TABLES[name] and table.flags.c_contiguous, f"not a table of {name}"
        self.tables[name] = table
        self.set(**{name: table.ctypes.data, f"{name}_rows": table.size})

    def _rows(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Make a table of rows; what a row does not say is 0, or NONE where that is nobody."""
        filled = list(rows)
        table = self._blank(name, len(filled))
        for i, row in enumerate(filled):
            for field, value in row.items():
                table[field][i] = value

    def _blank(self, name: str, count: int) -> "NDArray[Any]":
        """Make a table of `count` rows that say nothing yet."""
        table = np.zeros(count, TABLES[name])
        fields = set(TABLES[name].names or ())
        for field in fields & _NOBODY:
            table[field] = NONE
        if "index" in fields:
            table["index"] = np.arange(count)
        self.put(name, table)
        return table

    # -- what the system says ---------------------------------------------------------------

    def _sizes(self) -> None:
        system = self.system
        self.set(
            accounts=len(system.accounts),
            width=max((row.draws.last - row.draws.first for row in system.sources), default=0),
            groups=len(system.groups),
            observed=len(system.groups) + len(system.wakes),
            fibres_of_tasks=len(system.workers),
        )

    def _build_pool(self) -> None:
        row = self.system.pool
        names = "policy slice switch switch_account idle_accounts tick period"
        names += " sharing sharing_account"
        pool: dict[str, Any] = {name: getattr(row, name) for name in names.split()}
        pool |= {"count": row.pcpus, "idle": row.pcpus, "crew": len(self.system.workers)}
        pool |= dict(row.constants) | {
            "reloads": any(w.refill or w.walks for w in self.system.workers)
        }
        pool["entries"] = sum(worker.entries for worker in self.system.workers)
        pauses = any(worker.pause_window for worker in self.system.workers)
        starts = hasattr(COMPILED[row.policy], "starts")
        flushes = any(worker.flush for worker in self.system.workers)
        pool["particular"] = pool["reloads"] or pauses or flushes or starts
        self._rows("pools", [pool])
        never = {"timer": FOREVER, "work": FOREVER}
        self._rows("pcpus", [{"account": row.idle_account} | never] * row.pcpus)
        entrants = _power_of_two(row.pcpus)
        self._blank("entrants", entrants)["time"] = FOREVER
        race = np.arange(2 * entrants) - entrants
        for node in range(entrants - 1, 0, -1):  # a node must not know of others than its own
            race[node] = race[2 * node]
        self.put("race", race)
        self.set(late=NONE)
        self.put("cpu", np.zeros(row.pcpus * len(self.system.accounts), "i8"))

    def _build_workers(self) -> None:
        system = self.system
        tasks: dict[int, list[int]] = {}
        interrupts: dict[int, int] = {}
        for i, inbox in enumerate(system.inboxes):
            if inbox.level:
                interrupts[inbox.worker] = i
            else:
                tasks.setdefault(inbox.worker, []).append(i)
        names = "pin host batch_account poll_account spin_account slice waits weight cap"
        names += " flush refill forgets refill_account wake_group"
        names += " walks entries pages room touches tagged"
        names += " pause_window pause_grow directed"
        kin = kinship(system.workers)
        self._rows(
            "workers",
            (
                {name: getattr(row, name) for name in names.split()}
                | {"interrupt": interrupts.get(i, NONE), "tasks": tasks.get(i, [NONE])[0]}
                | _span("wake", row.wake)
                | _span("pickup", row.pickup)
                | _span("switch", row.switch)
                | {f"poll_{name}": number for name, number in row.poll._asdict().items()}
                | {"polls": bool(row.poll), "window": 0 if row.poll.start else row.poll.most}
                | {"inbox": row.inbox, "fibre": i}
                | _span("pause", row.pause)
                | _span("kick", row.kick)
                | {"top": i * DEPTH, "top_end": (i + 1) * DEPTH}
                | {"ticked": any(timer.worker == i for timer in system.timers), "away": 1}
                | {"stopped": NONE, "end": NONE, "alarm": 1, "piece": NONE}
                | {"leader": kin[i][0], "kin": kin[i][1], "turn": i}
                | {"affinity": _affinity(row.affinity, system.pool.pcpus)}
                for i, row in enumerate(system.workers)
            ),
        )
        after = {a: b for chain in tasks.values() for a, b in pairwise(chain)}
        self._rows(
            "inboxes",
            (
                {name: getattr(row, name) for name in ["worker", "level", "batch", "lock"]}
                | {"sibling": after.get(i, NONE)}
                | _span("prologue", row.prologue)
                | _span("epilogue", row.epilogue)
                for i, row in enumerate(system.inboxes)
            ),
        )
        count = len(system.workers)
        self._rows("waiters", ({"level": n % 2} for n in range(2 * count)))
        self.tables["waiters"]["index"] = np.arange(2 * count) // 2
        self._blank("needs", 2 * count)
        fibres = count + len(system.inboxes)
        self._blank("fibres", fibres)["top"] = np.arange(fibres) * DEPTH
        self._blank("frames", fibres * DEPTH)

    def _build_bells(self) -> None:
        names = ("inbox", "rule", "counter", "timer", "count")
        self._rows(
            "bells",
            (
                {name: getattr(row, name) for name in names}
                | {"pay_first": [pay.first for pay in row.pay], "delay": row.delay}
                | {"pay_last": [pay.last for pay in row.pay]}
                | {"debt_first": [debt.first for debt in row.debt]}
                | {"debt_last": [debt.last for debt in row.debt], "rung": NONE}
                for row in self.system.bells
            ),
        )
        inboxes, bells = self.tables["inboxes"], self.tables["bells"]
        for i in range(len(bells) - 1, -1, -1):
            at = bells["inbox"][i]
            bells["sibling"][i], inboxes["bells"][at] = inboxes["bells"][at], i

    def _build_stations(self, room: int) -> None:
        stations = self.system.stations
        names = "kind servers wake wait_account discipline spin"
        self._rows(
            "stations", ({name: getattr(row, name) for name in names.split()} for row in stations)
        )
        credits = sum(row.servers for row in stations if row.kind == StationKind.CREDIT)
        credits += room if credits else 0
        self._rows("credits", ({"behind": i + 1} for i in range(credits)))
        self.tables["credits"]["behind"][-1:] = NONE
        self.set(free_credit=0 if credits else NONE)

    def _build_load(self) -> None:
        system = self.system
        self._rows(
            "sources",
            (
                {"inbox": row.inbox, "outstanding": row.outstanding, "open": row.gap != NONE}
                | {"think": row.think != NONE, "classes": row.classes.first}
                | {"choice": chooses(row), "draws": row.draws.last - row.draws.first}
                for row in system.sources
            ),
        )
        for name, rows in (("classes", system.classes), ("steps", system.steps)):
            fields = TABLES[name].names or ()
            self._rows(name, ({f: getattr(row, f) for f in fields} for row in rows))
        names = "worker period tickless klass"
        self._rows("timers", ({f: getattr(row, f) for f in names.split()} for row in system.timers))

    # -- what a run needs -------------------------------------------------------------------

    def _build_room(self, room: Mapping[str, int]) -> None:
        system = self.system
        count = 1 + room["requests"] + sum(row.outstanding for row in system.sources)
        self._blank("requests", count)
        self.put("booked", np.zeros(count * len(system.accounts), "i8"))
        self.put("drawn", np.zeros(count * self.get("width"), "i8"))
        owners = 2 * len(system.workers) + 2 * system.pool.pcpus + len(system.timers) + 1
        self._blank("agenda", count + owners + len(system.sources) + room["agenda"])
        self._blank("events", _power_of_two(2 * len(system.workers) + count + room["events"]))
        self.put("feed", np.zeros(0, "i8"))
        self.set(free_request=NONE, room=count - 1 - count // 4)

    def grow(self) -> None:
        """Let there be room for twice as many requests. Nothing else may hold an address."""
        rows = {"requests": 1, "booked": self.get("accounts"), "drawn": self.get("width")}
        more = len(self.tables["requests"])
        for name, width in rows.items():
            self.put(
                name, np.concatenate([self.tables[name], np.zeros(more * width, TABLES[name])])
            )
        self.put(
            "agenda", np.concatenate([self.tables["agenda"], np.zeros(more, TABLES["agenda"])])
        )
        self._move_events(len(self.tables["events"]) + more)
        self.set(room=2 * more - more // 2)

    def _move_events(self, rows: int) -> None:
        """Put what has been caused, and has not happened, into a longer table."""
        table, happened = self.tables["events"], self.get("happened")
        waiting = np.arange(happened, self.get("caused")) % len(table)
        longer = np.zeros(_power_of_two(rows), TABLES["events"])
        longer[: len(waiting)] = table[waiting]
        self.put("events", longer)
        self.set(happened=0, caused=len(waiting))

    def _build_totals(self, closed: int) -> None:
        system = self.system
        groups, accounts = len(system.groups), len(system.accounts)
        sizes = {
            "counters": len(system.counters),
            "totals": groups * accounts,
            "completed": groups,
            "residence": groups,
            "sides": len(system.sides),
            "side_residence": len(system.sides),
            "waking": len(system.wakes),
            "ends": SCALARS,
            "sums": SCALARS,
            "histograms": closed * self.get("observed") * BUCKETS,
        }
        for name, size in sizes.items():
            self.put(name, np.zeros(size, "i8"))
        cpu = system.pool.pcpus * accounts
        width = 2 + 2 * groups + len(system.counters) + 2 * len(system.sides)
        width += groups * accounts + cpu + 2 * len(system.stations)
        width += 3 + len(system.wakes) + STATES * len(system.workers)  # the pool's
        self.put("looks", np.zeros(closed * width, "i8"))
        self.set(look_width=width)

    def _build_tape(self, spans: int | None, room: int) -> None:
        self._blank("spans", spans or 0)
        self._blank("arrows", 0 if spans is None else 2 * spans + room)
        self.set(recording=spans is not None, spans_left=spans or 0, tape_end=NONE)


_NOBODY = frozenset(  # fields that refer to a row, where none is meant at first
    {
        "worker",
        "last",
        "intruder",
        "first",
        "final",
        "tape",
        "holder",
        "next",
        "pcpu",
        "need",
        "task",
        "process_of",
        "sibling",
        "bells",
        "fresh_first",
        "fresh_final",
        "again_first",
        "again_final",
        "deferred_first",
        "deferred_final",
        "behind",
        "head",
        "tail",
        "stopped",
        "requested",
        "rung_bell",
        "interrupt",
        "tasks",
    }
)


def _span(name: str, steps: tuple[int, int]) -> dict[str, int]:
    return {f"{name}_first": steps[0], f"{name}_last": steps[1]}


def _affinity(pcpus: tuple[int, ...], count: int) -> list[int]:
    """Return which pCPUs a worker may use, in as many words as a row has for it."""
    words = affinity_words(pcpus, count)
    return words + [0] * (AFFINITY - len(words))


def _power_of_two(least: int) -> int:
    """Return the smallest power of two that is not less."""
    return 1 << (least - 1).bit_length()
