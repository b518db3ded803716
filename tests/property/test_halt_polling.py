"""vCPUs that are polled for, under every policy: engines agree, and nobody waits for a poll."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines import both
from tests.schedules import BOTH
from virtperf.assembly import Assembly
from virtperf.assembly.scheduling import Share
from virtperf.dist import Exponential
from virtperf.path import Bell, Ringing, end, ring, serve, work
from virtperf.tables import System

pytestmark = pytest.mark.property
SEEDS = st.integers(0, 10_000_000)
CREDIT = {
    "tick_ns": 20_000.0,
    "period_ns": 60_000.0,
    "constants": {"ratelimit": 5_000_000, "balance_every": 10_000_000, "sampled": 0},
}
POLICIES = {"round-robin": {}, "pinned": {}, "credit": CREDIT}


def crowd(seed: int, policy: str, *, kinds: tuple[str, ...], hard: bool) -> System:
    """Return some vCPUs that take interrupts of a device, and threads that wake now and then."""
    rng = Random(seed)
    pcpus = rng.randint(1, 3)
    assembly = Assembly(
        "crowd",
        pcpus=pcpus,
        policy=policy,
        slice_ns=rng.choice([3_000.0, 30_000.0]),
        switch_ns=rng.choice([0.0, 300.0]),
        **POLICIES[policy],
    )
    assembly.station("device", 3)
    for n in range(rng.randint(1, 5)):
        _vcpu(assembly, f"v{n}", rng, kinds)
    for n in range(rng.randint(0, 2)):
        assembly.worker(f"t{n}", "thread")
        path = (work(f"t{n}", 4_000, "t: work"), end())
        assembly.source(f"t{n}", {"job": (1.0, path)}, to=f"t{n}", gap=Exponential(30_000))
    if hard:
        assembly.worker("hard", "hard", host_interrupts_of=rng.randrange(pcpus))
        path = (work("hard", 700, "hard: work"), end())
        assembly.source("hard", {"job": (1.0, path)}, to="hard", gap=Exponential(9_000))
    return assembly.system()


def _vcpu(assembly: Assembly, name: str, rng: Random, kinds: tuple[str, ...]) -> None:
    assembly.worker(
        name,
        "vcpu",
        wake=(work(name, 1_500, "vcpu: woken", masked=True),),
        pickup=(work(name, 500, "vcpu: noticed", masked=True),),
        poll=rng.choice(kinds),
        poll_ns=rng.choice([0.0, 4_000.0, 20_000.0]),
        poll_start_ns=rng.choice([0.0, 1_000.0]),
        poll_shrink=rng.choice([0, 2]),
        share=Share(domain=name, weight=rng.choice([1, 3]), cap=rng.choice([0, 0, 150])),
    )
    assembly.interrupt_level(name)
    costs = {
        "asleep": Ringing(delay=800),
        "other": Ringing(target=(work(name, 400, "vcpu: exit"),)),
    }
    bell = Bell(name="", to="", rule=rng.choice(["always", "event-index"]), costs=costs)
    assembly.bell(f"{name}.irq", bell, to=f"{name}.interrupt", sender="")
    path = (
        work(name, rng.choice([0, 1_000, 5_000]), "vcpu: guest"),
        serve("device", Exponential(rng.choice([2_000, 15_000])), "device", purpose="device"),
        ring(f"{name}.irq"),
        work(name, 600, "vcpu: handler"),
        end(),
    )
    assembly.source(name, {"io": (1.0, path)}, to=name, outstanding=rng.randint(1, 3))


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=15)
@given(seed=SEEDS)
def test_both_engines_say_the_same(policy, seed):
    system = crowd(seed, policy, kinds=("event-loop", "halt", "guest"), hard=seed % 2 == 0)
    compiled, reference = both(system, seed=seed % 7 + 1, requests=300)
    assert compiled == reference
    assert "error" not in reference


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=300)
@given(seed=SEEDS)
def test_both_engines_say_the_same_of_many_more(policy, seed):
    system = crowd(seed, policy, kinds=("event-loop", "halt", "guest"), hard=seed % 2 == 0)
    compiled, reference = both(system, seed=seed % 7 + 1, requests=600)
    assert compiled == reference


@settings(max_examples=15)
@given(seed=SEEDS)
def test_nobody_waits_while_the_host_polls(seed):
    """Round robin: who is ready waits in one queue, for any pCPU."""
    system = crowd(seed, "round-robin", kinds=("halt",), hard=False)
    _, timeline = BOTH[seed % 2].record(system, seed=1, replication=0, requests=200)
    waits = [
        (span.start, span.end)
        for track in timeline.states
        for span in track
        if span.name == "ready"
    ]
    for track in timeline.pcpus:
        for span in track:
            if span.name == "vcpu: halt polling" and span.start < span.end:
                assert not any(a < span.end and span.start < b for a, b in waits)
