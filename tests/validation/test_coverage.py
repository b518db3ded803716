"""Intervals that are called 95 % hold the truth about so often, or are not given."""

import math
from dataclasses import replace

import pytest

from virtperf.validation import coverage

pytestmark = pytest.mark.validation


def few(share, count):
    """Return how many of `count` a true share of `share` falls below once in 1000 times."""
    from scipy.stats import binom

    return int(binom.ppf(0.001, count, share))


def test_twenty_seeds_of_a_light_load_cover():
    for row in coverage.cover(coverage.mm1(0.5), coverage.QUICK):
        assert row.given >= few(0.95, 20)
        assert row.inside >= few(coverage.LEAST, row.given)


def test_runs_that_are_much_too_short_give_no_interval():
    (row,) = coverage.cover(coverage.mm1(coverage.HEAVY, 2_000), coverage.QUICK)

    assert row.metric == "latency.mean"  # 2,000 are too few for a p99 at all
    assert row.given <= 1


@pytest.mark.slow
@pytest.mark.parametrize("load", coverage.LOADS)
def test_intervals_of_mm1_cover(load):
    judge(coverage.cover(coverage.mm1(load)))


@pytest.mark.slow
def test_intervals_of_virtio_cover():
    judge(coverage.cover(coverage.virtio()))


def judge(rows):
    assert len(rows) == len(coverage.METRICS)
    for row in rows:
        assert coverage.LEAST <= row.share <= coverage.MOST, row.metric
        assert row.given >= 0.95 * row.seeds, row.metric


@pytest.mark.slow
def test_the_truth_of_virtio_is_known_ten_times_as_well():
    system = coverage.virtio_path(coverage.RATE_SHARE)
    lengths = {coverage.TRUTH_SEED: coverage.LONGER * coverage.REQUESTS, 0: coverage.REQUESTS}
    long, short = (
        coverage.replications(system, seed=seed, requests=requests)
        for seed, requests in lengths.items()
    )
    for one, other in zip(long, short, strict=True):
        assert one.half < 0.15 * other.half  # a tenth, and both are estimates of ten values


def test_the_page_says_what_was_found():
    case = coverage.mm1(0.9, 2_000)
    row = coverage.Coverage(
        case=case,
        metric="latency.mean",
        seeds=200,
        given=0,
        inside=0,
        inside_withheld=167,
        width=0.2,
    )
    page = coverage.markdown([row, replace(row, given=200, inside=190, inside_withheld=0)])

    assert "|M/M/1, load 0.9|2,000|latency.mean|200|100.0 %|-|-|167 of 200|20.0 %|" in page
    assert "|200|0.0 %|95.0 %|1.5 %|-|20.0 %|" in page
    assert math.isnan(row.share)
