import math

import numpy as np
import pytest

from virtperf.dist import (
    Cycle,
    Deterministic,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Mmpp,
    distribution,
)
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.rng import stream

ALL = [
    Deterministic(250),
    Exponential(900),
    LogNormal(1000, 0.8),
    Gamma(1000, 0.5),
    Gamma(1000, 2),
    Empirical((100, 200, 800), (5, 4, 1)),
    Cycle((300, 100, 800)),
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
def test_a_sampler_goes_on_where_it_was(dist):
    whole, rng, sample = dist.draw(stream(1, 0, "x"), 50), stream(1, 0, "x"), dist.sampler()
    assert np.concatenate([sample(rng, n) for n in (20, 29, 1)]) == pytest.approx(whole)


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
    assert (Gamma(1, 1).quantile(0), Gamma(1, 1).quantile(1)) == (0, math.inf)
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
        (lambda bad: Gamma(bad, 1), r"Gamma\.mean"),
        (lambda bad: Gamma(1, bad), r"Gamma\.cv"),
        (lambda bad: Cycle((1, bad)), r"Cycle\.values"),
        (lambda bad: Mmpp((1, bad), (1e9, 1e9)), r"Mmpp\.rates_per_s"),
        (lambda bad: Mmpp((1, 2), (1e9, bad)), r"Mmpp\.sojourns"),
        (lambda bad: Mmpp((1,), (1e9,)).scaled(bad), r"Mmpp\.factor"),
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


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Cycle(()), r"Cycle\.values must be at least one number"),
        (lambda: Mmpp((), ()), r"Mmpp\.rates_per_s must be at least one number"),
        (lambda: Mmpp((1, 2), (1e9,)), r"Mmpp\.sojourns must be as many as rates_per_s \(2\)"),
        (lambda: Mmpp((0, 0), (1, 1)), r"Mmpp\.rates_per_s must be above 0 in some state"),
        (lambda: Mmpp((1, 2), (1e9, 0)), r"Mmpp\.sojourns must be above 0"),
        (lambda: Mmpp((1, 2), (1e6, 1e6)), r"Mmpp\.sojourns must be long enough for an arrival"),
        (lambda: Mmpp((1,), (1e9,)).scaled(0), r"Mmpp\.factor must be above 0, got 0"),
    ],
)
def test_an_impossible_process_is_refused(build, says):
    with pytest.raises(ParameterError, match=says):
        build()


def test_a_gamma_without_variation_is_constant_and_with_cv_1_exponential():
    assert set(Gamma(5, 0).draw(stream(1, 0, "x"), 4)) == {5}
    assert Gamma(5, 0).quantile(0.1) == 5
    assert Gamma(5, 1).quantile(0.3) == pytest.approx(Exponential(5).quantile(0.3))


def test_a_cycle_gives_its_values_in_turn_and_draws_nothing():
    rng, untouched, sample = stream(1, 0, "x"), stream(1, 0, "x"), Cycle((3, 1, 2)).sampler()
    assert [*sample(rng, 4), *sample(rng, 4)] == [3, 1, 2, 3, 1, 2, 3, 1]
    assert rng.random() == untouched.random()


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
        ({"kind": "gamma", "mean": "1 ms", "cv": 2}, Gamma(1e6, 2)),
        ({"kind": "cycle", "values": ["2us", 500]}, Cycle((2000, 500))),
        ({"kind": "mmpp", "rates_per_s": [5], "sojourns": ["1s"]}, Mmpp((5,), (1e9,))),
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
        ({"kind": "cycle", "values": 3}, r"cycle\.values must be a list"),
        ({"kind": "mmpp", "rates_per_s": 3, "sojourns": [1]}, r"mmpp\.rates_per_s must be a list"),
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
