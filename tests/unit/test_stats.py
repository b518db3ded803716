import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.errors import ParameterError
from virtperf.rng import stream
from virtperf.stats import holm, interval, mser5, paired


def obvious_mser5(series):
    """The definition, candidate by candidate."""
    count = len(series) // 5
    means = [np.mean(series[5 * i : 5 * i + 5]) for i in range(count)]
    scores = [np.var(means[d:]) / (count - d) for d in range(count // 2 + 1)]
    return scores


@given(st.lists(st.integers(-50, 50), min_size=10, max_size=120))
def test_the_cut_minimises_the_obvious_definition(series):
    scores = obvious_mser5(series)
    cut = mser5(series)
    chosen = len(scores) - 1 if cut is None else cut // 5
    assert scores[chosen] == pytest.approx(min(scores), rel=1e-9, abs=1e-12)


def test_a_transient_is_cut_off():
    noise = stream(1, 0, "noise").normal(0, 1, 1000)
    warm = np.concatenate([np.linspace(100, 0, 100), np.zeros(900)]) + noise
    cut = mser5(warm)
    assert cut is not None
    assert 90 <= cut <= 150
    assert cut % 5 == 0


@pytest.mark.parametrize("level", [0.0, 0.1, 1e12])
def test_a_constant_series_loses_nothing(level):
    assert mser5([level] * 100) == 0


def test_a_series_that_never_settles_has_no_steady_state():
    assert mser5(np.arange(1000.0)) is None


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_observations_show_no_steady_state(count):
    assert mser5([1.0] * count) is None


def test_an_incomplete_last_batch_is_ignored():
    series = [9.0] * 5 + [1.0, 2.0] * 20
    assert mser5(series) == mser5([*series, 1e9])


def test_the_interval_is_that_of_student():
    mean, half_width = interval([9.0, 10.0, 11.0])
    assert mean == 10
    assert half_width == pytest.approx(4.302652729911275 / math.sqrt(3), rel=1e-9)


def test_one_value_shows_no_spread():
    mean, half_width = interval([7.0])
    assert mean == 7
    assert math.isnan(half_width)


def test_more_confidence_is_a_wider_interval():
    assert interval([1.0, 2.0, 4.0], 0.99)[1] > interval([1.0, 2.0, 4.0], 0.95)[1]


def test_the_interval_covers_as_often_as_it_says():
    """400 intervals of 5 normal values: the binomial 4-sigma band around 95 %."""
    samples = stream(1, 0, "coverage").normal(3, 2, (400, 5))
    hits = sum(abs(mean - 3) <= width for mean, width in map(interval, samples))
    assert abs(hits / 400 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 400)


@pytest.mark.parametrize("confidence", [0, 1, -0.5, math.nan])
def test_an_impossible_confidence_is_refused(confidence):
    with pytest.raises(ParameterError, match=r"interval\.confidence must be in \(0, 1\)"):
        interval([1.0, 2.0], confidence)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_an_interval_of_nothing_or_of_no_number_is_refused(values):
    with pytest.raises(ParameterError, match=r"interval\.values"):
        interval(values)


def test_common_random_numbers_cancel_in_a_pair():
    before = stream(1, 0, "noise").normal(100, 10, 10)
    difference, half_width = paired(before, before + 1)
    assert difference == pytest.approx(1)
    assert half_width == pytest.approx(0, abs=1e-9)


def test_a_pair_of_unequal_lengths_is_refused():
    with pytest.raises(ParameterError, match=r"paired\.b must be as long as a \(2\), got 1"):
        paired([1.0, 2.0], [1.0])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    assert all(0 <= a <= 1 for a in adjusted)
    in_order = [a for _, a in sorted(zip(p_values, adjusted, strict=True))]
    assert in_order == sorted(in_order)


def test_holm_multiplies_the_smallest_by_the_number_of_comparisons():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_p_value_beyond_one_is_refused():
    with pytest.raises(ParameterError, match=r"holm\.p_values must be in \[0, 1\], got 1\.5"):
        holm([0.5, 1.5])
