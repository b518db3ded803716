"""Every policy on systems that nobody thought of: both engines agree, no pCPU idles without reason.

The constants are those that ship, a thousandth as long, so that slices and ticks come thick.
"""

from dataclasses import replace
from random import Random

import pytest

from tests.engines import both
from tests.random_systems import RandomSystem, on_shared_cores
from tests.schedules import BOTH, Thread, recorded, system, who_ran
from virtperf import catalog
from virtperf.assembly.scheduling import POLICIES, Share
from virtperf.rules.policies import POLICIES as RULES
from virtperf.tables import Idle, System
from virtperf.units import ticks

pytestmark = pytest.mark.property
NAMES = catalog.names("schedulers")
EACH = pytest.mark.parametrize("policy", NAMES)
SHORTER = 1_000


def pool_of(policy: str, shorter: int = SHORTER) -> dict:
    """Return what the assembly of a pool needs to be told of a policy."""
    numbers = catalog.scheduler(policy)

    def ns(name: str) -> float:
        return numbers[name].ns() / shorter if name in numbers else 0.0

    constants = {
        name: round(numbers[name].value) if numbers[name].unit == "1" else ticks(ns(name))
        for name in getattr(RULES[POLICIES[policy]], "CONSTANTS", ())
    }
    times = {f"{name}_ns": ns(name) for name in ("slice", "tick", "period")}
    return {"constants": constants, **times}


def under(policy: str, seed: int, *, limits: bool = True) -> System:
    """Return a random system under a policy, its workers with shares of their own."""
    rng, built = Random(seed), RandomSystem(seed, timers=False).system()
    told = pool_of(policy)
    pool = replace(
        built.pool,
        policy=POLICIES[policy],
        slice=ticks(told["slice_ns"]),
        tick=ticks(told["tick_ns"]),
        period=ticks(told["period_ns"]),
        constants=tuple(told["constants"].items()),
        idle_accounts=tuple(len(built.accounts) + why for why in Idle),
    )
    workers = [
        replace(
            row,
            weight=rng.choice([256, 512, 1024]),  # a spinner must not starve who holds its lock
            domain=-1 if policy == "gang" else rng.choice([-1, 0, 1]),
            cap=rng.choice([0, 0, 150, 600]) if limits else 0,
            affinity=tuple({rng.randrange(pool.pcpus)}) if limits and rng.random() < 0.2 else (),
        )
        for row in built.workers
    ]
    accounts = (*built.accounts, "idle", "idle: cap", "idle: gang", "idle: affinity")
    return replace(built, pool=pool, workers=tuple(workers), accounts=accounts)


@EACH
@pytest.mark.parametrize("seed", range(15))
def test_both_engines_say_the_same(policy, seed):
    """The seeds are given: where a policy cannot carry the load of one, no run would ever end."""
    compiled, reference = both(under(policy, seed), seed=1, requests=150)
    assert compiled == reference


@EACH
@pytest.mark.parametrize("seed", range(5))
def test_both_engines_say_the_same_of_threads_that_share_a_core(policy, seed):
    system = on_shared_cores(under(policy, seed), 1300 + 100 * seed)
    compiled, reference = both(system, seed=1, requests=150)
    assert compiled == reference


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("seed", range(100, 130))
def test_both_engines_say_the_same_on_many_more(policy, seed):
    compiled, reference = both(under(policy, seed), seed=1, requests=150)
    assert compiled == reference


# -- threads that compute or wake ------------------------------------------------------------------


def random_threads(rng: Random, pcpus: int, *, limits: bool) -> list[Thread]:
    threads = []
    for n in range(rng.randint(1, 6)):
        wakes = None
        if rng.random() < 0.6:
            at, wakes = 0.0, []
            for _ in range(30):
                at += rng.uniform(50, 3_000)
                wakes.append((at, rng.uniform(10, 2_000)))
        share = Share(
            weight=rng.choice([256, 512, 1024]),
            domain=rng.choice(["", "a", "b"]) if limits else "",
            cap=rng.choice([0, 0, 300]) if limits else 0,
            affinity=(rng.randrange(pcpus),) if limits and rng.random() < 0.2 else (),
        )
        threads.append(Thread(name=f"t{n}", share=share, wakes=wakes))
    caps = {thread.share.domain: thread.share.cap for thread in threads}
    return [
        replace(
            one, share=replace(one.share, cap=caps[one.share.domain] if one.share.domain else 0)
        )
        for one in threads
    ]


@EACH
@pytest.mark.parametrize("seed", range(10))
def test_no_pcpu_idles_while_somebody_waits_who_may_run_there(policy, seed):
    """Without caps, gangs and affinities all idle time is that of nobody wanting a CPU."""
    rng = Random(seed)
    pcpus = rng.randint(1, 3)
    threads = random_threads(rng, pcpus, limits=False)
    built = system(threads, policy, pcpus=pcpus, **pool_of(policy, 10))
    timeline = recorded(built, 60, engine=BOTH[seed % 2])
    ready = [(s.start, s.end) for track in timeline.states for s in track if s.name == "ready"]
    for track in timeline.pcpus:
        assert {span.name for span in track if span.name.startswith("idle")} <= {"idle"}
        for span in track:
            if span.name == "idle":
                assert not [1 for a, b in ready if min(b, span.end) > max(a, span.start)]


@EACH
@pytest.mark.parametrize("seed", range(10))
def test_an_idle_pcpu_is_booked_to_the_rule_that_keeps_it_so(policy, seed):
    """Plain idle time never overlaps a wait for a CPU; what a rule keeps idle always does."""
    rng = Random(seed)
    pcpus = rng.randint(1, 3)
    threads = random_threads(rng, pcpus, limits=policy != "gang")
    built = system(threads, policy, pcpus=pcpus, **pool_of(policy, 10))
    timeline = recorded(built, 60, engine=BOTH[seed % 2])
    ready = [(s.start, s.end) for track in timeline.states for s in track if s.name == "ready"]
    for span in (span for track in timeline.pcpus for span in track):
        waits = [1 for a, b in ready if min(b, span.end) > max(a, span.start)]
        if span.name == "idle":
            assert not waits
        elif span.name.startswith("idle: "):
            assert waits


@EACH
def test_one_thread_per_pcpu_fares_as_if_it_was_pinned(policy):
    rng = Random(1)
    threads = [
        Thread(
            name=f"t{n}",
            wakes=[(2_000 * k + rng.uniform(0, 900), rng.uniform(10, 1_000)) for k in range(25)],
        )
        for n in range(3)
    ]
    found = [
        [span for span in track if span.name != "asleep"]
        for name, pool in ((policy, pool_of(policy)), ("pinned", {}))
        for track in recorded(system(threads, name, pcpus=3, **pool), 45).states
    ]
    assert found[:3] == found[3:]


def test_the_grid_of_who_ran_is_that_of_the_timeline():
    built = system([Thread(name="a", wakes=[(100, 200)])], "pinned")
    assert who_ran(recorded(built, 1), 400, 100) == [["-", "a", "a", "-"]]


def test_the_state_of_policies_has_names_of_its_own():
    """What an engine calls so it would lose otherwise; the compiled one refuses it by itself."""
    from virtperf.rules.policies import CONSTANTS, PCPU_FIELDS, POOL_FIELDS, WORKER_FIELDS
    from virtperf.sim.engine import Machine

    machine = Machine(RandomSystem(1).system(), seed=1, replication=0, requests=1)
    classes = type(machine.workers[0]).__mro__
    slots = [name for one in classes for name in getattr(one, "__slots__", ())]
    assert set(WORKER_FIELDS) <= set(slots)
    assert len(set(slots)) == len(slots)
    own = type(machine.pool).__slots__
    assert {*POOL_FIELDS, *CONSTANTS} <= set(own)
    assert len(set(own)) == len(own)
    assert len(set(PCPU_FIELDS)) == len(PCPU_FIELDS)
