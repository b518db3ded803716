"""Linux's CFS and EEVDF: schedules worked by hand, shares, caps, wake-ups, work conservation."""

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.random_systems import RandomSystem
from tests.schedules import BOTH, Thread, recorded, shares, system
from virtperf import fast
from virtperf.assembly.scheduling import Share
from virtperf.rules import cfs, eevdf
from virtperf.rules.fair import virtual_time
from virtperf.sim.pool import POLICIES
from virtperf.tables import NONE, Policy, Timeline

MS = 10**9  # ticks
LATENCY = {"latency": 24 * MS, "min_granularity": 3 * MS, "wakeup_granularity": 4 * MS}
CONSTANTS = {  # of a host with 8 CPUs or more
    "cfs": {**LATENCY, "bandwidth_slice": 5 * MS},
    "eevdf": {"base_slice": 2_800_000_000, "bandwidth_slice": 5 * MS},
}
PERIOD = 100 * MS
EACH = pytest.mark.parametrize("policy", CONSTANTS)
ON_BOTH = pytest.mark.parametrize("engine", BOTH, ids=lambda engine: engine.__name__)


def fair(policy: str, threads, **changes):
    pool = {"tick_ns": 4e6, "period_ns": 100e6, "constants": CONSTANTS[policy]}
    return system(threads, policy, **{**pool, **changes})


def hog(name: str, weight: int = 1024, cap: int = 0, affinity=(), domain: str = "") -> Thread:
    share = Share(domain=domain or name, weight=weight, cap=cap, affinity=affinity)
    return Thread(name=name, share=share)


# -- by hand --------------------------------------------------------------------------------------
#
# A and S have weight 1024, so a ms moves their vruntime by 1; B has 2048, and moves by 0.5. A and B
# compute all the time, S wakes. There is a tick every ms. All is in ms.

BY_HAND = {"tick_ns": 1e6, "period_ns": 0.0}


def by_hand(policy: str, wakes, constants):
    sleeper = Thread(
        name="S",
        share=Share(weight=1024),
        wakes=[(at * 1000, length * 1000) for at, length in wakes],
    )
    threads = [hog("A"), hog("B", 2048), sleeper]
    return fair(policy, threads, constants=constants, **BY_HAND)


# Latency 6, granularity 1 (of a slice), 1 (of a wake-up). The slice of A beside B is 2 and of B 4;
# with S there they are 1.5 and 3, and that of S is 1.5. A slice of 2 that begins at a tick has not
# been exceeded at the second tick after that, so it ends at the third. S wakes half of 6 behind
# min_vruntime or where it was.
CFS_CONSTANTS = {
    "latency": 6 * MS,
    "min_granularity": MS,
    "wakeup_granularity": MS,
    "bandwidth_slice": 5 * MS,
}
CFS_WAKES = ((5.5, 1.0), (9.5, 1.25), (11.25, 0.5), (26.5, 1.0))
CFS_TABLE = (
    #   at, who, vruntimes of A, B, S, min_vruntime; why
    (0.000, "A", 0.0, 0.000, 0.000, 0.000),  # first of equals
    (3.000, "B", 3.0, 0.000, 0.000, 0.000),  # A has run 3 > 2
    (5.500, "S", 3.0, 1.250, 0.000, 1.250),  # S at max(0, 1.25 - 3); B ahead by 1.25 > 1
    (6.500, "B", 3.0, 1.250, 1.000, 1.250),  # S sleeps
    (9.500, "S", 3.0, 2.750, 1.000, 2.750),  # S at max(1, 2.75 - 3); B ahead by 1.75
    (10.75, "B", 3.0, 2.750, 2.250, 2.750),  # S sleeps
    # at 11.25 S wakes at max(2.25, 3 - 3); B, at 3, is ahead by 0.75 only: S waits
    (14.00, "S", 3.0, 4.375, 2.250, 3.000),  # B has run 3.25 > 3
    (14.50, "A", 3.0, 4.375, 2.750, 3.000),  # S sleeps
    (17.00, "B", 5.5, 4.375, 2.750, 4.375),  # A has run 2.5 > 2, as at 16 it had not: 1.5
    (22.00, "A", 5.5, 6.875, 2.750, 5.500),  # B has run 5 > 4
    (25.00, "B", 8.5, 6.875, 2.750, 6.875),  # A has run 3 > 2
    (26.50, "S", 8.5, 7.625, 4.625, 7.625),  # S at max(2.75, 7.625 - 3); B ahead by 3
    (27.50, "B", 8.5, 7.625, 5.625, 7.625),  # S sleeps
    (32.00, "A", 8.5, 9.875, 5.625, 8.500),  # B has run 4.5 > 4
    (35.00, "B", 11.5, 9.875, 5.625, 9.875),  # A has run 3 > 2
)

# Base slice 3: a slice moves A and S by 3, B by 1.5. A lag is kept up to 6. The average, av, of A
# and B is (A + 2 B) / 3, with S there (A + 2 B + S) / 4. A deadline is met at the first tick that
# is no earlier, and then moves a slice ahead; dA is that of A. The lag of S is that of its last
# sleep.
EEVDF_CONSTANTS = {"base_slice": 3 * MS, "bandwidth_slice": 5 * MS}
EEVDF_WAKES = ((4.5, 0.75), (11.25, 1.25), (14.375, 0.5), (26.5, 1.0))
EEVDF_TABLE = (
    #   at, who, vruntimes of A, B, S; deadlines of A, B, S; lag of S; why
    (0.000, "A", 0.0, 0.00, 0.000, 3.0, 0.0, 0.0, 0.0),  # is alone
    (0.000, "B", 0.0, 0.00, 0.000, 3.0, 1.5, 0.0, 0.0),  # wakes with dB before dA
    (3.000, "A", 0.0, 1.50, 0.000, 3.0, 3.0, 0.0, 0.0),  # dB met; av 1: only A is eligible
    # at 4.5 A, B and so av are at 1.5: S is placed there, dS 4.5 is behind dB 3: S waits
    (6.000, "B", 3.0, 1.50, 1.500, 6.0, 3.0, 4.5, 0.0),  # dA met; av 1.875: B and S, dB first
    (9.000, "S", 3.0, 3.00, 1.500, 6.0, 4.5, 4.5, 0.0),  # dB met; av 2.625: only S
    # S sleeps: av 2.8125, its lag 0.5625; then av is 3: A and B, dB first
    (9.750, "B", 3.0, 3.00, 2.250, 6.0, 4.5, 4.5, 0.5625),
    # S wakes at av 3.5 - 0.5625 * 4/3 = 2.75; that makes av 3.3125: A and S, but not B, at 3.75
    (11.25, "S", 3.0, 3.75, 2.750, 6.0, 4.5, 5.75, 0.5625),
    # S sleeps: av 3.625, its lag -0.375; then av is 3.5: only A
    (12.50, "A", 3.0, 3.75, 4.000, 6.0, 4.5, 5.75, -0.375),
    # at 14.375 A is at 4.875, av 4.125: S is placed at 4.125 + 0.375 * 4/3 = 4.625, which makes av
    # 4.25: not A, but neither is S, so that A runs on
    (16.00, "B", 6.5, 3.75, 4.625, 9.5, 4.5, 7.625, -0.375),  # dA met; av 4.65625: B, S; dB first
    (18.00, "B", 6.5, 4.75, 4.625, 9.5, 6.25, 7.625, -0.375),  # dB met; av 5.15625: dB still first
    (21.00, "S", 6.5, 6.25, 4.625, 9.5, 7.75, 7.625, -0.375),  # dB met; av 5.90625: only S
    # S sleeps: av 6.03125, its lag 0.90625; then av is 6.33: only B
    (21.50, "B", 6.5, 6.25, 5.125, 9.5, 7.75, 7.625, 0.90625),
    (25.00, "A", 6.5, 8.00, 5.125, 9.5, 9.5, 7.625, 0.90625),  # dB met; av 7.5: only A
    # S wakes at av 8 - 0.90625 - 0.302083333, as ticks are whole; A and B are at 8: only S
    (26.50, "S", 8.0, 8.00, 6.791666667, 9.5, 9.5, 9.791666667, 0.90625),
    # S sleeps: av 7.947916666, its lag 0.156249999; then av is 8: A and B; dA = dB, B came first
    (27.50, "B", 8.0, 8.00, 7.791666667, 9.5, 9.5, 9.791666667, 0.156249999),
    # dB met; av 9.16: only A
    (31.00, "A", 8.0, 9.75, 7.791666667, 9.5, 11.25, 9.791666667, 0.156249999),
    # dA met; av 9.83: only B
    (33.00, "B", 10.0, 9.75, 7.791666667, 13.0, 11.25, 9.791666667, 0.156249999),
)

SCHEDULES = {
    "cfs": (CFS_WAKES, CFS_CONSTANTS, CFS_TABLE),
    "eevdf": (EEVDF_WAKES, EEVDF_CONSTANTS, EEVDF_TABLE),
}


def changes(dispatched) -> list[tuple[int, str]]:
    """Return when who runs has changed, and to whom, given (instant, who) of each dispatch."""
    found: list[tuple[int, str]] = []
    for at, who in dispatched:
        if found and found[-1][0] == at:
            found.pop()
        if not found or found[-1][1] != who:
            found.append((at, who))
    return found


def runs(timeline: Timeline, pcpu: int = 0) -> list[tuple[int, str]]:
    """Return when who runs on a pCPU has changed, and to whom; "-" for nobody."""
    names = {**dict(enumerate(timeline.workers)), NONE: "-"}
    return changes((span.start, names[span.worker]) for span in timeline.pcpus[pcpu])


@ON_BOTH
@EACH
def test_who_runs_until_when_is_what_a_table_worked_by_hand_says(policy, engine):
    wakes, constants, table = SCHEDULES[policy]
    timeline = recorded(by_hand(policy, wakes, constants), 40, engine=engine)
    found = runs(timeline)
    expected = changes((round(at * MS), who) for at, who, *_ in table)
    assert found[: len(expected)] == expected


@EACH
def test_the_state_is_that_of_the_table(policy, monkeypatch):
    """Seen by a hook that is told who starts to run."""
    wakes, constants, table = SCHEDULES[policy]
    found = []

    def starts(pool, pcpus, workers, p, w, now):
        state = [worker.vruntime for worker in workers]
        if policy == "cfs":
            state.append(pcpus[p].min_vruntime)
        else:
            state += [*(worker.deadline for worker in workers), workers[2].lag]
        found.append((now, "ABS"[w], *state))

    number, rules = Policy[policy.upper()], {"cfs": cfs, "eevdf": eevdf}[policy]
    monkeypatch.setitem(POLICIES, number, SimpleNamespace(**vars(rules), starts=starts))
    recorded(by_hand(policy, wakes, constants), 40)
    expected = [(round(at * MS), who, *(round(v * MS) for v in state)) for at, who, *state in table]
    assert found[: len(expected)] == expected


# -- shares, caps, wake-ups -----------------------------------------------------------------------


def test_virtual_time_is_exact_where_a_product_would_overflow():
    for ticks, weight in ((10**18, 1024), (10**15 + 7, 3), (5, 88_761), (2**53 + 1, 335)):
        assert virtual_time(ticks, weight) == ticks * 1024 // weight


@EACH
@pytest.mark.parametrize("weights", [(1024, 1024), (1024, 2048), (335, 1024, 3121)])
def test_shares_follow_weights(policy, weights):
    threads = [hog(f"h{n}", weight) for n, weight in enumerate(weights)]
    found = shares(recorded(fair(policy, threads), 60_000, engine=fast))
    for n, weight in enumerate(weights):
        assert found[f"h{n}"] == pytest.approx(weight / sum(weights), rel=0.01)


def ran_in(timeline: Timeline, names: set[str], start: int, end: int) -> int:
    """Return for how many ticks of a window some workers ran in all."""
    return sum(
        max(0, min(span.end, end) - max(span.start, start))
        for track in timeline.pcpus
        for span in track
        if span.worker != NONE and timeline.workers[span.worker] in names
    )


@ON_BOTH
@EACH
@pytest.mark.parametrize("rival", [False, True])
@pytest.mark.parametrize("cap", [37, 250, 400])
def test_a_cap_holds_in_each_period_to_the_tick(policy, engine, cap, rival):
    """Alone or beside a rival, whose weight would leave it half: a quota, and all of it."""
    threads = [hog("a", cap=cap), *([hog("b")] if rival else [])]
    timeline = recorded(fair(policy, threads), 1000, engine=engine)
    periods = range(0, timeline.time - PERIOD, PERIOD)
    found = {ran_in(timeline, {"a"}, start, start + PERIOD) for start in periods}
    assert found == {cap * PERIOD // 1000}
    assert any(span.name == "idle: cap" for span in timeline.pcpus[0]) != rival


@ON_BOTH
@EACH
def test_a_domain_shares_its_cap_among_its_workers(policy, engine):
    """A period has two slices for four workers: those who had none are first in the next."""
    names = {f"v{n}" for n in range(4)}
    threads = [hog(name, cap=100, domain="vm") for name in sorted(names)]
    timeline = recorded(fair(policy, threads, pcpus=4), 1000, engine=engine)
    periods = range(0, timeline.time - PERIOD, PERIOD)
    assert {ran_in(timeline, names, start, start + PERIOD) for start in periods} == {PERIOD // 10}
    for start in range(0, timeline.time - 2 * PERIOD, 2 * PERIOD):
        found = [ran_in(timeline, {name}, start, start + 2 * PERIOD) for name in names]
        assert found == [5 * MS] * 4


@ON_BOTH
@EACH
def test_who_sleeps_gives_its_runtime_back_to_its_domain(policy, engine):
    """`s` draws 5 ms of 10, runs for 2 and sleeps; `h` has the other 8."""
    share = Share(domain="vm", weight=1024, cap=100)
    threads = [
        hog("h", cap=100, domain="vm"),
        Thread(name="s", share=share, wakes=[(1000.5, 2000)]),
    ]
    timeline = recorded(fair(policy, threads, pcpus=2), 200, engine=engine)
    found = [ran_in(timeline, {name}, 0, PERIOD) for name in "hs"]
    assert found == [8 * MS, 2 * MS]


SLEEPER_WAKES = [(20_500 + 30_700 * n, 500) for n in range(7)]


def sleeper_and_hog(policy: str, engine) -> list[int]:
    """Return when a sleeper of the weight of a hog, which wakes for 0.5 ms, begins to run."""
    threads = [hog("hog"), Thread(name="s", share=Share(weight=1024), wakes=SLEEPER_WAKES)]
    timeline = recorded(fair(policy, threads), 250, engine=engine)
    return [start for start, who in runs(timeline) if who == "s"]


@ON_BOTH
def test_under_cfs_a_sleeper_preempts_a_hog_as_it_wakes(engine):
    assert sleeper_and_hog("cfs", engine) == [int(at * 10**6) for at, _ in SLEEPER_WAKES]


@ON_BOTH
def test_under_eevdf_a_sleeper_preempts_a_hog_as_long_as_it_is_owed_time(engine):
    """It wakes with no lag first, and waits until a tick, at 24, finds the slice of the hog over.

    It has then run for 0.5 ms, is 3 behind, and half of it is its lag: 1.5. It wakes 3 behind, as
    its coming draws the average back; each time it runs for 0.5, so that 0.25 of its lag is spent.
    So six times it is owed something.
    """
    began = sleeper_and_hog("eevdf", engine)
    assert began == [24 * MS, *(int(at * 10**6) for at, _ in SLEEPER_WAKES[1:])]


@ON_BOTH
@EACH
def test_who_is_owed_nothing_waits_for_the_tick_after_the_slice(policy, engine):
    """`b` first comes when `a` has run for 1 ms: less than the granularity of CFS, and no lag."""
    threads = [hog("a"), Thread(name="b", share=Share(weight=1024), wakes=[(1_000, 50_000)])]
    second = runs(recorded(fair(policy, threads), 60, engine=engine))[1]
    ends = {"cfs": 16, "eevdf": 4}  # slices of 12, which at 12 is not exceeded yet, and 2.8
    assert second == (ends[policy] * MS, "b")


@ON_BOTH
def test_a_tick_of_cfs_ends_a_slice_that_is_far_ahead(engine):
    """Light `b` wakes 12 ms behind `a`, no reason to preempt for its weight; at 28 it is 26 behind.

    That is more than the slice of `a`, 23.65 ms, which has begun only as `s` slept, at 13.5. `b`
    has come at 14.2, when `a` was at 13.7, and has a slice of 0.35, over at the next tick.
    """
    threads = [
        hog("a"),
        Thread(name="s", share=Share(weight=1024), wakes=[(13_000, 500)]),
        Thread(name="b", share=Share(weight=15), wakes=[(14_200, 50_000)]),
    ]
    found = runs(recorded(fair("cfs", threads), 60, engine=engine))[:5]
    assert [(at / MS, who) for at, who in found] == [
        (0, "a"),
        (13, "s"),
        (13.5, "a"),
        (28, "b"),
        (32, "a"),
    ]


# -- several pCPUs --------------------------------------------------------------------------------


def random_threads(rng: random.Random, pcpus: int, *, limits: bool) -> list[Thread]:
    threads = []
    for n in range(rng.randint(1, 7)):
        wakes, at = None, 0
        if rng.random() < 0.6:
            wakes = []
            for _ in range(rng.randint(1, 40)):
                at += rng.choice([250, 1000, 3700, 12_345])
                wakes.append((at, rng.choice([100, 950, 4000, 9000])))
        affinity = rng.sample(range(pcpus), rng.randint(1, pcpus)) if rng.random() < 0.5 else ()
        share = Share(
            domain=rng.choice(["", "", "vm"]),
            weight=rng.choice([15, 335, 1024, 1024, 2048, 88_761]),
            cap=rng.choice([0, 0, 70, 333, 1500]) if limits else 0,
            affinity=tuple(affinity) if limits else (),
        )
        threads.append(Thread(name=f"t{n}", share=share, wakes=wakes))
    return threads


def random_system(policy: str, seed: int, *, limits: bool):
    rng = random.Random(seed)
    pcpus = rng.randint(1, 4)
    threads = random_threads(rng, pcpus, limits=limits)
    return fair(policy, threads, pcpus=pcpus, switch_ns=rng.choice([0.0, 3_000.0]))


@EACH
@pytest.mark.parametrize("seed", range(50))
def test_both_engines_record_the_same(policy, seed):
    one, other = (
        recorded(random_system(policy, seed, limits=True), 250, engine=engine) for engine in BOTH
    )
    assert one == other


@EACH
@pytest.mark.parametrize("seed", range(20))
def test_both_engines_agree_on_interrupts_locks_and_doorbells(policy, seed):
    """Times are a thousandth of those of hosts, as those of the systems are short."""
    rng, built = random.Random(seed), RandomSystem(seed, wide=seed % 3 == 0).system()
    constants = tuple((name, ticks // 1000) for name, ticks in CONSTANTS[policy].items())
    workers = tuple(
        replace(
            row,
            weight=rng.choice([15, 1024, 2048]),
            cap=rng.choice([0, 0, 300, 1500]),
            domain=rng.choice([NONE, 0, 1]),
        )
        for row in built.workers
    )
    pool = replace(
        built.pool,
        policy=Policy[policy.upper()],
        tick=4 * MS // 1000,
        period=PERIOD // 1000,
        constants=constants,
    )
    made = replace(built, pool=pool, workers=workers)
    one, other = (
        engine.record(made, seed=1, replication=0, requests=60, spans=10**6) for engine in BOTH
    )
    assert one[0].snapshots == other[0].snapshots
    assert one[1] == other[1]


def stretches_of(tracks, names: set[str]) -> list[tuple[int, int]]:
    return [(span.start, span.end) for track in tracks for span in track if span.name in names]


def overlap(some, others) -> bool:
    return any(start < until and since < end for start, end in some for since, until in others)


@EACH
def test_no_pcpu_is_idle_while_somebody_waits(policy):
    waits = idles = 0
    for seed in range(40):
        timeline = recorded(random_system(policy, seed, limits=False), 250, engine=fast)
        ready = stretches_of(timeline.states, {"ready"})
        idle = stretches_of(timeline.pcpus, {"idle", "idle: cap", "idle: affinity"})
        assert not overlap(ready, idle), seed
        waits, idles = waits + len(ready), idles + len(idle)
    assert min(waits, idles) > 100


@EACH
def test_else_its_account_says_what_keeps_it_idle(policy):
    seen = set()
    for seed in range(40):
        timeline = recorded(random_system(policy, seed, limits=True), 250, engine=fast)
        ready = stretches_of(timeline.states, {"ready"})
        assert not overlap(ready, stretches_of(timeline.pcpus, {"idle"})), seed
        for why in ("idle: cap", "idle: affinity"):
            if overlap(ready, stretches_of(timeline.pcpus, {why})):
                seen.add(why)
    assert seen == {"idle: cap", "idle: affinity"}


@ON_BOTH
@EACH
def test_who_wakes_takes_its_last_pcpu_if_idle_else_another_that_is(policy, engine):
    """`z` starts on pCPU 0, as `x` does, and finds `x` there; later it finds `y` on pCPU 1."""
    times = {"x": [(1000, 1000)], "y": [(8000, 5000)], "z": [(1500, 300), (5000, 300), (9000, 300)]}
    threads = [Thread(name=name, wakes=wakes) for name, wakes in times.items()]
    timeline = recorded(fair(policy, threads, pcpus=2), 20, engine=engine)
    zero, one = ([who for _, who in runs(timeline, p)] for p in range(2))
    assert zero == ["-", "x", "-", "z", "-"]
    assert one == ["-", "z", "-", "z", "-", "y", "-"]


@ON_BOTH
@pytest.mark.parametrize(
    ("policy", "affinity", "pulled"),
    [("cfs", (), "x4"), ("eevdf", (), "x7"), ("cfs", (1,), "x3"), ("eevdf", (1,), "x0")],
)
def test_a_pcpu_that_falls_idle_pulls_from_the_longest_queue(policy, affinity, pulled, engine):
    """At 4.8 ms one waits at pCPU 0, two at pCPU 1, of which an affinity may keep some there.

    Under CFS these are x3; x4 and x7. Under EEVDF a tick at 4 has changed that: x0; x7 and x1.
    """
    wakes = {"x0": 100, "x1": 200, "x2": 300, "x3": 400, "x4": 500, "x7": 600}  # us
    threads = [
        Thread(
            name=name,
            share=Share(weight=1024, affinity=affinity if name in ("x4", "x7") else ()),
            wakes=[(wakes.get(name, 900_000), 4500 if name == "x2" else 9000)],
        )
        for name in (f"x{n}" for n in range(8))
    ]
    timeline = recorded(fair(policy, threads, pcpus=3), 20, engine=engine)
    assert runs(timeline, 2)[:3] == [(0, "-"), (300_000_000, "x2"), (4_800_000_000, pulled)]


@ON_BOTH
@EACH
@pytest.mark.parametrize("seed", range(10))
def test_one_thread_per_pcpu_has_what_it_would_have_pinned(policy, engine, seed):
    """Who runs where, what threads do, latencies: no switches, no preemption, no migration."""
    rng = random.Random(seed)
    threads = random_threads(rng, 4, limits=False)[:4]
    systems = (
        fair(policy, threads, pcpus=4, switch_ns=700.0),
        system(threads, "pinned", pcpus=4, switch_ns=700.0),
    )
    one, other = (recorded(each, 100, engine=engine) for each in systems)
    assert one.states == other.states
    assert all(runs(one, p) == runs(other, p) for p in range(4))
    one, other = (
        engine.run(each, seed=1, replication=0, requests=300).snapshots[-1] for each in systems
    )
    assert (one.completed, one.residence) == (other.completed, other.residence)


# -- one rule at a time ---------------------------------------------------------------------------


class Host:
    """Rows of a pool of two pCPUs whose state a test sets; all weights are 1024, times are ms."""

    def __init__(self, rules, crew: int, **constants: int) -> None:
        zero = {name: 0 for name in (*rules.PCPU_FIELDS, *rules.WORKER_FIELDS)}
        given = {"tick": 4, "period": 100, **constants}
        self.rules = rules
        self.pool = SimpleNamespace(
            count=2, crew=crew, idle=2, head=-1, tail=-1, waiting=0, sharing=0, **given
        )
        self.pcpus = [SimpleNamespace(**zero, worker=-1, dispatched=0, charged=0) for _ in range(2)]
        self.workers = [
            SimpleNamespace(**zero, pin=0, affinity=[3], weight=1024, cap=0, leader=w, next=-1)
            for w in range(crew)
        ]
        rules.reset(self.pool, self.pcpus, self.workers)

    def ask(self, hook: str, *given: int) -> int:
        return getattr(self.rules, hook)(self.pool, self.pcpus, self.workers, *given)

    def runs(self, w: int, p: int, vruntime: int = 0, deadline: int = 0) -> None:
        self.pcpus[p].worker = w
        self.pool.idle -= 1
        self._set(w, p, vruntime, deadline)

    def waits(self, w: int, p: int, vruntime: int = 0, deadline: int = 0) -> None:
        self._set(w, p, vruntime, deadline)
        self.ask("enqueue", w, 0, 0)

    def _set(self, w: int, p: int, vruntime: int, deadline: int) -> None:
        self.workers[w].at, self.workers[w].vruntime = p, vruntime
        self.workers[w].deadline = deadline


def cfs_host(crew: int) -> Host:
    return Host(cfs, crew, **{name: ticks // MS for name, ticks in CONSTANTS["cfs"].items()})


def eevdf_host(crew: int, base_slice: int = 3) -> Host:
    return Host(eevdf, crew, base_slice=base_slice, bandwidth_slice=5)


@pytest.mark.parametrize(("ran", "goes"), [(2, 0), (3, 1)])
def test_cfs_lets_run_for_the_granularity_who_is_far_ahead(ran, goes):
    host = cfs_host(2)
    host.runs(0, 0, vruntime=50)
    host.waits(1, 0)
    assert host.ask("tick", 0, ran) == goes


@pytest.mark.parametrize(("ran", "goes"), [(2, 0), (3, 0), (4, 1)])
def test_many_share_a_period_of_a_granularity_each(ran, goes):
    """Of 24 ms each of 12 would have 2."""
    host = cfs_host(12)
    host.runs(0, 0)
    for w in range(1, 12):
        host.waits(w, 0)
    assert host.ask("tick", 0, ran) == goes


@pytest.mark.parametrize(("vruntime", "next_one"), [(24, 2), (25, 1)])
def test_who_preempts_is_next_unless_it_is_far_ahead_of_the_head(vruntime, next_one):
    host = cfs_host(3)
    host.runs(0, 0, vruntime=40)
    host.waits(1, 0, vruntime=20)
    host.workers[2].vruntime = vruntime
    host.ask("enqueue", 2, 1, 0)
    assert host.ask("preempts", 2, 0) == 0
    host.pcpus[0].worker = -1
    host.waits(0, 0, vruntime=40)
    assert host.ask("pick", 0, 0) == next_one


def test_on_another_pcpu_a_worker_keeps_its_place_in_relation_to_others():
    host = cfs_host(2)
    host.pcpus[0].min_vruntime, host.pcpus[1].min_vruntime = 100, 40
    host.runs(0, 0, vruntime=100)
    host.workers[1].vruntime = 102
    assert host.ask("place", 1, 0) == 1
    assert host.workers[1].vruntime == 42


def test_who_is_pulled_keeps_its_place_among_those_of_now():
    """The first that waits has the least vruntime, so it has the least where it comes."""
    host = cfs_host(2)
    host.pcpus[1].min_vruntime = 40
    host.runs(0, 0, vruntime=10)
    host.waits(1, 0, vruntime=8)
    assert host.ask("pick", 1, 0) == 1
    assert (host.workers[1].vruntime, host.workers[1].at) == (40, 1)


def test_min_vruntime_never_goes_back():
    host = cfs_host(2)
    host.pcpus[0].min_vruntime = 30
    host.runs(0, 0, vruntime=25)
    host.ask("account", 0, 1, 0)
    assert (host.workers[0].vruntime, host.pcpus[0].min_vruntime) == (26, 30)


@pytest.mark.parametrize(("base_slice", "limit"), [(3, 6), (1, 4)])
@pytest.mark.parametrize("ahead", [1, -1])
def test_eevdf_keeps_a_lag_within_two_slices_or_a_tick(base_slice, limit, ahead):
    host = eevdf_host(2, base_slice)
    host.waits(0, 0, vruntime=100 - 50 * ahead, deadline=999)
    host.runs(1, 0, vruntime=100 + 50 * ahead, deadline=999)
    host.ask("account", 1, 0, 0)
    host.pcpus[0].worker = -1
    host.ask("leaves", 1, 0)
    assert host.workers[1].lag == -ahead * limit


def test_a_wake_up_ends_a_slice_that_is_over():
    """Whoever is next: here neither who wakes nor, as its new slice ends late, who ran."""
    host = eevdf_host(3)
    host.waits(1, 0, vruntime=2, deadline=4)
    host.runs(0, 0, vruntime=3, deadline=3)
    host.ask("enqueue", 2, 1, 0)
    assert host.ask("preempts", 2, 0) == 0
    host.pcpus[0].worker = -1
    host.ask("enqueue", 0, 0, 0)
    assert host.workers[0].deadline == 6
    assert host.ask("pick", 0, 0) == 1


@pytest.mark.parametrize(("deadline", "preempted"), [(7, -1), (8, -1), (9, 0)])
def test_who_wakes_needs_an_earlier_deadline_than_who_is_eligible(deadline, preempted):
    """It is placed at 5, where the other is, with a slice of 3."""
    host = eevdf_host(2)
    host.runs(0, 0, vruntime=5, deadline=deadline)
    host.ask("enqueue", 1, 1, 0)
    assert host.ask("preempts", 1, 0) == preempted


def test_who_is_throttled_keeps_its_lag():
    host = eevdf_host(2)
    host.workers[0].cap, host.workers[0].runtime = 100, 0
    host.waits(1, 0, vruntime=1, deadline=9)
    host.runs(0, 0, vruntime=5, deadline=9)
    host.ask("account", 0, 0, 0)
    host.pcpus[0].worker = -1
    host.ask("enqueue", 0, 0, 0)
    assert (host.workers[0].throttled, host.workers[0].lag) == (1, -2)


@EACH
def test_the_first_that_waits_at_an_idle_pcpu_is_left_to_it(policy):
    """So it is as a period begins, when several were throttled."""
    host = cfs_host(2) if policy == "cfs" else eevdf_host(2)
    host.waits(0, 1)
    assert host.ask("pick", 0, 0) == -1
    host.waits(1, 1)
    assert host.ask("pick", 0, 0) == 1
