"""Every rule is compiled and compared with itself on random states."""

import inspect
from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from types import SimpleNamespace

import numpy as np
import pytest

import virtperf.rules
from virtperf.rules import doorbell, guest, lock, pinned, poll, round_robin
from virtperf.rules.policies import POLICIES

MODULES = [
    import_module(f"virtperf.rules.{info.name}") for info in iter_modules(virtperf.rules.__path__)
]
LONGER = [module for number, module in POLICIES.items() if number > 1]  # see test_policies
RULES = [
    rule
    for module in MODULES
    if module not in LONGER and not module.__name__.endswith((".fair", ".waiting", ".policies"))
    for _, rule in inspect.getmembers(module, inspect.isfunction)
    if rule.__module__ == module.__name__
]
EACH = pytest.mark.parametrize("rule", RULES, ids=lambda r: f"{r.__module__}.{r.__name__}")
STATES, COUNT = 1000, 6

TLB = "index walks entries pages room touches tagged tlb_time seen_used"
SPINNING = "pause_window pause_grow spin_window gave_way eligible queued leader kin turn"
FIELDS = {  # every field a rule may read or write
    "pool": "count idle head tail slice sharing crew entries",
    "pcpus": "worker dispatched",
    "workers": f"next last pin state polling masked level {SPINNING} {TLB}",
    "worker": "next last pin state polling masked level came window refill forgets seen_ran"
    f" poll_kind poll_most poll_start poll_grow poll_shrink {SPINNING} {TLB}",
    "pcpu": "index ran used last",
    "bell": "rule produced event batch rung pending timer count",
    "inbox": "in_turn told notified level",
    "lock": "holder discipline wake spin",
    "waiter": "running sleeps",
    "tasks": "first final slice since",
    "inboxes": "behind",
}


class Row:
    """A row with slots, as the reference engine has."""

    __slots__ = tuple(sorted({name for names in FIELDS.values() for name in names.split()}))


def random_state(rng: np.random.Generator) -> dict[str, list[dict[str, int]]]:
    """Return consistent tables: the queue is a chain, indices exist, flags are flags."""
    sharing = 1600 * int(rng.integers(0, 2))
    pcpus, queue = int(rng.integers(1, COUNT)), [int(w) for w in rng.permutation(COUNT)]
    pcpus += pcpus % 2 if sharing else 0
    waiting = queue[: rng.integers(0, COUNT + 1)]
    running = [int(w) if rng.random() < 0.6 else -1 for w in rng.permutation(COUNT)[:pcpus]]
    after = dict(zip(waiting, [*waiting[1:], -1], strict=False))
    workers = [
        {
            "next": after.get(w, -1),
            "last": int(rng.integers(-1, pcpus)),
            "pin": int(rng.integers(0, pcpus)),
            "state": int(rng.integers(0, 7)),
        }
        | {name: int(rng.integers(0, 2)) for name in ("polling", "masked", "level")}
        | spinning_state(rng, w)
        | tlb_state(rng, w)
        for w in range(COUNT)
    ]
    ends = {"head": waiting[0], "tail": waiting[-1]} if waiting else {"head": -1, "tail": -1}
    flags = ("in_turn", "told", "notified", "level")
    poll = {"came": 3, "window": 9, "poll_kind": 4, "poll_most": 9, "poll_start": 4}
    poll |= {"poll_grow": 4, "poll_shrink": 3}
    return {
        "pool": [
            {"count": pcpus, "idle": running.count(-1), "slice": int(rng.integers(1, 1000))}
            | {"sharing": sharing, "crew": COUNT, "entries": int(rng.integers(100, 300))}
            | ends
        ],
        "pcpus": [{"worker": w, "dispatched": int(rng.integers(0, 9))} for w in running],
        "workers": workers,
        "worker": [
            workers[0]
            | {name: int(rng.integers(0, most)) for name, most in poll.items()}
            | {name: int(rng.integers(1, 10**6)) for name in ("refill", "forgets", "seen_ran")}
        ],
        "pcpu": [
            {"index": int(rng.integers(0, pcpus)), "ran": int(rng.integers(1, 10**6))}
            | {"used": int(rng.integers(99, 300)), "last": int(rng.integers(-1, COUNT))}
        ],
        "bell": [{name: int(rng.integers(0, 6)) for name in FIELDS["bell"].split()}],
        "inbox": [{name: int(rng.integers(0, 2)) for name in flags}],
        "lock": [
            {"holder": int(rng.integers(-1, 2)), "discipline": int(rng.integers(0, 5))}
            | {"wake": int(rng.integers(0, 9)), "spin": int(rng.integers(1, 9))}
        ],
        "waiter": [{name: int(rng.integers(0, 2)) for name in FIELDS["waiter"].split()}],
        "tasks": [run_queue_ends(waiting) | {"slice": 5, "since": int(rng.integers(0, 9))}],
        "inboxes": [{"behind": after.get(i, -1)} for i in range(COUNT)],
    }


def spinning_state(rng: np.random.Generator, w: int) -> dict[str, int]:
    """Return what worker `w` is as one of two VMs, of the even and of the odd ones."""
    return {
        **{name: int(rng.integers(0, 2)) for name in ("gave_way", "eligible", "queued")},
        "pause_window": int(rng.integers(0, 9)),
        "pause_grow": int(rng.integers(1, 5)),
        "spin_window": int(rng.integers(0, 62)) and 1 << int(rng.integers(0, 61)),
        "leader": w % 2,
        "kin": w + 2 if w + 2 < COUNT else -1,
        "turn": w % 2 + 2 * int(rng.integers(0, COUNT // 2)),
    }


def tlb_state(rng: np.random.Generator, w: int) -> dict[str, int]:
    """Return what worker `w` has of a TLB of 100 entries."""
    most = {"entries": 100, "walks": 10**9, "touches": 10**6, "tlb_time": 10**7, "seen_used": 99}
    return {
        "index": w,
        "room": 100,
        "tagged": int(rng.integers(0, 2)),
        "pages": int(rng.integers(100, 10**6)),
        **{name: int(rng.integers(1, top)) for name, top in most.items()},
    }


def run_queue_ends(waiting: list[int]) -> dict[str, int]:
    return {"first": waiting[0], "final": waiting[-1]} if waiting else {"first": -1, "final": -1}


def rows_of(table: list[dict[str, int]]) -> list[Row]:
    rows = [Row() for _ in table]
    for row, values in zip(rows, table, strict=True):
        for name, value in values.items():
            setattr(row, name, value)
    return rows


def records_of(name: str, table: list[dict[str, int]]) -> np.ndarray:
    names = FIELDS[name].split()
    values = [tuple(row[field] for field in names) for row in table]
    return np.array(values, dtype=[(field, np.int64) for field in names]).view(np.recarray)


def arguments(rule, make, state, scalars):
    """Return the arguments a rule names: tables, one row of a table, or numbers."""
    tables = {name: make(name, state[name]) for name in FIELDS}
    return tables, [
        scalars[name]
        if name not in FIELDS
        else tables[name]
        if name in ("workers", "pcpus", "inboxes")
        else tables[name][0]
        for name in inspect.signature(rule).parameters
    ]


def plain(name: str, table) -> list[tuple[int, ...]]:
    return [tuple(int(getattr(row, f)) for f in FIELDS[name].split()) for row in table]


@EACH
def test_a_compiled_rule_decides_as_the_plain_one(rule):
    numba = pytest.importorskip("numba")
    from virtperf.fast.compiling import of_rule

    compiled = of_rule(rule, numba.njit)
    rng = np.random.default_rng(1)
    for _ in range(STATES):
        state = random_state(rng)
        pcpu = int(rng.integers(0, len(state["pcpus"])))
        free = [w for w, row in enumerate(state["workers"]) if row["next"] == -1]
        free = [w for w in free if w != state["pool"][0]["tail"]] or [0]
        scalars = {"w": int(rng.choice(free)), "p": pcpu, "polled": int(rng.integers(0, 2))}
        scalars |= {name: int(rng.integers(0, 12)) for name in ("idle", "block", "ran", "now")}
        scalars |= {"i": scalars["w"], "woken": int(rng.integers(0, 2)), "level": 1 - pcpu % 2}
        scalars |= {"tried": int(rng.choice([-1, scalars["w"]])), "window": int(rng.integers(0, 9))}
        scalars |= {"patience": int(rng.integers(-1, 9)), "work": int(rng.integers(0, 9_999))}
        scalars |= {"pace": int(rng.integers(1_000, 2_001)), "x": int(rng.integers(0, 15 << 18))}
        scalars |= {"part": int(rng.integers(1, 99)), "whole": int(rng.integers(99, 9_999))}
        scalars |= {"entries": int(rng.integers(1, 99)), "gone": int(rng.integers(-9, 99))}
        scalars |= {"resumed": int(rng.integers(1, 4)), "gathered": int(rng.integers(1, 4))}
        rows, given = arguments(rule, lambda _, table: rows_of(table), state, scalars)
        records, same = arguments(rule, records_of, state, scalars)

        assert rule(*given) == compiled(*same)
        assert all(plain(name, rows[name]) == plain(name, records[name]) for name in FIELDS)


@EACH
def test_a_rule_has_the_form_a_compiler_takes(rule):
    signature = inspect.signature(rule)
    assert all(p.default is p.empty for p in signature.parameters.values())
    assert inspect.getclosurevars(rule).nonlocals == {}


def test_the_event_index_rings_once_per_request_of_the_consumer():
    bell = SimpleNamespace(rule=doorbell.EVENT_INDEX, produced=0, event=0)
    rung = []
    for k in range(6):
        if k == 3:
            doorbell.publish(bell)
        rung.append(doorbell.rings(bell))
        bell.produced += 1
    assert rung == [1, 0, 0, 1, 0, 0]


def test_a_withdrawn_index_never_rings():
    bell = SimpleNamespace(rule=doorbell.EVENT_INDEX, produced=7, event=7)
    doorbell.withdraw(bell)
    assert not doorbell.rings(bell)
    doorbell.publish(bell)
    assert doorbell.rings(bell)


def test_an_index_that_was_asked_for_again_cannot_be_taken_back():
    bell = SimpleNamespace(rule=doorbell.RE_ENABLED, produced=7, event=3)
    assert not doorbell.rings(bell)  # one entry has passed the index since
    doorbell.withdraw(bell)
    assert doorbell.rings(bell)
    bell.produced += 1
    assert not doorbell.rings(bell)


def test_a_consumer_under_way_is_active_whatever_its_worker_does():
    worker = SimpleNamespace(state=doorbell.WORKER_ASLEEP, polling=0, masked=0, level=0)
    inbox = SimpleNamespace(in_turn=0, told=0, notified=0, level=0)
    assert doorbell.consumer_state(inbox, worker) == doorbell.ASLEEP
    inbox.notified = 1
    assert doorbell.consumer_state(inbox, worker) == doorbell.ACTIVE


def test_masked_work_is_not_cut_by_an_interrupt():
    worker = SimpleNamespace(state=doorbell.WORKER_RUNNING, polling=0, masked=1, level=0)
    inbox = SimpleNamespace(level=1)
    assert not doorbell.cuts(inbox, worker)
    worker.masked = 0
    assert doorbell.cuts(inbox, worker)


def pool_of(count: int, workers: int) -> tuple[SimpleNamespace, list, list]:
    pool = SimpleNamespace(sharing=0, count=count, idle=count, head=-1, tail=-1, slice=5)
    pcpus = [SimpleNamespace(worker=-1) for _ in range(count)]
    rows = [SimpleNamespace(next=-1, last=-1, pin=w % count) for w in range(workers)]
    return pool, pcpus, rows


def test_round_robin_takes_the_last_pcpu_else_the_lowest_else_none():
    pool, pcpus, workers = pool_of(3, 1)
    workers[0].last = 2
    assert round_robin.place(pool, pcpus, workers, 0, 0) == 2
    pcpus[2].worker = 7
    assert round_robin.place(pool, pcpus, workers, 0, 0) == 0
    pcpus[0].worker = pcpus[1].worker = 7
    pool.idle = 0
    assert round_robin.place(pool, pcpus, workers, 0, 0) == -1


def test_round_robin_prefers_the_threads_of_an_idle_core():
    """pCPUs 0 and 1 are the threads of a core, 2 and 3 those of another."""
    pool, pcpus, workers = pool_of(4, 1)
    pool.sharing = 1600
    workers[0].last, pcpus[0].worker = 1, 7
    assert round_robin.place(pool, pcpus, workers, 0, 0) == 2
    pcpus[3].worker = 7
    assert round_robin.place(pool, pcpus, workers, 0, 0) == 1
    pcpus[1].worker = 7
    assert round_robin.place(pool, pcpus, workers, 0, 0) == 2


def test_round_robin_is_first_in_first_out():
    pool, _, workers = pool_of(1, 4)
    for w in (2, 0, 3):
        round_robin.enqueue(pool, (), workers, w, 1, 0)
    assert [round_robin.pick(pool, (), workers, 0, 0) for _ in range(4)] == [2, 0, 3, -1]
    assert not round_robin.wanted(pool, (), workers, 0, 0)


def test_pinned_workers_leave_the_queue_of_others_alone():
    pool, _, workers = pool_of(2, 5)
    for w in range(5):
        pinned.enqueue(pool, (), workers, w, 1, 0)
    assert [pinned.pick(pool, (), workers, 1, 0) for _ in range(3)] == [1, 3, -1]
    assert [pinned.pick(pool, (), workers, 0, 0) for _ in range(4)] == [0, 2, 4, -1]
    assert (pool.head, pool.tail) == (-1, -1)


@pytest.mark.parametrize(
    ("discipline", "spins", "inherits", "wakes"),
    [
        (lock.TICKET, 1, (1, 1), 0),
        (lock.UNFAIR, 1, (0, 1), 0),
        (lock.MUTEX_DIRECT, 0, (1, 1), 0),
        (lock.MUTEX_BARGING, 0, (0, 0), 1),
    ],
)
def test_a_lock_goes_to_whom_its_discipline_says(discipline, spins, inherits, wakes):
    row = SimpleNamespace(holder=-1, discipline=discipline)
    assert lock.may_take(row)
    row.holder = 3
    assert not lock.may_take(row)
    waiters = [SimpleNamespace(running=running) for running in (0, 1)]
    assert (lock.spins(row), lock.wakes(row)) == (spins, wakes)
    assert tuple(lock.inherits(row, waiter) for waiter in waiters) == inherits


def test_a_moderated_bell_waits_for_its_timer_or_its_count():
    bell = SimpleNamespace(pending=1, timer=50, count=3)
    assert doorbell.due(bell) == 50
    bell.pending = 2
    assert doorbell.due(bell) == -1
    bell.pending = 3
    assert doorbell.due(bell) == 0
    bell.count = 0
    assert doorbell.due(bell) == -1


def test_a_guest_runs_its_tasks_in_turn_and_ends_a_slice_only_for_another():
    tasks = SimpleNamespace(first=-1, final=-1, slice=10, since=100)
    inboxes = [SimpleNamespace(behind=-1) for _ in range(3)]
    assert not guest.over(tasks, 500)
    for i in (2, 0):
        guest.enqueue(tasks, inboxes, i)
    assert not guest.over(tasks, 109)
    assert guest.over(tasks, 110)
    assert [guest.pick(tasks, inboxes) for _ in range(3)] == [2, 0, -1]
    tasks.slice = 0
    guest.enqueue(tasks, inboxes, 1)
    assert not guest.over(tasks, 500)


def test_a_vcpu_in_the_host_takes_its_interrupt_on_the_way_back():
    inbox = SimpleNamespace(in_turn=0, told=0, notified=0, level=1)
    worker = SimpleNamespace(state=doorbell.WORKER_RUNNING, polling=0, masked=0, level=0)
    assert doorbell.consumer_state(inbox, worker) == doorbell.OTHER
    worker.masked = 1
    assert doorbell.consumer_state(inbox, worker) == doorbell.PENDING


def test_a_worker_polls_once_per_turn():
    worker = SimpleNamespace(window=32, poll_kind=poll.EVENT_LOOP)
    assert poll.window(worker, 0) == 32
    assert poll.window(worker, 1) == 0


def test_a_worker_that_polls_for_ever_always_polls():
    worker = SimpleNamespace(window=32, poll_kind=poll.ENDLESS)
    assert poll.window(worker, 1) == 32


def test_a_batch_rings_once():
    bell = SimpleNamespace(rule=doorbell.BATCH, batch=3, rung=2)
    assert doorbell.rings(bell) == 1
    bell.rung = bell.batch
    assert doorbell.rings(bell) == 0


def test_an_adaptive_window_grows_while_it_may_help_and_gives_up_when_it_cannot():
    worker = polls(poll.EVENT_LOOP, most=32, start=4)
    windows = []
    for idle in (10, 10, 10, 10, 30, 30, 33, 10):
        worker.window = poll.adapted(worker, poll.ORDINARY, idle)
        windows.append(worker.window)
    assert windows == [4, 8, 16, 16, 32, 32, 0, 4]


def polls(kind: int, *, most: int, start: int, shrink: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        poll_kind=kind,
        poll_most=most,
        poll_start=start,
        poll_grow=2,
        poll_shrink=shrink,
        window=0,
        came=poll.WOKEN,
    )


def windows_of(worker: SimpleNamespace, blocks: Iterable[int]) -> list[int]:
    """Return the window of each halt, given for how long each blocks."""
    windows = []
    for block in blocks:
        windows.append(worker.window)
        worker.window = poll.adapted(worker, 1, block)
    return windows


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (50, [0, 10, 20, 40, 80, 80, 80, 80]),
        (150, [0, 10, 20, 40, 80, 160, 160, 160]),
        (190, [0, 10, 20, 40, 80, 160, 200, 200]),
        (200, [0] * 8),  # exactly the longest window
        (500, [0] * 8),
    ],
)
def test_a_host_polls_for_a_halted_vcpu_as_long_as_that_may_help(block, expected):
    worker = polls(poll.HALT, most=200, start=10)
    assert windows_of(worker, [block] * 8) == expected


@pytest.mark.parametrize("shrink", [0, 2])
def test_long_halts_between_short_ones_keep_the_host_from_polling(shrink):
    worker = polls(poll.HALT, most=200, start=10, shrink=shrink)
    assert windows_of(worker, [50, 500] * 4) == [0, 10] * 4


def test_a_window_that_has_shrunk_below_its_first_step_is_none():
    worker = polls(poll.HALT, most=200, start=10, shrink=2)
    worker.window = 40
    assert windows_of(worker, [500] * 4) == [40, 20, 10, 0]


def test_a_host_looks_at_halts_only():
    worker = polls(poll.HALT, most=200, start=10)
    worker.came = poll.AWAKE
    assert windows_of(worker, [50] * 2) == [0, 0]


def test_a_guest_looks_at_the_time_it_was_halted_after_its_own_poll():
    worker = polls(poll.GUEST, most=200, start=50, shrink=2)
    assert windows_of(worker, [200, 100, 200, 201, 201, 10]) == [0, 50, 100, 200, 100, 50]
    worker.came = poll.NOTICED
    assert windows_of(worker, [500] * 2) == [50, 50]


def test_a_guest_has_halted_while_its_host_polls_but_not_while_it_does_itself():
    for kind, expected in ((poll.HALT, 1), (poll.GUEST, 0), (poll.EVENT_LOOP, 0)):
        worker = SimpleNamespace(state=6, polling=1, poll_kind=kind)
        assert poll.halted(worker) == expected
    assert poll.halted(SimpleNamespace(state=poll.WORKER_ASLEEP, polling=0, poll_kind=0)) == 1
    assert poll.halted(SimpleNamespace(state=2, polling=0, poll_kind=poll.HALT)) == 0
