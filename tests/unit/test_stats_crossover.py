import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.errors import ParameterError
from virtperf.rng import stream
from virtperf.stats import crossover

NOISE = stream(1, 0, "noise").normal(0, 1, 20)


def line(root, slope=1.0, noise=1.0):
    return lambda x: slope * (x - root) + noise * NOISE


@given(
    root=st.floats(0.01, 0.99), slope=st.sampled_from([-3.0, 0.1, 2.0]), scale=st.floats(1e-3, 1e6)
)
def test_the_root_of_a_line_is_found_within_the_resolution(root, slope, scale):
    levels = [0.0, 0.3 * scale, scale]
    found = crossover(lambda x: [slope * (x / scale - root)] * 3, levels)
    assert found.verdict == "found"
    assert found.before <= root * scale <= found.after
    assert found.after - found.before <= 1e-3 * scale
    assert found.root == pytest.approx(root * scale, abs=1e-6 * scale)


@given(root=st.integers(2, 999), rising=st.booleans())
def test_whole_numbers_are_narrowed_down_to_neighbours_with_few_looks(root, rising):
    found = crossover(line(root - 0.5, 1.0 if rising else -1.0, 0.0), [1, 10, 1000])
    assert (found.before, found.after) == (root - 1, root)
    assert (found.low, found.high) == (root - 1, root)
    assert len(found.seen) <= 3 + math.ceil(math.log2(990)) + 1
    assert all(isinstance(level, int) for level in found.seen)


def test_whole_numbers_of_numpy_are_whole_and_mixed_levels_are_not():
    found = crossover(line(3.5, noise=0.0), np.array([1, 9]))
    assert {type(level) for level in found.seen} == {int}
    assert found.after == 4
    assert crossover(line(3.5, noise=0.0), [1, 5, 9.5]).after < 3.6


def test_the_interval_is_that_of_the_difference_inverted():
    """A line of slope 2 with the same noise everywhere: half-width of the difference over 2."""
    found = crossover(line(50.0, slope=2.0, noise=10.0), [0.0, 100.0], resolution=1e-6)
    mean, half_width = found.seen[0.0]
    centre, reach = 0.0 - mean / 2, half_width / 2
    assert found.root == pytest.approx(centre, abs=1e-3)
    assert found.low == pytest.approx(centre - reach, abs=1e-3)
    assert found.high == pytest.approx(centre + reach, abs=1e-3)


def test_at_its_interval_zero_is_excluded():
    found = crossover(line(500.3, slope=0.1, noise=5.0), [1, 1000])
    for end, sign in ((found.low, -1), (found.high, 1)):
        mean, half_width = found.seen[end]
        assert sign * mean > half_width
    for inner in (found.low + 1, found.high - 1):
        mean, half_width = found.seen[inner]
        assert abs(mean) <= half_width


def test_an_interval_that_leaves_the_range_is_open():
    centred = NOISE - NOISE.mean()  # half-width 0.43, which a slope of 0.01 makes 43 levels
    found = crossover(lambda x: 0.01 * (x - 5.0) + centred, [0.0, 10.0, 400.0])
    assert found.root == pytest.approx(5.0)
    assert found.low is None
    assert 45 < found.high < 51


def test_a_root_is_covered_as_often_as_the_interval_says():
    draws = stream(2, 0, "coverage")
    hits = 0
    for _ in range(300):
        noise = draws.normal(0, 1, 8)
        found = crossover(lambda x, noise=noise: 0.5 * (x - 10.0) + noise, [0.0, 20.0])
        hits += found.low <= 10.0 <= found.high
    # the resolution adds a thousandth of the range on either side: less than 1 % of coverage
    assert abs(hits / 300 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 300) + 0.01


def test_no_change_of_sign_is_none():
    found = crossover(line(-1.0, noise=0.1), [0, 10, 20])
    assert found.verdict == "none"
    assert (found.root, found.low, found.high) == (None, None, None)
    assert list(found.seen) == [0, 10, 20]


def test_several_changes_are_told_and_the_first_is_found():
    found = crossover(lambda x: [(x - 1.5) * (x - 6.5) * (x - 8.5)] * 2, [0, 4, 7, 9])
    assert found.verdict == "several"
    assert (found.before, found.after) == (1, 2)


@pytest.mark.parametrize("levels", [[1], [2, 1], [1, 1], [0.0, math.nan]])
def test_levels_out_of_order_are_refused(levels):
    with pytest.raises(ParameterError, match=r"crossover\.levels must be at least 2, in rising"):
        crossover(line(1.5), levels)


def test_one_replication_or_a_resolution_of_nothing_is_refused():
    with pytest.raises(ParameterError, match=r"crossover\.difference must be at least 2 repl"):
        crossover(lambda x: [x], [1, 2])
    with pytest.raises(ParameterError, match=r"crossover\.resolution"):
        crossover(line(1.5), [1, 2], resolution=0.0)
