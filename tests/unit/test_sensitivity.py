"""Sensitivity: straight lines whose slopes are known, samples of them, ranges, and the figure."""

import math
from dataclasses import replace

import pytest
from matplotlib.container import BarContainer

from virtperf import Scenario
from virtperf.build import sources
from virtperf.cli.sensitivity import show
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.experiment.one_at_a_time import Move
from virtperf.experiment.sensitivity import sensitivity, varying
from virtperf.plot import tornado
from virtperf.validation.bearing import bearing

ONE = Scenario.load("toy").with_("vm.load.outstanding", 1)
DRIVE = Scenario.load("queue-depth-1")
FEW = {"requests": 400, "replications": 2}
EXIT, USER, NOTHING = "platform.exit_kernel", "platform.native_user", "platform.exit_mitigations"
OVER = {EXIT: "0.5..1.5", USER: "1.0..4.0", NOTHING: "0.0..0.001"}


@pytest.fixture(scope="module")
def moved():
    return sensitivity(ONE, OVER, **FEW)


def test_moves_are_a_cost_times_how_often_it_is_paid(moved):
    """One request at a time takes two exits, and its user part once; nothing waits."""
    assert moved.moves[EXIT].low == (pytest.approx(-1000.0), pytest.approx(0.0, abs=1e-6))
    assert moved.moves[EXIT].high[0] == pytest.approx(1000.0)
    assert [move[0] for move in (moved.moves[USER].low, moved.moves[USER].high)] == [
        0.0,
        pytest.approx(3000.0),
    ]


def test_shares_are_of_squared_swings_and_the_band_is_run_with_all_of_them(moved):
    assert list(moved.shares) == [USER, EXIT, NOTHING]
    assert moved.shares[USER].share == pytest.approx(9 / 13, abs=1e-4)
    assert sum(one.share for one in moved.shares.values()) == pytest.approx(1.0)
    assert moved.value == 51_000.0
    assert moved.band == (pytest.approx(50_000.0), pytest.approx(55_002.0))


def test_the_platform_is_every_number_read_that_has_a_range():
    known = sources(DRIVE)
    found = varying(DRIVE, "platform")

    assert set(found) == {
        f"platform.{name}"
        for name, one in known.items()
        if one.low is not None and one.high is not None and "." not in name
    }
    assert "platform.iothread_batch" not in found  # read, but known for sure
    one = found["platform.exit_kernel"]
    assert (one.low, one.high) == (known["exit_kernel"].low, known["exit_kernel"].high)


def test_numbers_ranges_and_the_platform_may_be_given_together():
    found = varying(DRIVE, ["platform.exit_kernel", "vm.load.outstanding=1..8"])
    assert list(found) == ["platform.exit_kernel", "vm.load.outstanding"]
    own = DRIVE.with_("platform.exit_kernel", 700.0)  # set, not known: no range is left
    assert "platform.exit_kernel" not in varying(own, "platform")


@pytest.mark.parametrize(
    ("over", "error", "says"),
    [
        ("platform", ParameterError, "toy reads no number of toy that has one"),
        ("platform.exit_kernl", UnknownNameError, "no number with a range"),
        ("vm.load.outstanding=3", ParameterError, "at least two levels"),
    ],
)
def test_what_does_not_vary_is_refused(over, error, says):
    with pytest.raises(error, match=says):
        sensitivity(ONE, over)


def test_an_end_without_a_steady_state_is_told_and_takes_no_share():
    load = {"kind": "open", "rate": 1000.0, "size": "4KiB", "arrivals": {"kind": "poisson"}}
    busy, over = ONE.with_("vm.load", load), {USER: "1.0..2000.0", EXIT: "0.5..1.5"}
    found = sensitivity(busy, over, **FEW)

    assert list(found.shares) == [EXIT]
    assert math.isnan(found.moves[USER].high[0])
    assert math.isnan(found.band[1])
    assert "no steady state" in show(found, busy)
    with pytest.raises(ParameterError, match="ranges without a point that has no steady state"):
        sensitivity(busy, over, "morris", trajectories=2, **FEW)


@pytest.fixture(scope="module")
def spread():
    return sensitivity(ONE, OVER, "sobol", trajectories=3, n=32, **FEW)


def test_screening_leaves_out_what_is_negligible_and_sobol_shares_are_those_of_lines(spread):
    assert {a: one.verdict for a, one in spread.effects.items()} == {
        USER: "linear",
        EXIT: "linear",
        NOTHING: "negligible",
    }
    assert spread.effects[USER].mu_star == pytest.approx(3000.0)
    assert set(spread.indices.total) == {USER, EXIT}
    for address, share in ((USER, 9 / 13), (EXIT, 4 / 13)):
        for index in (spread.indices.first[address], spread.indices.total[address]):
            assert index.low <= share <= index.high
    assert spread.noise == pytest.approx(0.0, abs=1e-12)


def test_the_text_keeps_three_kinds_of_error_apart(moved, spread):
    for found in (moved, spread):
        lines = show(found, ONE).splitlines()
        assert lines[0] == "latency.mean of toy: 51.00 us"
        starts = ("  simulation noise: ", "  parameter band: ", "  validation error: ")
        assert all(line.startswith(start) for line, start in zip(lines[1:], starts, strict=False))
    assert "50.0 us to 55.0 us, all 3 numbers" in show(moved, ONE)
    assert "negligible" in show(spread, ONE)


def test_a_move_within_the_noise_is_marked(moved):
    lost = Move(ends=(0.5, 1.5), low=(-62.0, 133.0), high=(21.0, 25.0))
    assert not lost.resolved
    noisy = replace(moved, moves={**moved.moves, EXIT: lost})
    row = next(line for line in show(noisy, ONE).splitlines() if line.startswith(EXIT))
    assert row.split() == f"{EXIT} 0.5 to 1.5 us -62 ± 133 ns +21 ± 25 ns noise".split()


def test_claims_that_bear_on_a_scenario_share_numbers_with_it():
    found = bearing(DRIVE.platform, sources(DRIVE))
    assert found
    wanted = {f"{DRIVE.platform}.{name}" for name in sources(DRIVE)}
    shared = [len(wanted & set(claim.inputs)) for claim in found]
    assert shared == sorted(shared, reverse=True)
    assert min(shared) > 0
    assert {claim.kind for claim in found} == {"predicted"}


def test_a_tornado_has_a_bar_for_each_end_the_strongest_on_top(moved):
    axes = tornado(moved, most=2)

    assert axes.get_xlabel() == "mean latency [us]"
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["native_user\n1 to 4 us", "exit_kernel\n0.5 to 1.5 us"]
    assert axes.yaxis_inverted()
    bars = [bar for row in axes.containers for bar in row if isinstance(row, BarContainer)]
    widths = sorted(bar.get_width() for bar in bars)
    assert widths == pytest.approx([-1.0, 0.0, 1.0, 3.0])
    said = [text.get_text() for text in axes.texts]
    assert "1 number moves it less, or not at all" in said
    assert "69%" in said
