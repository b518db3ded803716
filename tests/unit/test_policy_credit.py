"""Xen's credit scheduler: against the oracle, and schedules worked by hand."""

import random
from copy import deepcopy
from itertools import pairwise

import pytest

from tests.credit_oracle import Oracle, Vcpu
from tests.schedules import BOTH, Thread, recorded, shares, stretches, system, who_ran
from virtperf.assembly.scheduling import Share

MS = 10**9  # ticks
CONSTANTS = {"ratelimit": MS, "balance_every": MS, "sampled": 0}
POOL = {"slice_ns": 30e6, "tick_ns": 10e6, "period_ns": 30e6, "constants": CONSTANTS}


def credit(threads, **changes):
    return system(threads, "credit", **{**POOL, **changes})


def hog(name: str, weight: int = 256, cap: int = 0) -> Thread:
    return Thread(name=name, share=Share(domain=name, weight=weight, cap=cap))


# -- the oracle ---------------------------------------------------------------------------------


def random_vcpus(rng: random.Random) -> list[Vcpu]:
    vcpus = []
    for i in range(rng.randint(1, 4)):
        wakes, at = None, 0
        if rng.random() < 0.5:
            wakes = []
            for _ in range(rng.randint(1, 40)):
                at += 50 * rng.randint(1, 400)
                wakes.append((at, 50 * rng.randint(1, 60)))
        weight, cap = rng.choice([67, 131, 257, 509]), rng.choice([0, 0, 0, 20.3, 40.7, 60.1])
        vcpus.append(Vcpu(f"v{i}", weight, cap, wakes))
    return vcpus


def comparable(oracle: Oracle) -> bool:
    """Whether no two things happen at the same instant, whose order the rules leave open."""
    if any(vcpu.closest < 0.01 for vcpu in oracle.vcpus):  # credits at a border, units of 100 us
        return False
    woke = [at for vcpu in oracle.vcpus for at, _ in vcpu.woke]
    limits = [at + oracle.ratelimit for at in oracle.begun]
    return all(at % 10_000 for at in (*woke, *limits))  # at a tick


def borders(trace: list[str]) -> list[tuple[str, int]]:
    """Return who ran until when, in steps; turns of a single step are left out."""
    found: list[tuple[str, int]] = []
    at = 0
    for name, length in stretches(trace, 1000):
        at += int(length)
        if length == 1:
            continue
        if found and found[-1][0] == name:
            found.pop()
        found.append((name, at))
    return found


def check_against_oracle(seed: int, engine) -> bool:
    vcpus = random_vcpus(random.Random(seed))
    oracle = Oracle(deepcopy(vcpus), 1_000_000)
    if not comparable(oracle):
        return False
    # 10 ns late and 20 ns short: what ends at the instant of a wake-up has ended before it
    threads = [
        Thread(
            name=vcpu.name,
            share=Share(domain=vcpu.name, weight=vcpu.weight, cap=round(10 * vcpu.cap)),
            wakes=None
            if vcpu.wakes is None
            else [(at + 0.01, length - 0.02) for at, length in vcpu.woke],
        )
        for vcpu in oracle.vcpus
        if vcpu.wakes is None or vcpu.woke
    ]
    timeline = recorded(credit(threads), 1000, engine=engine)
    (trace,) = who_ran(timeline, min(1_000_000, timeline.time // 10**6))
    expected, found = borders(oracle.trace[: len(trace)]), borders(trace)
    assert [name for name, _ in found] == [name for name, _ in expected], seed
    for (_, one), (_, other) in zip(found, expected, strict=True):
        assert abs(one - other) <= 1, seed
    return True


def test_who_runs_when_is_what_the_oracle_says():
    checked = sum(check_against_oracle(seed, BOTH[1]) for seed in range(200))
    assert checked > 60


@pytest.mark.slow
def test_who_runs_when_is_what_the_oracle_says_on_many_more():
    checked = sum(check_against_oracle(seed, BOTH[seed % 2]) for seed in range(1000, 2200))
    assert checked > 400


# -- case 8: shares, caps, latency ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((256, 256), (0.5, 0.5)),
        ((256, 512), (0.333, 0.667)),
        ((128, 256, 512), (0.143, 0.286, 0.571)),
    ],
)
def test_shares_follow_weights(weights, expected):
    names = [f"h{i}" for i in range(len(weights))]
    threads = [hog(name, weight) for name, weight in zip(names, weights, strict=True)]
    found = shares(recorded(credit(threads), 60_000, engine=BOTH[1]))
    assert [found[name] for name in names] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("cap", "bursts"), [(250, (30, 90)), (400, (60, 90)), (500, (60, 60)), (750, (180, 60))]
)
@pytest.mark.parametrize("engine", BOTH)
def test_a_cap_acts_in_bursts_of_whole_periods(cap, bursts, engine):
    timeline = recorded(credit([hog("a", cap=cap)]), 6_000, engine=engine)
    (trace,) = who_ran(timeline, 6_000_000)
    found = stretches(trace)[4:10]
    assert {length for name, length in found if name == "a"} == {bursts[0]}
    assert {length for name, length in found if name == "-"} == {bursts[1]}
    assert {span.name for span in timeline.pcpus[0]} == {"a", "idle: cap"}


def test_a_capped_hog_leaves_the_rest_to_another():
    found = shares(recorded(credit([hog("a", cap=200), hog("b")]), 60_000, engine=BOTH[1]))
    assert found["a"] == pytest.approx(0.2, abs=0.01)
    assert found["b"] == pytest.approx(0.8, abs=0.01)


def io_wakes(rng: random.Random, count: int) -> list[tuple[int, int]]:
    """0.1 ms of work after sleeps of 10 ms on average, on the oracle's grid, never at a tick."""
    at, wakes = 0, []
    for _ in range(count):
        at += 100 + 50 * round(rng.expovariate(1 / 10_000) / 50 + 1)
        at += 50 * (at % 10_000 in (0, 9_000))
        wakes.append((at, 100))
    return wakes


def p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.99 * len(values)))]


@pytest.mark.parametrize("ratelimit_us", [1_000, 0])
@pytest.mark.parametrize("hogs", [1, 2, 4])
def test_wake_to_run_latency_is_the_oracles_on_the_same_wake_ups(hogs, ratelimit_us):
    wakes = io_wakes(random.Random(hogs), 1_500)
    vcpus = [Vcpu("io", wakes=deepcopy(wakes)), *(Vcpu(f"h{n}") for n in range(hogs))]
    oracle = Oracle(vcpus, 15_000_000, ratelimit=ratelimit_us)
    io = oracle.vcpus[0]
    exact = [(at + 0.01, length - 0.02) for at, length in io.woke]
    threads = [Thread(name="io", share=Share(domain="io", weight=256), wakes=exact)]
    threads += [hog(f"h{n}") for n in range(hogs)]
    constants = {**CONSTANTS, "ratelimit": ratelimit_us * MS // 1_000}
    timeline = recorded(credit(threads, constants=constants), 15_000, engine=BOTH[1])
    states = timeline.states[0]
    found = [
        (after.start - (before.start if before.name == "ready" else after.start)) / 10**6
        for before, after in pairwise(states)
        if after.name == "running" and after.end < 15_000 * MS
    ]
    assert abs(len(found) - len(io.latencies)) <= 0.02 * len(io.latencies)
    assert p99(found) == pytest.approx(p99(io.latencies), abs=100)  # us: 0.1 ms
    assert sorted(found)[len(found) // 2] == pytest.approx(
        sorted(io.latencies)[len(io.latencies) // 2], abs=100
    )
    assert p99(found) <= ratelimit_us + 1
    got = shares(timeline)
    assert got["io"] == pytest.approx(0.01, abs=0.002)
    assert [got[f"h{n}"] for n in range(hogs)] == pytest.approx([0.99 / hogs] * hogs, abs=0.01)


# -- by hand, on two pCPUs: what the oracle lacks --------------------------------------------------


@pytest.mark.parametrize("engine", BOTH)
def test_a_pcpu_that_falls_idle_steals_from_one_where_somebody_waits(engine):
    """`e` computes on pCPU 0, `f` works on pCPU 1 from 0.01 to 2.51 ms.

    At 1.05 ms `c`, which may use pCPU 0 only, wakes: it is boosted, `e` has had its millisecond and
    goes into the queue of pCPU 0. At 2.51 ms pCPU 1 falls idle and steals it. At 3.05 ms `c` is
    done, and nobody wants pCPU 0.
    """
    threads = [
        hog("e"),
        Thread(name="f", share=Share(domain="f", weight=256), wakes=[(10, 2_500)]),
        Thread(
            name="c", share=Share(domain="c", weight=256, affinity=(0,)), wakes=[(1_050, 2_000)]
        ),
    ]
    zero, one = who_ran(recorded(credit(threads, pcpus=2), 10, engine=engine), 5_000, 10)
    assert stretches(zero, 10) == [("e", 1.05), ("c", 2.0), ("-", 1.95)]
    assert stretches(one, 10) == [("-", 0.01), ("f", 2.5), ("e", 2.49)]


@pytest.mark.parametrize("engine", BOTH)
def test_a_pcpu_that_runs_somebody_over_steals_one_that_is_under(engine):
    """`x` and `y` share pCPU 0, `o` of little weight has pCPU 1, which it may not leave, to itself.

    `y` has not run when credits are first handed out, at 30 ms, and gets none; `x` and `o` get what
    a pCPU each can use, 30, and are at 0. From then on 28.24 of 60 ms are due to `x` and to `y`,
    3.53 to `o`. At 60 ms `x` is at 28.24, `y` at -1.76 and `o` at -26.47: `x` is next on pCPU 0,
    and `y`, OVER as `o` is, nothing to steal. At 90 ms `x` and `y` are both at 26.47: `y` is next,
    and `x`, which would wait UNDER, is stolen by pCPU 1 from `o`, at -30. Nobody is at 120 ms.
    """
    threads = [
        Thread(name="x", share=Share(domain="x", weight=512)),
        Thread(name="o", share=Share(domain="o", weight=64, affinity=(1,))),
        Thread(name="y", share=Share(domain="y", weight=512)),
    ]
    zero, one = who_ran(recorded(credit(threads, pcpus=2), 140, engine=engine), 140_000)
    assert stretches(zero) == [("x", 30.0), ("y", 30.0), ("x", 30.0), ("y", 50.0)]
    assert stretches(one) == [("o", 90.0), ("x", 50.0)]


@pytest.mark.parametrize("engine", BOTH)
def test_sampled_debits_charge_whole_ticks_to_whoever_is_seen(engine):
    """`seen` runs for 1 ms around two ticks of three, and a hog takes the rest.

    Debited exactly it uses 2 ms of the 15 that are its due in a period, is UNDER, and runs as it
    wakes. Sampled it is charged 20, becomes OVER, waits behind the hog and runs what has gathered.
    """
    wakes = [(30_000 * (n // 2) + 9_500 + 10_000 * (n % 2), 1_000) for n in range(200)]
    threads = [hog("hog"), Thread(name="seen", share=Share(weight=256), wakes=wakes)]
    longest = {}
    for sampled in (0, 1):
        constants = {**CONSTANTS, "sampled": sampled}
        timeline = recorded(credit(threads, constants=constants), 1_000, engine=engine)
        found = stretches(who_ran(timeline, 1_000_000)[0])
        longest[sampled] = max(length for name, length in found if name == "seen")
    assert longest[0] == 1.0
    assert longest[1] >= 2.0


@pytest.mark.parametrize(("ratelimit", "most"), [(MS, 1_000), (0, 1e9)])
def test_the_ratelimit_bounds_preemptions(ratelimit, most):
    """Four that wake all the time: at most 1,000 preemptions a second, and several times that."""
    rng = random.Random(7)
    threads = [hog("hog")]
    for n in range(4):
        at, wakes = 0.0, []
        for _ in range(8_000):
            at += rng.expovariate(1 / 400)
            wakes.append((at, 20.0))
        threads.append(Thread(name=f"io{n}", share=Share(domain=f"io{n}", weight=256), wakes=wakes))
    built = credit(threads, constants={**CONSTANTS, "ratelimit": ratelimit})
    last = BOTH[1].run(built, seed=1, replication=0, requests=20_000).snapshots[-1]
    rate = last.preemptions / (last.time / 10**12)
    assert rate <= most
    assert ratelimit or rate > 3_000


@pytest.mark.parametrize("engine", BOTH)
def test_a_tick_moves_who_is_active_to_an_idle_core(engine):
    """pCPUs 0 and 1 are a core. The first tick makes both active; at the second 0's goes away."""
    threads = [hog("a"), hog("b")]
    timeline = recorded(credit(threads, pcpus=4, sharing=0.625), 50, engine=engine)
    tracks = [stretches(track, 1000) for track in who_ran(timeline, 50_000, 1000)]
    assert tracks[0] == [("a", 20), ("-", 30)]
    assert tracks[1] == [("b", 50)]
    assert tracks[2] == [("-", 20), ("a", 30)]
    assert tracks[3] == [("-", 50)]


@pytest.mark.parametrize("engine", BOTH)
def test_where_each_pcpu_is_a_core_a_tick_moves_nobody(engine):
    timeline = recorded(credit([hog("a"), hog("b")], pcpus=4), 50, engine=engine)
    tracks = [stretches(track, 1000) for track in who_ran(timeline, 50_000, 1000)]
    assert tracks == [[("a", 50)], [("b", 50)], [("-", 50)], [("-", 50)]]
