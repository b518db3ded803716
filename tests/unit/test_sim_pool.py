"""A policy with clocks, charges and wake-up preemption needs no change to the engine."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.random_systems import RandomSystem
from virtperf.assembly import Assembly
from virtperf.dist import Exponential
from virtperf.path import end, serve, work
from virtperf.rules import round_robin
from virtperf.sim import run
from virtperf.sim.pool import POLICIES
from virtperf.tables import System

FAIR = 99
US = 1_000_000  # ticks


def _richest(pool, workers) -> int:
    """Return who waits with the most credits, the first of equals; -1 if nobody waits."""
    best, w = -1, pool.head
    while w != -1:
        if best == -1 or workers[w].credits > workers[best].credits:
            best = w
        w = workers[w].next
    return best


def pick(pool, pcpus, workers, p, now) -> int:
    best = _richest(pool, workers)
    chain, w = [], pool.head
    while w != -1:
        chain.append(w)
        w = workers[w].next
    pool.head = pool.tail = -1
    for other in chain:
        if other != best:
            round_robin.enqueue(pool, (), workers, other, 0, 0)
    return best


def preempts(pool, pcpus, workers, w, now) -> int:
    """Let a woken worker take the pCPU of the poorest, if that has fewer credits."""
    poorest = min(range(pool.count), key=lambda p: workers[pcpus[p].worker].credits)
    poorer = workers[pcpus[poorest].worker].credits < workers[w].credits
    return poorest if poorer else -1


def tick(pool, pcpus, workers, p, now) -> int:
    best = _richest(pool, workers)
    return int(best != -1 and workers[best].credits > workers[pcpus[p].worker].credits)


def account(pool, pcpus, workers, w, ran, now) -> None:
    workers[w].credits -= ran


def refill(pool, pcpus, workers, now) -> None:
    for worker in workers:
        worker.credits = min(worker.credits + 100 * US, 100 * US)


@pytest.fixture(autouse=True)
def fair() -> Iterator[None]:
    POLICIES[FAIR] = SimpleNamespace(
        place=round_robin.place,
        enqueue=round_robin.enqueue,
        pick=pick,
        due=round_robin.due,
        wanted=round_robin.wanted,
        preempts=preempts,
        tick=tick,
        account=account,
        refill=refill,
        WORKER_FIELDS=("credits",),
    )
    yield
    del POLICIES[FAIR]


def under(policy: int, system: System) -> System:
    pool = replace(system.pool, policy=policy, tick=50 * US, period=200 * US)
    return replace(system, pool=pool)


def sleeper_and_hogs() -> System:
    """Return one thread that wakes for 5 us now and then, and two that compute all the time."""
    assembly = Assembly("hogs", pcpus=1, slice_ns=3e6)
    assembly.station("disk", 1)
    for name in ("sleeper", "hog1", "hog2"):
        assembly.worker(name, name)
    assembly.source(
        "sleeper",
        {
            "wake": (
                1.0,
                (
                    work("sleeper", 5_000, "sleeper"),
                    serve("disk", Exponential(500_000.0), "disk", purpose="disk"),
                    end(),
                ),
            )
        },
        to="sleeper",
        outstanding=1,
    )
    for name in ("hog1", "hog2"):
        path = (work(name, 1_000_000, name), end())
        assembly.source(name, {name: (1.0, path)}, to=name, outstanding=1)
    return assembly.system()


def mean_latency(system: System, group: str) -> float:
    last = run(system, seed=1, replication=0, requests=1_500).snapshots[-1]
    i = system.groups.index(group)
    return last.residence[i] / last.completed[i] / US


def test_wake_up_preemption_spares_the_sleeper_the_slices_of_others():
    """Round robin lets it wait for two slices of 3 ms; one with preemption lets it run at once."""
    waits = mean_latency(sleeper_and_hogs(), "wake")
    runs = mean_latency(under(FAIR, sleeper_and_hogs()), "wake")

    assert waits > 5_000
    assert runs < 700  # 500 us of disk, 5 of CPU, and what is left of ties in credits


def test_who_computes_shares_the_rest_evenly():
    system = under(FAIR, sleeper_and_hogs())
    last = run(system, seed=1, replication=0, requests=1_500).snapshots[-1]
    hogs = [last.completed[system.groups.index(name)] for name in ("hog1", "hog2")]
    assert abs(hogs[0] - hogs[1]) <= 1


@pytest.mark.parametrize("seed", range(60))
def test_random_systems_balance_under_it(seed):
    """The ledger checks itself."""
    system = under(FAIR, RandomSystem(seed).system())
    assert sum(run(system, seed=1, replication=0, requests=100).snapshots[-1].completed) >= 100


def test_a_pcpu_that_a_cap_leaves_free_is_idle_though_somebody_waits():
    """A tick sends the worker away, nobody may run before the refill: the ledger balances."""
    capped = SimpleNamespace(
        place=lambda pool, pcpus, workers, w, now: (
            -1 if workers[w].credit <= -1 else round_robin.place(pool, pcpus, workers, w, now)
        ),
        enqueue=round_robin.enqueue,
        pick=lambda pool, pcpus, workers, p, now: (
            -1
            if pool.head == -1 or workers[pool.head].credit <= -1
            else round_robin.pick(pool, pcpus, workers, p, now)
        ),
        due=lambda pool, pcpus, workers, p, now: -1,
        wanted=lambda pool, pcpus, workers, p, now: 0,
        tick=lambda pool, pcpus, workers, p, now: int(workers[pcpus[p].worker].credit <= -1),
        account=lambda pool, pcpus, workers, w, ran, now: setattr(
            workers[w], "credit", workers[w].credit - ran
        ),
        refill=lambda pool, pcpus, workers, now: [setattr(w, "credit", 1_500_000) for w in workers],
        WORKER_FIELDS=("credit",),
    )
    assembly = Assembly("capped", pcpus=1, slice_ns=50_000)
    assembly.worker("h", "h")
    path = (work("h", 2_000, "h"), end())
    assembly.source("h", {"j": (1.0, path)}, to="h", outstanding=1)
    system = assembly.system()
    pool = replace(system.pool, policy=77, tick=1_000_000, period=10_000_000)
    POLICIES[77] = capped
    try:
        done = run(replace(system, pool=pool), seed=1, replication=0, requests=3)
    finally:
        del POLICIES[77]
    assert [end / 1_000_000 for end in done.ends] == [11, 21, 31]
