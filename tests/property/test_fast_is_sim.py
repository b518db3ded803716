"""Both engines say the same of any system, to the last bit, ties included."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines import both
from tests.random_systems import (
    RandomSystem,
    asking_again,
    on_shared_cores,
    polling_for_ever,
    sparing,
    translating,
)
from virtperf import catalog, fast, sim, simulate
from virtperf.build import build
from virtperf.errors import VirtperfError
from virtperf.scenario import Scenario

pytestmark = pytest.mark.property
SEEDS = st.integers(0, 10_000_000)
SCENARIOS = catalog.names("scenarios")


def same(seed: int, *, depth: int, requests: int, **words: bool) -> None:
    system = RandomSystem(seed, depth=depth, **words).system()
    compiled, reference = both(system, seed=seed % 10 + 1, replication=seed % 3, requests=requests)
    assert compiled == reference


@settings(max_examples=40)
@given(seed=SEEDS)
def test_on_systems_that_nobody_thought_of(seed):
    same(seed, depth=4, requests=200)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_at_depth_32(seed):
    same(seed, depth=32, requests=600)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_on_wide_hosts(seed):
    same(seed, depth=8, requests=1_000, wide=True)


@settings(max_examples=25, derandomize=True)
@given(seed=SEEDS, pace=st.integers(1000, 2000))
def test_where_two_threads_share_a_core(seed, pace):
    system = on_shared_cores(RandomSystem(seed, depth=4).system(), pace)
    compiled, reference = both(system, seed=1, requests=200)
    assert compiled == reference


@settings(max_examples=25, derandomize=True)
@given(seed=SEEDS)
def test_where_joins_spare_who_is_absent(seed):
    system = sparing(RandomSystem(seed, depth=8).system(), seed)
    compiled, reference = both(system, seed=1, requests=200)
    assert compiled == reference


@settings(max_examples=40, derandomize=True)
@given(seed=SEEDS, depth=st.sampled_from([4, 32]))
def test_where_threads_poll_for_ever_and_doorbells_tell_of_batches(seed, depth):
    system = polling_for_ever(RandomSystem(seed, depth=depth).system(), seed)
    compiled, reference = both(system, seed=1, requests=200)
    assert compiled == reference


@settings(max_examples=25, derandomize=True)
@given(seed=SEEDS)
def test_where_consumers_that_poll_ask_again(seed):
    system = asking_again(RandomSystem(seed, depth=4).system())
    compiled, reference = both(system, seed=1, requests=200)
    assert compiled == reference


@settings(max_examples=25, derandomize=True)
@given(seed=SEEDS)
def test_where_workers_walk_again_for_what_others_evict(seed):
    system = translating(RandomSystem(seed, depth=4).system(), seed)
    compiled, reference = both(system, seed=1, requests=200)
    assert compiled == reference


@settings(max_examples=40, derandomize=True)
@given(seed=SEEDS, depth=st.sampled_from([4, 32]))
def test_where_workers_gather_what_they_take(seed, depth):
    same(seed, depth=depth, requests=300, gathers=True)


@settings(max_examples=40, derandomize=True)
@given(seed=SEEDS)
def test_where_they_gather_with_the_lock_that_others_spin_for(seed):
    same(seed, depth=8, requests=300, gathers=True, contended=True)


# A load that a policy cannot carry never ends: these examples are the same each time.
@settings(max_examples=25, derandomize=True)
@given(seed=SEEDS, wide=st.booleans())
def test_under_the_credit_scheduler(seed, wide):
    same(seed, depth=8, requests=300, wide=wide, credit=True)


@settings(max_examples=40, derandomize=True)
@given(seed=SEEDS)
def test_where_vcpus_spin_for_a_lock(seed):
    same(seed, depth=4, requests=300, contended=True)


@pytest.mark.slow
@settings(max_examples=100, derandomize=True)
@given(seed=SEEDS, wide=st.booleans())
def test_where_many_more_vcpus_spin_for_a_lock(seed, wide):
    same(seed, depth=4, requests=500, contended=True, wide=wide)


@pytest.mark.slow
@settings(max_examples=200, derandomize=True)
@given(seed=SEEDS, pace=st.integers(1000, 2000), wide=st.booleans())
def test_where_many_more_share_a_core(seed, pace, wide):
    system = on_shared_cores(RandomSystem(seed, depth=4, wide=wide).system(), pace)
    system = sparing(system, seed)
    compiled, reference = both(system, seed=1, requests=300)
    assert compiled == reference


@pytest.mark.slow
@settings(max_examples=100)
@given(seed=SEEDS)
def test_on_many_more_wide_hosts(seed):
    same(seed, depth=8, requests=1_000, wide=True)


@pytest.mark.slow
@settings(max_examples=400)
@given(seed=SEEDS)
def test_on_many_more(seed):
    same(seed, depth=4, requests=300)


@pytest.mark.slow
@settings(max_examples=100)
@given(seed=SEEDS)
def test_on_many_more_at_depth_32(seed):
    same(seed, depth=32, requests=1_000)


@pytest.mark.slow
@settings(max_examples=25)
@given(seed=SEEDS)
def test_over_a_run_whose_batches_merge(seed):
    same(seed, depth=4, requests=5_000)


@settings(max_examples=25)
@given(seed=SEEDS, spans=st.integers(0, 2_000))
def test_recordings_are_the_same_too(seed, spans):
    system = RandomSystem(seed).system()
    words = {"seed": 1, "replication": 0, "requests": 60, "spans": spans}
    try:
        _, reference = sim.record(system, **words)
    except VirtperfError:
        return
    assert fast.record(system, **words)[1] == reference


@pytest.mark.parametrize("name", SCENARIOS)
def test_on_shipped_scenarios(name):
    compiled, reference = both(build(Scenario.load(name)), requests=600)
    assert compiled == reference
    assert "error" not in reference


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_whole_tables_of_shipped_scenarios(name):
    """Corners of the parameter ranges included."""
    words = {"requests": 2_400, "replications": 3}
    compiled, reference = (
        simulate(Scenario.load(name), engine=engine, **words) for engine in ("fast", "sim")
    )
    for table in ("data", "points", "requests", "cpu", "cdf", "band", "bounds", "flags", "nulls"):
        assert getattr(compiled, table).equals(getattr(reference, table)), table
