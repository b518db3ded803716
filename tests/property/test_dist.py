import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.dist import (
    Cycle,
    Deterministic,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Mmpp,
    distribution,
)
from virtperf.rng import draws, stream

pytestmark = pytest.mark.property

times = st.floats(0, 1e9)
bins = st.dictionaries(st.integers(0, 10**9), st.integers(1, 10**6), min_size=1, max_size=30)
empiricals = st.builds(Empirical.from_bins, bins)
distributions = st.one_of(
    st.builds(Deterministic, times),
    st.builds(Exponential, times),
    st.builds(LogNormal, times, st.floats(0, 5)),
    st.builds(Gamma, times, st.floats(0, 5)),
    st.builds(lambda values: Cycle(tuple(values)), st.lists(times, min_size=1, max_size=30)),
    empiricals,
)
states = st.tuples(st.floats(0, 1e6), st.floats(1e4, 1e9))
processes = st.builds(
    lambda rows: Mmpp(*zip(*rows, strict=True)),
    st.lists(states, min_size=1, max_size=4).filter(lambda rows: max(rows)[0] >= 1e4),
)
shares = st.floats(0, 1)


@given(st.one_of(distributions, processes))
def test_writing_down_and_reading_back_changes_nothing(dist):
    assert distribution(dist.as_dict()) == dist


@given(st.one_of(distributions, processes), st.integers(0, 2**32))
def test_every_draw_is_a_time_the_engines_accept(dist, seed):
    assert next(draws(seed, 0, "x", dist.draw)) >= 0


@given(st.one_of(distributions, processes), shares, shares)
def test_quantiles_never_fall(dist, p, q):
    low, high = sorted((p, q))
    assert dist.quantile(low) <= dist.quantile(high)


@given(distributions, st.floats(0, 100))
def test_scaling_scales_the_mean(dist, factor):
    assert dist.scaled(factor).mean == pytest.approx(dist.mean * factor, rel=1e-9, abs=1e-9)


@given(processes, st.floats(0.01, 100))
def test_a_process_in_another_unit_of_time_is_the_same(process, factor):
    other = process.scaled(factor)
    assert other.mean == pytest.approx(process.mean * factor)
    assert other.scv == pytest.approx(process.scv)
    assert other.dispersion == pytest.approx(process.dispersion)


@given(processes)
def test_a_process_is_never_more_regular_than_poisson(process):
    """A changing rate adds variance to counts, and by Jensen's inequality to gaps."""
    assert min(process.dispersion, process.scv) >= 1 - 1e-6


@given(bins)
def test_an_empirical_distribution_has_the_moments_of_its_bins(counts):
    seen = Empirical.from_bins(counts)
    values, numbers = np.array(list(counts), float), np.array(list(counts.values()), float)
    mean = np.average(values, weights=numbers)
    variance = np.average((values - mean) ** 2, weights=numbers)
    assert seen.mean == pytest.approx(mean)
    assert seen.scv * seen.mean**2 == pytest.approx(variance, rel=1e-6, abs=1e-3)


@given(bins, st.integers(1, 1000))
def test_the_scale_of_the_weights_does_not_matter(counts, factor):
    seen = Empirical.from_bins(counts)
    heavier = Empirical.from_bins({value: n * factor for value, n in counts.items()})
    assert heavier.mean == pytest.approx(seen.mean)
    assert set(heavier.draw(stream(1, 0, "x"), 20)) <= set(seen.values)


@given(empiricals, shares)
def test_a_quantile_is_one_of_the_values_and_splits_the_weight(seen, q):
    value, total = seen.quantile(q), sum(seen.weights)
    upto = sum(w for v, w in zip(seen.values, seen.weights, strict=True) if v <= value)
    below = sum(w for v, w in zip(seen.values, seen.weights, strict=True) if v < value)
    assert value in seen.values
    assert below <= q * total * (1 + 1e-9)
    assert upto >= q * total * (1 - 1e-9)


@given(empiricals, times, times)
def test_shifting_lowers_no_value_below_the_floor_and_keeps_the_weights(seen, by, floor):
    shifted = seen.shifted(by, floor)
    assert min(shifted.values) >= floor
    assert shifted.weights == seen.weights
    assert all(
        new == max(floor, old - by) for new, old in zip(shifted.values, seen.values, strict=True)
    )
