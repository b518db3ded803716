"""Runs that are short beside the memory of a system are told from runs that are not."""

import math

import numpy as np
import pytest

from virtperf.errors import ParameterError
from virtperf.stats import memory, too_short
from virtperf.stats.run_length import PARTS


def wandering(seed, *, length, constant):
    """A series that forgets exponentially: correlation exp(-1/constant) from value to value."""
    rng, keeps = np.random.default_rng(seed), math.exp(-1 / constant)
    values = [rng.normal()]
    for step in rng.normal(size=length - 1) * math.sqrt(1 - keeps**2):
        values.append(keeps * values[-1] + step)
    return np.array(values)


def share_found(length, constant, cases=60):
    """Share of ten replications each in which the runs are called too short."""
    found = 0
    for case in range(cases):
        runs = [wandering((case, r), length=length, constant=constant) for r in range(10)]
        found += too_short([memory(run) for run in runs])
    return found / cases


def test_runs_of_ten_time_constants_are_found_nearly_always():
    assert share_found(length=500, constant=50) > 0.95


def test_runs_of_a_thousand_time_constants_pass_but_for_the_significance():
    assert share_found(length=5_000, constant=5) < 0.1


def test_memory_of_independent_values_is_0_on_average():
    rng = np.random.default_rng(3)
    found = [memory(rng.normal(size=400)) for _ in range(400)]

    assert abs(np.mean(found)) < 4 * math.sqrt((PARTS - 2) / (PARTS**2 - 1) / 400)
    assert np.std(found) == pytest.approx(math.sqrt((PARTS - 2) / (PARTS**2 - 1)), rel=0.15)


def test_a_series_that_never_moves_has_no_memory():
    assert memory([5.0] * 100) == 0.0
    assert not too_short([0.0] * 10)


def test_a_trend_is_memory():
    assert memory(range(100)) > 0.9


def test_levels_of_runs_may_differ_as_the_start_decides_them():
    rng = np.random.default_rng(4)
    runs = [level + rng.normal(size=200) for level in range(10)]

    assert not too_short([memory(run) for run in runs])


def test_fewer_values_than_parts_say_nothing():
    assert math.isnan(memory([1.0] * (PARTS - 1)))
    assert not too_short([math.nan] * 10)
    assert not too_short([])
    assert too_short([math.nan, 0.9, 0.9])


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(ParameterError, match=r"memory.series must be a list of finite numbers"):
        memory([1.0, math.nan])
