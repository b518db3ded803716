import math

import numpy as np
import pytest
from scipy import stats as reference

from virtperf.errors import ParameterError
from virtperf.rng import stream
from virtperf.stats import against_baseline, crn_saving


def test_intervals_and_p_values_are_those_of_scipy():
    draws = stream(1, 0, "pair")
    a = draws.normal(10, 2, 12)
    b = a + draws.normal(0.5, 1, 12)

    found = crn_saving(a, b)
    pair = reference.ttest_rel(b, a).confidence_interval(0.95)
    apart = reference.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert found.difference - found.half_width == pytest.approx(pair.low)
    assert found.difference + found.half_width == pytest.approx(pair.high)
    assert found.difference - found.independent_half_width == pytest.approx(apart.low)
    assert found.half_widths == pytest.approx((apart.high - apart.low) / (pair.high - pair.low))

    p_value = against_baseline(a, {"b": b})["b"].p_value
    assert p_value == pytest.approx(reference.ttest_rel(b, a).pvalue)


def test_the_saving_is_the_ratio_of_variances():
    """Var(a) + Var(b) over Var(b - a) of values that share 9/10 of their variance: 10."""
    draws = stream(1, 0, "shared")
    shared = draws.normal(0, 3, 4000)
    a, b = (shared + draws.normal(0, 1, 4000) for _ in range(2))
    assert crn_saving(a, b).replications == pytest.approx(10, rel=0.1)  # 4 sigma of 4000


def test_common_numbers_that_do_harm_are_told():
    draws = stream(1, 0, "shared").normal(0, 1, 50)
    found = crn_saving(draws, -draws)
    assert found.half_widths < 1
    assert found.replications == pytest.approx(0.5)


def test_a_difference_without_noise_saves_without_end():
    found = crn_saving([1.0, 2.0, 4.0], [2.0, 3.0, 5.0])
    assert (found.half_width, found.half_widths, found.replications) == (0, math.inf, math.inf)
    assert crn_saving([1.0, 1.0], [2.0, 2.0]).replications == 1


def test_holm_keeps_the_whole_set_honest():
    """400 sets of 10 comparisons without a difference: at most 5 % name one; alone 25 % would."""
    draws = stream(1, 0, "null")
    alarms = naive = 0
    for _ in range(400):
        data = draws.normal(0, 1, (11, 10))
        found = against_baseline(data[0], dict(enumerate(data[1:])))
        alarms += any(one.significant for one in found.values())
        naive += any(one.p_value < 0.05 for one in found.values())
    assert alarms / 400 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 400)
    assert naive / 400 > 0.15


def test_simultaneous_intervals_are_wider_with_more_comparisons_and_agree_with_holm_on_the_first():
    draws = stream(1, 0, "many")
    base = draws.normal(10, 1, 10)
    points = {f"p{n}": base + draws.normal(0.05 * n, 0.3, 10) for n in range(8)}
    found = against_baseline(base, points)
    alone = against_baseline(base, {"p7": points["p7"]})["p7"]

    assert alone.simultaneous_half_width == pytest.approx(alone.half_width)
    assert found["p7"].simultaneous_half_width > alone.simultaneous_half_width
    first = min(found.values(), key=lambda one: one.p_value)
    assert first.significant is (abs(first.difference) > first.simultaneous_half_width)
    for one in found.values():
        assert one.p_adjusted >= one.p_value
        if abs(one.difference) > one.simultaneous_half_width:
            assert one.significant


@pytest.mark.parametrize(("shift", "p_value"), [(0.0, 1.0), (1.0, 0.0)])
def test_differences_without_spread_are_certain(shift, p_value):
    base = [1.0, 2.0, 4.0]
    found = against_baseline(base, {"b": np.array(base) + shift})["b"]
    assert (found.p_value, found.significant) == (p_value, shift > 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: crn_saving([1.0], [2.0]),
        lambda: crn_saving([1.0, 2.0], [2.0]),
        lambda: against_baseline([1.0, 2.0], {}),
        lambda: against_baseline([1.0, 2.0], {"b": [1.0]}),
        lambda: against_baseline([1.0, 2.0], {"b": [1.0, 2.0, 3.0]}),
        lambda: against_baseline([1.0, 2.0], {"b": [1.0, 3.0]}, confidence=2.0),
    ],
)
def test_what_cannot_be_compared_is_refused(call):
    with pytest.raises(ParameterError):
        call()
