"""Xen's credit2 scheduler: a schedule worked by hand, shares, caps, and what both engines say."""

from itertools import pairwise
from random import Random

import pytest

from tests.engines import plain
from tests.schedules import BOTH, Thread, recorded, shares, system
from virtperf import fast, sim
from virtperf.assembly import Assembly
from virtperf.assembly.scheduling import Share
from virtperf.dist import Exponential
from virtperf.path import end, serve, work
from virtperf.rules import credit2
from virtperf.tables import NONE

MS = 10**9  # ticks
CONSTANTS = {
    "credit_init": 10 * MS,
    "credit_carryover": MS // 2,
    "min_runtime": MS // 2,
    "max_runtime": 10 * MS,
    "ratelimit": MS,
    "ratelimit_tolerance": MS // 20,
    "migration_resistance": MS // 2,
    "migration_compensation": MS // 20,
    "per_queue": 16,
}
PERIOD = 10 * MS


def credit2_of(threads, **changes):
    constants = CONSTANTS | changes.pop("constants", {})
    pool = {"slice_ns": 10e6, "period_ns": 10e6, "constants": constants}
    return system(threads, "credit2", **{**pool, **changes})


def hog(name: str, weight: int = 256, **share) -> Thread:
    return Thread(name=name, share=Share(domain=name, weight=weight, **share))


def sleeper(name: str, wakes, weight: int = 256, **share) -> Thread:
    return Thread(name=name, share=Share(domain=name, weight=weight, **share), wakes=wakes)


def turns(track, names) -> list[tuple[float, float, str]]:
    """Return who had a pCPU from when to when, in ms; "-" for nobody."""
    found: list[tuple[float, float, str]] = []
    for span in track:
        name = "-" if span.worker == NONE else names[span.worker]
        start = span.start / MS
        if found and found[-1][2] == name:
            start = found.pop()[0]
        found.append((start, span.end / MS, name))
    return found


def decisions(system, time_ms: int, monkeypatch) -> list[tuple[float, str, tuple, float]]:
    """Return (instant, who runs, credit of each, until when), in ms, of each decision."""
    found = []
    names = [worker.name for worker in system.workers]

    def note(pcpus, workers, p, w, now):
        credits = tuple(worker.credit / MS for worker in workers)
        found.append((now / MS, names[w], credits, pcpus[p].until / MS))

    def starts(pool, pcpus, workers, p, w, now, original=credit2.starts):
        original(pool, pcpus, workers, p, w, now)
        note(pcpus, workers, p, w, now)

    def wanted(pool, pcpus, workers, p, now, original=credit2.wanted):
        if original(pool, pcpus, workers, p, now):
            return 1
        note(pcpus, workers, p, pcpus[p].worker, now)
        return 0

    monkeypatch.setattr(credit2, "starts", starts)
    monkeypatch.setattr(credit2, "wanted", wanted)
    recorded(system, time_ms)
    return found


# -- by hand --------------------------------------------------------------------------------------

# `a` has weight 512 and burns 1 a ms; `b` and `c` have 256 and burn 2. `a` and `b` are hogs; `c`
# wakes at 3 for 2 ms and at 19.2 for 1 ms. In ms: at, who runs, credit of a, b, c, until.
BY_HAND = [
    (0.0, "a", (10.0, 10.0, 10.0), 10.0),  # alone until b is there, too: to the end of its credit
    (3.0, "b", (7.0, 10.0, 10.0), 4.0),  # c wakes and beats a, but b has waited with as much
    (4.0, "c", (7.0, 8.0, 10.0), 5.0),  # 2 more than b: 1 ms
    (5.0, "c", (7.0, 8.0, 8.0), 5.5),  # as much as b: it stays for the shortest runtime
    (5.5, "b", (7.0, 8.0, 7.0), 6.5),  # 1 more than a, so half a ms: raised to the ratelimit
    (6.5, "a", (7.0, 6.0, 7.0), 7.5),  # a was there before c
    (7.5, "c", (6.0, 6.0, 7.0), 8.5),
    (8.0, "b", (6.0, 6.0, 6.0), 9.0),  # c sleeps; b was there before a
    (9.0, "a", (6.0, 4.0, 6.0), 11.0),
    (11.0, "a", (4.0, 4.0, 6.0), 11.5),
    (11.5, "b", (3.5, 4.0, 6.0), 12.5),
    (12.5, "a", (3.5, 2.0, 6.0), 14.0),
    (14.0, "a", (2.0, 2.0, 6.0), 14.5),
    (14.5, "b", (1.5, 2.0, 6.0), 15.5),
    (15.5, "a", (1.5, 0.0, 6.0), 17.0),  # b has none: to the end of its own
    (17.0, "a", (10.0, 10.0, 10.5), 17.5),  # none has any: 10 more for all, c's cut at 10.5
    (17.5, "b", (9.5, 10.0, 10.5), 18.5),
    (18.5, "a", (9.5, 8.0, 10.5), 20.0),  # c wakes at 19.2: a has not run for a ratelimit
    (20.0, "c", (8.0, 8.0, 10.5), 21.25),
    (21.0, "b", (8.0, 8.0, 8.5), 22.0),
    (22.0, "a", (8.0, 6.0, 8.5), 24.0),
]


def system_by_hand():
    wakes = [(3_000, 2_000), (19_200, 1_000)]
    return credit2_of([hog("a", 512), hog("b"), sleeper("c", wakes)])


@pytest.mark.parametrize("engine", BOTH)
def test_who_runs_when_is_what_the_rules_say_by_hand(engine):
    expected = [BY_HAND[0], *(b for a, b in pairwise(BY_HAND) if a[1] != b[1])]
    timeline = recorded(system_by_hand(), 25, engine=engine)
    found = turns(timeline.pcpus[0], timeline.workers)[: len(expected)]
    assert [(start, name) for start, _, name in found] == [(row[0], row[1]) for row in expected]


def test_credits_and_runtimes_are_what_the_rules_say_by_hand(monkeypatch):
    assert decisions(system_by_hand(), 25, monkeypatch)[: len(BY_HAND)] == BY_HAND


def test_one_at_the_floor_gets_twice_as_much(monkeypatch):
    """`light` burns 100 a ms: after any look it is at -10, and 20 more make it 10 again."""
    threads = [hog("light", 10), sleeper("heavy", [(1_000_000, 1)], 1_000)]
    found = decisions(credit2_of(threads), 5, monkeypatch)
    expected = [(0.0, "light", (10.0, 10.0), 1.0)]
    expected += [(at, "light", (10.0, 10.5), at + 0.5) for at in (1.0, 1.5, 2.0, 2.5)]
    assert found[:5] == expected


@pytest.mark.parametrize(("old_ran", "waits"), [(0.3, True), (0.7, False)])
def test_another_pcpu_takes_a_waiter_only_for_enough_more_credit(old_ran, waits, monkeypatch):
    """`w` wakes with 10 as its own pCPU is fresh, and the other one's has 0.33 or 0.73 less.

    Where that is not enough, it waits until `fresh` ends. Who moves gets 0.05.
    """
    at = 1_000 * old_ran
    threads = [
        sleeper("fresh", [(at, 2_000)], affinity=(0,)),
        sleeper("old", [(0, 5_000)], affinity=(1,)),
        sleeper("w", [(at + 30, 1_000)]),
    ]
    system = credit2_of(threads, pcpus=2, constants={"ratelimit": MS // 10})
    found = [one for one in decisions(system, 10, monkeypatch) if one[1] == "w"]
    instant, _, credits, _ = found[0]
    if waits:
        assert (instant, credits[2]) == (at / 1000 + 2, 10.0)
    else:
        assert (instant, credits[2]) == ((at + 30) / 1000, 10.05)


def test_nor_does_one_that_looks_again(monkeypatch):
    """When `w` wakes with 10, `fresh` has just started, and `old` looks again at 0.4, with 9.6.

    That is 0.4 less than `w` has: `old` goes on for the shortest runtime, 0.1, and then it is 0.5.
    """
    threads = [
        sleeper("fresh", [(360, 2_000)], affinity=(0,)),
        sleeper("old", [(0, 5_000)], affinity=(1,)),
        sleeper("w", [(380, 1_000)]),
    ]
    lengths = {"max_runtime": 4 * MS // 10, "min_runtime": MS // 10, "ratelimit": MS // 10}
    system = credit2_of(threads, pcpus=2, constants=lengths)
    found = [one for one in decisions(system, 10, monkeypatch) if one[1] == "w"]
    instant, _, credits, _ = found[0]
    assert (instant, credits[2]) == (0.5, 10.05)


@pytest.mark.parametrize("engine", BOTH)
def test_after_a_refill_everybody_is_on_its_own_pcpu(engine):
    """`v` has the larger cap, so less credit; still `u` leaves pCPU 0 to it."""
    threads = [hog("v", cap=500), hog("u", cap=250)]
    zero, one = recorded(credit2_of(threads, pcpus=2), 100, engine=engine).pcpus
    assert {span.worker for span in zero} == {0, NONE}
    assert {span.worker for span in one} == {1, NONE}


@pytest.mark.parametrize("engine", BOTH)
def test_charging_in_pieces_changes_nothing(engine):
    """At each refill all are charged; 7 of 3 parts do not divide, and what remains is kept."""
    threads = [hog("h", 700), hog("g", 300), sleeper("s", [(5_000, 7_000), (30_100, 9_000)], 411)]
    seldom, often = (
        recorded(credit2_of(threads, period_ns=period), 100, engine=engine)
        for period in (10e6, 12_345.0)
    )
    assert often == seldom


@pytest.mark.parametrize(("at", "starts"), [(0.94, 10.0), (0.97, 1.47)])
@pytest.mark.parametrize("engine", BOTH)
def test_who_wakes_shortly_before_the_end_of_a_ratelimit_is_heard(at, starts, engine):
    """Up to 0.05 before it: the hog goes on for the shortest runtime, not to the end of its own."""
    threads = [hog("h"), sleeper("s", [(1_000 * at, 1_000)])]
    timeline = recorded(credit2_of(threads), 20, engine=engine)
    _, second, *_ = turns(timeline.pcpus[0], timeline.workers)
    assert second[::2] == (starts, "s")


@pytest.mark.parametrize("engine", BOTH)
def test_a_budget_that_comes_back_serves_who_was_parked(engine):
    """Two vCPUs on two pCPUs share 5 ms of 10, in parts of 2.5.

    `h` has drawn its part by 2.5, and is parked. At 3 `s` gives 0.5 back, with which `h` runs for a
    ratelimit, and so overdraws 0.5: at 10 there are 4.5.
    """
    share = Share(domain="vm", weight=256, cap=500)
    threads = [
        Thread(name="s", share=share, wakes=[(1_000, 2_000)]),
        Thread(name="h", share=share),
    ]
    timeline = recorded(credit2_of(threads, pcpus=2), 30, engine=engine)
    zero, one = (turns(track, timeline.workers) for track in timeline.pcpus)
    assert zero[:4] == [(0.0, 1.0, "-"), (1.0, 3.0, "s"), (3.0, 4.0, "h"), (4.0, 10.0, "-")]
    assert zero[4:7] == [(10.0, 14.5, "h"), (14.5, 20.0, "-"), (20.0, 25.0, "h")]
    assert one[0] == (0.0, 2.5, "h")
    assert {name for _, _, name in one[1:]} == {"-"}


# -- shares, caps, latency ------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(256, 256), (256, 512), (128, 256, 512), (100, 300, 700, 900)])
def test_shares_follow_weights(weights):
    names = [f"h{i}" for i in range(len(weights))]
    threads = [hog(name, weight) for name, weight in zip(names, weights, strict=True)]
    found = shares(recorded(credit2_of(threads), 60_000, engine=fast))
    expected = [weight / sum(weights) for weight in weights]
    assert [found[name] for name in names] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("cap", [100, 250, 400, 750, 900])
@pytest.mark.parametrize("engine", BOTH)
def test_a_capped_hog_has_its_part_of_each_period_and_never_waits_longer(cap, engine):
    timeline = recorded(credit2_of([hog("a", cap=cap)]), 1_000, engine=engine)
    found = turns(timeline.pcpus[0], timeline.workers)
    for name, length_us in (("a", 10 * cap), ("-", 10_000 - 10 * cap)):
        assert {round(1000 * (b - a)) for a, b, who in found[:100] if who == name} == {length_us}
    assert {span.name for span in timeline.pcpus[0]} == {"a", "idle: cap"}


@pytest.mark.parametrize("seed", range(10))
def test_a_capped_domain_uses_its_budget_and_no_more_at_each_end_of_a_period(seed):
    """Two of its workers and two rivals on two pCPUs; overdrafts are made good in the next."""
    rng = Random(seed)
    cap = rng.choice([300, 500, 900])
    threads = [Thread(name=f"v{i}", share=Share(domain="v", weight=256, cap=cap)) for i in range(2)]
    threads += [hog(f"h{i}", rng.choice([64, 256])) for i in range(2)]
    timeline = recorded(credit2_of(threads, pcpus=2), 1_000, engine=fast)
    allowance = PERIOD * cap // 1000
    used = [0] * (timeline.time // PERIOD)
    for track in timeline.pcpus:
        for span in track:
            if span.worker in (0, 1):
                for period in range(span.start // PERIOD, min(len(used), -(-span.end // PERIOD))):
                    inside = min(span.end, (period + 1) * PERIOD) - max(span.start, period * PERIOD)
                    used[period] += inside
    for periods in range(1, len(used) + 1):
        overdrawn = sum(used[:periods]) - periods * allowance
        assert overdrawn <= 2 * CONSTANTS["ratelimit"]  # a shortest run of each of its workers
    assert sum(used) >= (len(used) - 1) * allowance


def test_a_capped_domain_that_slept_has_saved_nothing():
    timeline = recorded(credit2_of([sleeper("v", [(51_000, 20_000)], cap=500)]), 80)
    assert turns(timeline.pcpus[0], timeline.workers)[1] == (51.0, 56.0, "v")


def test_a_capped_hog_leaves_the_rest_to_another():
    found = shares(recorded(credit2_of([hog("a", cap=200), hog("b")]), 60_000, engine=fast))
    assert found["a"] == pytest.approx(0.2, abs=0.01)
    assert found["b"] == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("engine", BOTH)
def test_a_sleeper_runs_at_the_instant_it_wakes(engine):
    """It uses 1 ms of 20, so it has more credit than the hog, which has run for a ratelimit."""
    wakes = [(20_000 * n + 7_300, 1_000) for n in range(20)]
    timeline = recorded(credit2_of([hog("h"), sleeper("s", wakes)]), 400, engine=engine)
    ran = [span for span in timeline.states[1] if span.name == "running"]
    assert [span.start for span in ran] == [at * 10**6 for at, _ in wakes]
    assert {span.end - span.start for span in ran} == {MS}


# -- no pCPU is idle without a reason -------------------------------------------------------------


def random_threads(rng: Random, pcpus: int, *, caps: bool, affinities: bool) -> list[Thread]:
    threads = []
    for domain in range(rng.randint(1, 4)):
        weight = rng.choice([1, 64, 256, 257, 1_000])
        cap = rng.choice([0, 40, 250, 777, 1_500]) if caps else 0
        for vcpu in range(rng.randint(1, 3)):
            affinity, wakes, at = (), None, 0.0
            if affinities and rng.random() < 0.5:
                affinity = tuple(rng.sample(range(pcpus), rng.randint(1, pcpus)))
            if rng.random() < 0.6:
                wakes = []
                for _ in range(rng.randint(1, 30)):
                    at += rng.choice([100, 333.3, 1_000, 5_000, 10_000])
                    wakes.append((at, rng.choice([20, 500, 1_000, 3_000.7])))
            share = Share(domain=f"d{domain}", weight=weight, cap=cap, affinity=affinity)
            threads.append(Thread(name=f"d{domain}v{vcpu}", share=share, wakes=wakes))
    return threads


def random_system(seed: int, *, caps: bool, affinities: bool):
    rng = Random(seed)
    pcpus = rng.randint(1, 4)
    threads = random_threads(rng, pcpus, caps=caps, affinities=affinities)
    constants = {"per_queue": rng.choice([1, 2, 16, 16]), "ratelimit": rng.choice([0, MS, MS])}
    switch_ns = rng.choice([0.0, 1_500.0])
    return credit2_of(threads, pcpus=pcpus, switch_ns=switch_ns, constants=constants)


def idle_while_ready(timeline) -> set[str]:
    """Return the accounts of pCPUs that were idle while somebody was ready."""
    idle = [span for track in timeline.pcpus for span in track if span.worker == NONE]
    ready = [span for track in timeline.states for span in track if span.name == "ready"]
    return {
        one.name
        for one in idle
        if any(max(one.start, other.start) < min(one.end, other.end) for other in ready)
    }


def idle_accounts(timeline) -> set[str]:
    return {span.name for track in timeline.pcpus for span in track if span.worker == NONE}


@pytest.mark.parametrize("seed", range(20))
def test_no_pcpu_is_idle_while_somebody_waits(seed):
    timeline = recorded(random_system(seed, caps=False, affinities=False), 100, engine=fast)
    assert not idle_while_ready(timeline)
    assert idle_accounts(timeline) <= {"idle"}


@pytest.mark.parametrize("seed", range(20))
def test_a_pcpu_that_is_idle_while_somebody_waits_says_why(seed):
    for caps, affinities, reason in ((True, False, "idle: cap"), (False, True, "idle: affinity")):
        system = random_system(seed, caps=caps, affinities=affinities)
        timeline = recorded(system, 100, engine=fast)
        assert idle_while_ready(timeline) <= {reason}
        assert idle_accounts(timeline) <= {reason, "idle"}


@pytest.mark.parametrize("engine", BOTH)
def test_an_idle_pcpu_takes_from_another_run_queue(engine):
    """Each pCPU has its own queue, `a` and `c` share one; as `b` ends, it is `a` that waits.

    c wakes at 1 with 10, a has 9; at 2 they are equal, at 2.5 a has 0.5 more; c has so at 3.5.
    """
    threads = [hog("a"), sleeper("b", [(0, 4_000)]), sleeper("c", [(1_000, 20_000)])]
    system = credit2_of(threads, pcpus=2, constants={"per_queue": 1})
    timeline = recorded(system, 20, engine=engine)
    zero, one = (turns(track, timeline.workers) for track in timeline.pcpus)
    assert zero[:3] == [(0.0, 1.0, "a"), (1.0, 2.5, "c"), (2.5, 3.5, "a")]
    assert zero[3] == (3.5, 22.0, "c")
    assert one[0] == (0.0, 4.0, "b")
    assert one[1][::2] == (4.0, "a")


# -- both engines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
def test_both_engines_record_the_same(seed):
    system = random_system(1_000 + seed, caps=True, affinities=True)
    assert recorded(system, 100, engine=fast) == recorded(system, 100, engine=sim)


@pytest.mark.parametrize("ratelimit", [MS, 500 * MS])
def test_no_weight_overflows(ratelimit):
    """Of what it wraps around in 64 bits, Python's engine would say something else."""
    threads = [hog(f"w{weight}", weight) for weight in (1, 2, 32_768, 65_535)]
    system = credit2_of(threads, constants={"ratelimit": ratelimit})
    assert recorded(system, 3_000, engine=fast) == recorded(system, 3_000, engine=sim)


def alone_on_its_pcpu(policy: str, **pool):
    assembly = Assembly("alone", pcpus=3, policy=policy, slice_ns=10e6, switch_ns=700.0, **pool)
    assembly.station("disk", 2)
    for i in range(3):
        name = f"w{i}"
        assembly.worker(name, name)
        disk = serve("disk", Exponential(2e6), "disk", purpose="disk", hold="block")
        path = (work(name, 3e6 * (i + 1), "before"), disk, work(name, 5e5, "after"), end())
        assembly.source(name, {"io": (1.0, path)}, to=name, outstanding=1 + i)
    return assembly.system()


@pytest.mark.parametrize("engine", BOTH)
def test_alone_on_its_pcpu_everybody_is_as_fast_as_pinned(engine):
    given = {"seed": 1, "replication": 0, "requests": 2_000}
    constants = {"constants": CONSTANTS, "period_ns": 10e6}
    pinned = plain(engine.run(alone_on_its_pcpu("pinned"), **given))
    shared = plain(engine.run(alone_on_its_pcpu("credit2", **constants), **given))
    assert shared["histograms"] == pinned["histograms"]
