import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.errors import ParameterError
from virtperf.rng import stream
from virtperf.stats import sizing

NOISE = stream(1, 0, "noise").normal(0, 1, 20)


def rising(noise=1.0):
    return lambda level: level + noise * NOISE


@given(limit=st.floats(1, 900), high=st.integers(2, 1000))
def test_without_noise_the_answer_is_the_whole_number_below_the_limit(limit, high):
    found = sizing(rising(0.0), limit, 1, high)
    expected = min(high, math.floor(limit))
    assert found.level == found.surely == expected
    assert found.verdict == ("found" if expected < high else "always")
    assert found.broken == (None if expected == high else expected + 1)
    assert found.monotone
    assert len(found.seen) <= 2 * math.ceil(math.log2(high)) + 2


@given(limit=st.floats(0.02, 0.9))
def test_without_whole_ends_the_answer_is_within_the_resolution(limit):
    found = sizing(rising(0.0), limit, 0.01, 1.0)
    assert 0 <= limit - found.level <= 1e-3
    assert 0 <= found.broken - limit <= 1e-3


def test_with_noise_the_interval_is_where_the_bounds_meet_the_limit():
    found = sizing(rising(20.0), 300.5, 1, 1000)
    mean, half_width = found.seen[found.level]
    offset = mean - found.level
    assert found.level == math.floor(300.5 - offset)
    assert found.surely == math.floor(300.5 - offset - half_width)
    assert found.broken == math.floor(300.5 - offset + half_width) + 1
    assert found.surely < found.level < found.broken


def test_the_true_level_is_covered_as_often_as_the_interval_says():
    draws, hits = stream(2, 0, "coverage"), 0
    for _ in range(300):
        noise = draws.normal(0, 40, 8)
        found = sizing(lambda level, noise=noise: level + noise, 300.5, 1, 1000)
        hits += (found.surely or 0) <= 300 < found.broken
    # whole numbers widen the interval by up to one level of 66: a percent of coverage
    assert abs(hits / 300 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 300) + 0.01


def test_what_never_holds_is_told():
    found = sizing(rising(0.0), 0.5, 1, 100)
    assert (found.verdict, found.level, found.surely, found.broken) == ("never", None, None, 1)
    assert list(found.seen) == [1]  # surely broken there: no need to go on


def test_what_always_holds_is_told():
    found = sizing(rising(0.0), 1e9, 1, 100)
    assert (found.verdict, found.level, found.broken) == ("always", 100, None)
    assert max(found.seen) == 100


def test_a_mean_that_always_holds_may_not_surely_hold():
    found = sizing(rising(20.0), 100.5 + NOISE.mean() * 20, 1, 100)
    assert (found.verdict, found.level, found.broken) == ("always", 100, None)
    assert found.surely < 100


def test_no_steady_state_breaks_the_criterion():
    found = sizing(lambda n: [1.0, 1.1] if n < 7 else None, 2.0, 1, 64)
    assert (found.level, found.surely, found.broken, found.monotone) == (6, 6, 7, True)
    assert found.seen[8] == (math.inf, 0.0)


def test_a_response_that_falls_is_told():
    assert not sizing(lambda n: [10.0 if n == 2 else float(n)] * 3, 20.0, 1, 64).monotone


def test_levels_beyond_the_answer_that_meet_the_criterion_are_told():
    """Unsure at 4, so the doubling goes on, and finds 8 within the limit again."""
    values = {1: [1.0, 1.1], 2: [2.0, 2.1], 4: [2.0, 20.0], 8: [1.0, 9.0], 16: [99.0, 99.1]}
    found = sizing(lambda n: values.get(n, [50.0, 50.1]), 10.0, 1, 16)
    assert found.level < 8
    assert not found.monotone


def test_noise_alone_is_no_fall():
    draws = stream(3, 0, "independent")
    assert sizing(
        lambda n: 0.001 * n + draws.normal(0, 1, 5), 50.0, 1, 64, confidence=0.9999
    ).monotone


@pytest.mark.parametrize(
    "given",
    [
        {"low": 0},
        {"low": 9, "high": 3},
        {"high": math.inf},
        {"limit": math.nan},
        {"resolution": 1.0},
        {"response": lambda n: [1.0]},
    ],
)
def test_nonsense_is_refused(given):
    with pytest.raises(ParameterError, match=r"sizing\."):
        sizing(**{"response": rising(), "limit": 5.0, "low": 1, "high": 10, **given})
