import math

import numpy as np
import pytest
from scipy import stats as reference

from virtperf import design
from virtperf.errors import ParameterError
from virtperf.rng import stream
from virtperf.stats import attribution, morris, noise_share, one_at_a_time, sobol_indices

ABC = ("a", "b", "c")
UNIT = dict.fromkeys(ABC, "0.0..1.0")
ANGLES = dict.fromkeys(ABC, f"{-math.pi!r}..{math.pi!r}")


def table(points):
    return np.array([[point[name] for name in ABC] for point in points])


def ishigami(x):
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def ishigami_indices():
    """Variances by hand (Ishigami and Homma 1990), of a = 7, b = 0.1."""
    a, b = 7.0, 0.1
    of_b = a**2 / 8
    of_a = 0.5 * (1 + b * math.pi**4 / 5) ** 2
    of_ac = b**2 * math.pi**8 * (1 / 18 - 1 / 50)
    total = of_a + of_b + of_ac
    first = {"a": of_a / total, "b": of_b / total, "c": 0.0}
    return first, {"a": (of_a + of_ac) / total, "b": of_b / total, "c": of_ac / total}


def inside(index, expected):
    """Within 2 half-widths of a 95 % interval: 4 standard errors."""
    return abs(index.value - expected) <= index.high - index.low


def test_indices_of_ishigamis_function_are_found():
    found = sobol_indices(ishigami(table(design.saltelli(ANGLES, 4096))), ABC)
    first, total = ishigami_indices()
    for name in ABC:
        assert inside(found.first[name], first[name])
        assert inside(found.total[name], total[name])
        # else the test proves nothing
        assert found.total[name].high - found.total[name].low < 0.15
    assert found.noise is None


def test_indices_are_those_of_scipy():
    values = ishigami(table(design.saltelli(ANGLES, 64)))
    blocks = values.reshape(64, 5)
    parts = {"f_A": blocks[None, :, 0], "f_B": blocks[None, :, 1], "f_AB": blocks[:, 2:].T[:, None]}
    theirs = reference.sobol_indices(func=parts, n=64)
    ours = sobol_indices(values, ABC)
    assert [ours.first[name].value for name in ABC] == pytest.approx(list(theirs.first_order))
    assert [ours.total[name].value for name in ABC] == pytest.approx(list(theirs.total_order))


def test_an_additive_function_has_first_order_indices_only():
    values = table(design.saltelli(UNIT, 512)) @ [3.0, 2.0, 1.0]
    found = sobol_indices(values, ABC)
    for name, weight in zip(ABC, (9, 4, 1), strict=True):
        assert inside(found.first[name], weight / 14)
        assert inside(found.total[name], weight / 14)
    assert found.variance == pytest.approx(14 / 12, rel=0.02)


def test_an_offset_and_a_unit_change_nothing():
    values = table(design.saltelli(UNIT, 64)) @ [3.0, 2.0, 1.0]
    one, other = sobol_indices(values, ABC), sobol_indices(1e9 + 1e3 * values, ABC)
    for name in ABC:
        assert one.first[name].value == pytest.approx(other.first[name].value, abs=1e-6)
        assert one.total[name].low == pytest.approx(other.total[name].low, abs=1e-6)


def test_the_seed_is_all_that_intervals_depend_on():
    values = table(design.saltelli(UNIT, 64)) @ [3.0, 2.0, 1.0]
    assert sobol_indices(values, ABC, seed=2) == sobol_indices(values, ABC, seed=2)
    assert sobol_indices(values, ABC, seed=2) != sobol_indices(values, ABC, seed=3)


def test_pure_noise_is_called_noise_and_no_factor_stands_out():
    values = stream(1, 0, "noise").normal(50, 1, (256 * 5, 10))
    found = sobol_indices(values, ABC)
    assert found.noise == pytest.approx(1, abs=0.1)
    for name in ABC:
        assert inside(found.first[name], 0.0)
        assert inside(found.total[name], 1.0)  # what an interaction with everything looks like
        assert not found.resolved(name)


def test_the_total_index_of_an_inert_factor_is_the_share_of_noise():
    points = table(design.saltelli(UNIT, 512))
    noise = stream(1, 0, "noise").normal(0, 0.6, (len(points), 4))
    found = sobol_indices((points @ [3.0, 2.0, 0.0])[:, None] + noise, ABC)
    share = 0.09 / (0.09 + 13 / 12)
    assert found.noise == pytest.approx(share, rel=0.1)
    assert inside(found.total["c"], share)
    assert [found.resolved(name) for name in ABC] == [True, True, False]


def test_an_output_that_does_not_vary_is_due_to_nothing():
    found = sobol_indices([7.0] * 40, ABC)
    assert found.variance == 0
    assert {index.value for index in (*found.first.values(), *found.total.values())} == {0.0}


@pytest.mark.parametrize(
    "values", [[1.0] * 9, [1.0] * 5, [1.0, math.nan] * 5, [], [[1.0]] * 9 + [[1.0, 2.0]]]
)
def test_answers_that_fit_no_design_are_refused(values):
    with pytest.raises(ParameterError, match=r"sobol_indices\.values must be finite, 5 per base"):
        sobol_indices(values, ABC)


@pytest.mark.parametrize("shared", [0.0, 5.0])
def test_noise_is_told_from_what_points_and_replications_have_in_common(shared):
    """Points of variance 4, noise of variance 1 over 5 replications: a share of 0.2 / 4.2."""
    draws = stream(1, 0, "layout")
    points, replications = draws.normal(0, 2, (2000, 1)), draws.normal(0, 1, (1, 5))
    values = points + shared * replications + draws.normal(0, 1, (2000, 5))
    assert noise_share(values) == pytest.approx(0.2 / 4.2, rel=0.15)


@pytest.mark.parametrize(
    "values", [[[1.0, 2.0]], [[1.0], [2.0]], [[1.0, 2.0], [1.0]], [[1, math.inf]] * 2]
)
def test_noise_of_no_replications_is_refused(values):
    with pytest.raises(ParameterError, match=r"noise_share\.values"):
        noise_share(values)


def effects(function, trajectories=20, **ranges):
    ranges = ranges or UNIT
    points = design.morris(ranges, trajectories)
    values = [function(point) for point in points]
    return morris(design.positions(ranges, points), values, list(ranges))


def test_effects_of_a_linear_function_are_its_slopes():
    found = effects(lambda p: 3 * p["a"] - 2 * p["b"])
    assert [found[name].mu for name in ABC] == pytest.approx([3, -2, 0], abs=1e-4)
    assert [found[name].mu_star for name in ABC] == pytest.approx([3, 2, 0], abs=1e-4)
    assert [found[name].sigma for name in ABC] == pytest.approx([0, 0, 0], abs=1e-4)
    assert [found[name].verdict for name in ABC] == ["linear", "linear", "negligible"]


def test_effects_that_cancel_are_seen_by_their_size():
    found = effects(lambda p: (p["a"] - 0.5) * (p["b"] - 0.5) + 0.2 * p["c"])
    for name in "ab":
        assert abs(found[name].mu) < found[name].mu_star
        assert found[name].verdict == "nonlinear or interacting"
    assert found["c"].verdict == "linear"


def test_effects_are_per_whole_range_whatever_its_kind():
    found = effects(
        lambda p: 2 * math.log10(p["log"]) + p["whole"] + (4 if p["name"] == "virtio" else 0),
        log="1.0..1000.0 log",
        whole="1..8",
        name=["native", "virtio"],
    )
    assert [one.mu_star for one in found.values()] == pytest.approx([6, 7, 4], abs=1e-3)


def test_a_factor_that_may_matter_is_kept():
    """Of a size below a twentieth, but known only to be below a fifth."""
    rows = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] * 3
    values = [0.0, 10.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0, 11.0]
    effect = morris(rows, values, ["a", "b"])["b"]
    assert effect.mu_star == pytest.approx(1 / 3)
    assert 0.5 < effect.mu_star + effect.half_width < 2
    assert effect.verdict == "nonlinear or interacting"


def test_nothing_that_matters_is_negligible_only_where_nothing_does():
    assert {one.verdict for one in effects(lambda p: 1.0).values()} == {"negligible"}


@pytest.mark.parametrize(
    ("positions", "values"),
    [
        ([[0.0], [1.0]], [1.0, 2.0]),
        ([[0.0], [1.0], [0.0]], [1.0, 2.0, 3.0]),
        ([[0.0], [0.0], [0.0], [1.0]], [1.0, 2.0, 3.0, 4.0]),
        ([[0.0, 0.0]] * 4, [1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_what_are_no_trajectories_is_refused(positions, values):
    with pytest.raises(ParameterError, match=r"morris\."):
        morris(positions, values, ["a"])


def test_shares_of_single_moves_add_up_and_come_largest_first():
    found = one_at_a_time({"a": (-1.0, 1.0), "b": (3.0, -3.0), "c": (1.0, 2.0)})
    assert list(found) == ["b", "a", "c"]
    assert sum(one.share for one in found.values()) == pytest.approx(1)
    assert found["b"].swing == -6
    assert found["c"].swing == 2  # both ends lie above the centre: the band begins there
    assert one_at_a_time({"a": (0.0, 0.0)})["a"].share == 0


def test_shares_of_a_joint_sample_are_those_of_the_plane():
    rows = table(design.latin_hypercube(UNIT, 200))
    noise = stream(1, 0, "noise").normal(0, 0.5, 200)
    found, unexplained = attribution(rows, rows @ [3.0, -2.0, 0.0] + noise, ABC)
    variance = 13 / 12 + 0.25
    for name, weight in zip(ABC, (9, 4, 0), strict=True):
        expected = weight / 12 / variance
        assert found[name].low <= expected <= found[name].high
        assert found[name].share == pytest.approx(expected, abs=0.06)
    assert unexplained == pytest.approx(0.25 / variance, rel=0.3)
    assert list(found) == ["a", "b", "c"]
    assert found["b"].swing < 0 < found["a"].swing


def test_constants_without_effect_get_no_share_on_average():
    draws, shares, rest = stream(1, 0, "null"), [], []
    for _ in range(200):
        found, unexplained = attribution(draws.random((20, 3)), draws.normal(0, 1, 20), ABC)
        shares += [one.share for one in found.values()]
        rest.append(unexplained)
    assert abs(np.mean(rest) - 1) < 4 * np.std(rest) / math.sqrt(len(rest))
    error = np.std(shares) / math.sqrt(len(shares))
    assert abs(np.mean(shares)) < 4 * error
    assert error < 0.01


def test_what_constants_do_together_is_left_unexplained():
    rows = table(design.latin_hypercube(UNIT, 400))
    found, unexplained = attribution(rows, (rows[:, 0] - 0.5) * (rows[:, 1] - 0.5), ABC)
    assert unexplained > 0.9
    assert all(one.share < 0.1 for one in found.values())


@pytest.mark.parametrize(
    ("positions", "values"),
    [
        ([[0.1], [0.5], [0.9]], [1.0, 2.0, 3.0]),
        ([[0.5]] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]),
        ([[0.1, 0.1]] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]),
    ],
)
def test_a_sample_that_tells_nothing_is_refused(positions, values):
    with pytest.raises(ParameterError, match=r"attribution\."):
        attribution(positions, values, ["a"])


def test_an_output_that_does_not_vary_has_no_contributions():
    found, unexplained = attribution([[0.1], [0.4], [0.5], [0.9]], [2.0] * 4, ["a"])
    assert (found["a"].share, unexplained) == (0.0, 0.0)
