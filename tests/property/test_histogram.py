"""The histogram against the data it has forgotten."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.tables import Histogram
from virtperf.tables.histogram import bucket, middle

pytestmark = pytest.mark.property
TICKS = st.one_of(st.integers(0, 300), st.integers(0, 2**62))
SHARES = st.floats(0, 1)


def histogram(data: list[int]) -> Histogram:
    filled = Histogram()
    for ticks in data:
        filled.add(ticks)
    return filled


@given(data=st.lists(TICKS, min_size=1, max_size=50), q=SHARES)
def test_a_quantile_is_within_one_percent_of_the_datum(data, q):
    rank = max(1, math.ceil(q * len(data)))
    exact = sorted(data)[rank - 1]
    assert histogram(data).quantile(q) == pytest.approx(exact, rel=0.01, abs=0)


@given(ticks=TICKS)
def test_the_middle_of_a_bucket_lies_in_it(ticks):
    assert bucket(int(middle(bucket(ticks)))) == bucket(ticks)


@given(a=TICKS, b=TICKS)
def test_buckets_keep_the_order(a, b):
    assert (bucket(a) <= bucket(b)) if a <= b else (bucket(a) >= bucket(b))


@given(parts=st.lists(st.lists(TICKS, max_size=20), max_size=5))
def test_merging_is_adding(parts):
    merged = Histogram().merge(histogram(part) for part in parts)
    assert merged.counts == histogram([ticks for part in parts for ticks in part]).counts
    assert merged.count == sum(map(len, parts))


@given(data=st.lists(TICKS, min_size=1, max_size=50))
def test_the_distribution_rises_to_one(data):
    points = histogram(data).cdf()
    assert points == sorted(points)
    assert points[-1][1] == 1.0


def test_an_empty_histogram_has_no_quantile():
    with pytest.raises(ValueError, match="empty"):
        Histogram().quantile(0.5)


def test_short_durations_are_exact():
    assert [histogram([ticks]).quantile(0.5) for ticks in range(128)] == list(range(128))
