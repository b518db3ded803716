import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.rng import stream
from virtperf.stats import interval, precision


def one(values, target, **more):
    return precision({"x": values}, {"x": target}, **more)[0]


@given(
    st.lists(st.integers(50, 150), min_size=10, max_size=30),
    st.floats(0.001, 0.5),
    st.floats(0.01, 100),
)
def test_the_rule_is_that_of_law_and_has_no_unit(values, target, unit):
    found = one([unit * value for value in values], target)
    mean, half_width = interval(values)
    assert found.relative == pytest.approx(half_width / mean, abs=1e-12)
    if abs(half_width / mean - target / (1 + target)) > 1e-9:
        assert found.met is (half_width / mean < target / (1 + target))
    assert (found.more == 0) is found.met


def test_the_correction_makes_the_rule_stricter():
    values = [98.0, 99.0, 100.0, 101.0, 102.0] * 2
    relative = one(values, 0.5).relative
    assert not one(values, relative).met
    assert one(values, relative / (1 - relative) * 1.0001).met


def test_as_many_as_predicted_are_about_enough():
    """The half-width falls as the root of n: after the predicted number it is near the target."""
    draws = stream(1, 0, "precision").normal(100, 10, 5000)
    found = one(draws[:40], 0.01)
    enough = 40 + found.more
    assert found.more > 100
    assert one(draws[:enough], 0.01).relative == pytest.approx(0.01, rel=0.25)


def test_nothing_is_met_before_the_least_number():
    found = one([5.0] * 9, 0.05)
    assert (found.met, found.more) == (False, 1)
    assert one([5.0] * 10, 0.05).met
    assert one([5.0] * 3, 0.05, least=3).met


def test_one_replication_asks_for_the_least_number():
    found = one([5.0], 0.05)
    assert math.isnan(found.relative)
    assert (found.met, found.more) == (False, 9)


def test_a_mean_of_zero_has_no_relative_precision():
    found = one([-1.0, 1.0] * 5, 0.05)
    assert (found.relative, found.met, found.more) == (math.inf, False, None)
    assert one([0.0] * 10, 0.05).met


def test_each_declared_output_is_judged_by_its_own_target():
    values = {"mean": [98.0, 102.0] * 5, "p99": [80.0, 120.0] * 5, "other": [1.0] * 10}
    found = precision(values, {"p99": 0.05, "mean": 0.05})
    assert [(p.output, p.met) for p in found] == [("p99", False), ("mean", True)]


def test_an_output_that_is_not_there_is_named():
    with pytest.raises(
        UnknownNameError, match=r"no output named 'latency\.men'; did you mean latency\.mean"
    ):
        precision({"latency.mean": [1.0]}, {"latency.men": 0.02})


def test_an_output_that_is_no_number_is_named():
    with pytest.raises(ParameterError, match=r"precision\.x must be a list of finite numbers"):
        one([1.0, math.nan], 0.02)


@pytest.mark.parametrize("target", [0.0, 1.0, math.nan])
def test_an_impossible_target_is_refused(target):
    with pytest.raises(ParameterError, match=r"precision\.x must be in \(0, 1\)"):
        one([1.0, 2.0], target)
    with pytest.raises(ParameterError, match=r"precision\.least"):
        one([1.0, 2.0], 0.1, least=1)
