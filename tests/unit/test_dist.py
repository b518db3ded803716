import math

import numpy as np
import pytest

from virtperf.dist import (
    Deterministic,
    Distribution,
    Empirical,
    Exponential,
    LogNormal,
    distribution,
)
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.rng import stream

ALL = [
    Deterministic(250),
    Exponential(900),
    LogNormal(1000, 0.8),
    Empirical((100, 200, 800), (5, 4, 1)),
]
EACH = pytest.mark.parametrize("dist", ALL, ids=lambda dist: type(dist).__name__)


@EACH
def test_draws_have_the_moments_that_are_stated(dist):
    """100,000 draws: means within 4 standard errors, spread within 5 %."""
    draws = dist.draw(stream(1, 0, "draws"), 100_000)
    error = math.sqrt(dist.scv / 100_000) * dist.mean
    assert abs(draws.mean() - dist.mean) <= 4 * error
    assert draws.var() / draws.mean() ** 2 == pytest.approx(dist.scv, rel=0.05)


@EACH
@pytest.mark.parametrize("q", [0.25, 0.5, 0.95])
def test_the_stated_quantile_splits_the_draws(dist, q):
    draws = dist.draw(stream(1, 0, "draws"), 20_000)
    slack = 4 * math.sqrt(q * (1 - q) / 20_000)
    assert np.mean(draws <= dist.quantile(q)) >= q - slack
    assert np.mean(draws < dist.quantile(q)) <= q + slack


@EACH
def test_a_distribution_survives_being_written_down(dist):
    assert distribution(dist.as_dict()) == dist
    assert isinstance(dist, Distribution)


@EACH
def test_scaling_scales_every_draw(dist):
    draws = dist.draw(stream(1, 0, "x"), 50)
    assert dist.scaled(3).draw(stream(1, 0, "x"), 50) == pytest.approx(3 * draws)
    assert dist.scaled(3).scv == pytest.approx(dist.scv)


@EACH
def test_scaling_by_zero_makes_it_free(dist):
    free = dist.scaled(0)
    assert free.mean == free.quantile(0.99) == 0
    assert not free.draw(stream(1, 0, "x"), 5).any()


@EACH
@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_share_outside_0_to_1_is_refused(dist, q):
    with pytest.raises(ParameterError, match=r"\.q must be in \[0, 1\]"):
        dist.quantile(q)


def test_the_ends_of_a_distribution():
    assert Exponential(1).quantile(0) == LogNormal(1, 1).quantile(0) == 0
    assert Exponential(1).quantile(1) == LogNormal(1, 1).quantile(1) == math.inf
    seen = Empirical((1, 9), (1, 1))
    assert (seen.quantile(0), seen.quantile(0.5), seen.quantile(1)) == (1, 1, 9)


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "3", None, True])
@pytest.mark.parametrize(
    ("build", "field"),
    [
        (Deterministic, r"Deterministic\.value"),
        (Exponential, r"Exponential\.mean"),
        (lambda bad: LogNormal(bad, 1), r"LogNormal\.mean"),
        (lambda bad: LogNormal(1, bad), r"LogNormal\.cv"),
        (lambda bad: Empirical((bad,), (1,)), r"Empirical\.values"),
        (lambda bad: Empirical((1,), (bad,)), r"Empirical\.weights"),
        (lambda bad: Exponential(1).scaled(bad), r"Exponential\.factor"),
    ],
)
def test_what_is_no_time_is_refused_by_name(build, field, bad):
    with pytest.raises(ParameterError, match=field):
        build(bad)


@pytest.mark.parametrize(
    ("values", "weights", "says"),
    [
        ((), (), r"Empirical\.values must be at least one time"),
        ((2, 1), (1, 1), r"Empirical\.values must be in ascending order"),
        ((1, 2), (1,), r"Empirical\.weights must be as many as values \(2\), got 1"),
        ((1, 2), (1, 0), r"Empirical\.weights must be positive, got 0"),
    ],
)
def test_an_impossible_histogram_is_refused(values, weights, says):
    with pytest.raises(ParameterError, match=says):
        Empirical(values, weights)


def test_bins_of_fio_become_a_distribution():
    seen = Empirical.from_bins({"800": 1, "200": 4, "100": 5, "900": 0})
    assert seen == Empirical((100, 200, 800), (5, 4, 1))
    with pytest.raises(ParameterError, match="at least one time"):
        Empirical.from_bins({"100": 0})


def test_an_empirical_draw_costs_one_uniform_number():
    used, reference = stream(1, 0, "x"), stream(1, 0, "x")
    Empirical((1, 2), (1, 1)).draw(used, 7)
    reference.random(7)
    assert used.random() == reference.random()


def test_a_layer_of_known_cost_can_be_subtracted():
    below = Empirical((100, 200, 800), (5, 4, 1)).shifted(150, floor=10)
    assert below == Empirical((10, 50, 650), (5, 4, 1))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"kind": "deterministic", "value": "26us"}, Deterministic(26_000)),
        ({"kind": "exponential", "mean": 900}, Exponential(900)),
        ({"kind": "lognormal", "mean": "1 ms", "cv": 2}, LogNormal(1e6, 2)),
        ({"kind": "empirical", "values": ["2us", 500]}, Empirical((500, 2000), (1, 1))),
    ],
    ids=lambda value: str(value)[:30],
)
def test_data_becomes_a_distribution(data, expected):
    assert distribution(data) == expected


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kind": "exponential"}, r"exponential\.mean must be given"),
        ({"kind": "exponential", "mean": "3 parsec"}, r"exponential\.mean must be a duration such"),
        ({"kind": "exponential", "mean": 1, "cv": 2}, r"exponential\.cv must be absent"),
        ({"kind": "empirical", "values": 3}, r"empirical\.weights must be given"),
        ({"kind": "empirical", "values": 3, "weights": [1]}, r"empirical\.values must be a list"),
        ({"kind": "empirical", "values": [3], "weights": []}, r"weights must be as many as val"),
        ({"kind": "lognormal", "mean": 1, "cv": "2"}, r"LogNormal\.cv must be a finite number"),
    ],
)
def test_wrong_data_is_refused_by_name(data, says):
    with pytest.raises(ParameterError, match=says):
        distribution(data)


def test_an_unknown_kind_is_answered_with_the_right_one():
    with pytest.raises(UnknownNameError, match="did you mean lognormal"):
        distribution({"kind": "log-normal"})
    with pytest.raises(UnknownNameError):
        distribution({})
