import math

import numpy as np
import pytest

from virtperf.errors import ParameterError
from virtperf.rng import stream
from virtperf.stats import batch_means, interval
from virtperf.stats.batch_means import von_neumann


def autoregressive(draws, correlation, count, runs):
    """Return runs of x' = correlation * x + noise, begun in their steady state of mean 0."""
    noise = draws.normal(0, 1, (count, runs))
    noise[0] /= math.sqrt(1 - correlation**2)
    for at in range(1, count):
        noise[at] += correlation * noise[at - 1]
    return noise.T


def binomial(share, count):
    return 4 * math.sqrt(share * (1 - share) / count)


def test_long_enough_batches_cover_as_often_as_they_say():
    """Nominal 95 %: 400 runs of 10,000 with a time constant of 10; 4 sigma of the binomial."""
    found = [batch_means(run) for run in autoregressive(stream(1, 0, "ar"), 0.9, 10_000, 400)]
    believed = [one for one in found if one.verdict == "ok"]

    assert len(believed) > 0.9 * len(found)
    hits = sum(abs(one.mean) <= one.half_width for one in believed)
    assert abs(hits / len(believed) - 0.95) < binomial(0.95, len(believed))


def test_most_runs_shorter_than_their_memory_are_not_believed():
    """200 observations with a time constant of 1,000: 10 means have no more power than that."""
    found = [batch_means(run) for run in autoregressive(stream(1, 0, "ar"), 0.999, 200, 200)]
    assert sum(one.verdict == "ci_unreliable" for one in found) > 0.5 * len(found)


def test_batches_are_doubled_before_a_run_is_given_up():
    found = [batch_means(run) for run in autoregressive(stream(2, 0, "ar"), 0.9, 1_000, 100)]
    assert {one.batches for one in found} == {10, 20}
    assert any(one.batches == 10 and one.verdict == "ok" for one in found)
    assert all(one.batches == 10 for one in found if one.verdict != "ok")
    assert all(one.length == 1_000 // one.batches for one in found)


def test_the_test_rejects_as_often_as_it_says_where_nothing_is_correlated():
    samples = stream(1, 0, "test").normal(5, 2, (4000, 20))
    for significance in (0.05, 0.2, 0.5):
        share = np.mean([von_neumann(one)[1] < significance for one in samples])
        # the normal approximation of 20 values is good to a percent; the rest is the sample
        assert abs(share - significance) < binomial(significance, 4000) + 0.01


def test_the_statistic_is_that_of_the_definition():
    data = stream(1, 0, "one").normal(0, 1, 15)
    ratio = np.sum(np.diff(data) ** 2) / np.sum((data - data.mean()) ** 2)
    assert von_neumann(data)[0] == pytest.approx(1 - ratio / 2)


def test_neighbours_that_alternate_are_no_reason_to_doubt():
    statistic, p_value = von_neumann([1.0, -1.0] * 10)
    assert statistic < 0
    assert p_value > 0.99


def test_the_interval_is_that_of_the_batches_at_the_end_of_the_run():
    data = np.concatenate([[1e6] * 7, stream(1, 0, "iid").normal(0, 1, 400)])
    found = batch_means(data)
    assert found.batches == 20
    assert (found.mean, found.half_width) == pytest.approx(
        interval(data[7:].reshape(20, 20).mean(axis=1))
    )


def test_a_constant_run_is_known_exactly():
    found = batch_means([3.0] * 100)
    assert (found.mean, found.half_width, found.verdict) == (3.0, 0.0, "ok")


@pytest.mark.parametrize("count", [1, 9])
def test_fewer_observations_than_batches_show_no_interval(count):
    found = batch_means([2.0] * count)
    assert found.verdict == "ci_unreliable"
    assert found.mean == 2.0
    assert math.isnan(found.half_width)


@pytest.mark.parametrize("bad", [{"series": []}, {"confidence": 1.0}, {"significance": 0.0}])
def test_nonsense_is_refused(bad):
    with pytest.raises(ParameterError, match=rf"batch_means\.{next(iter(bad))}"):
        batch_means(**{"series": [1.0] * 30, **bad})
