"""All points against a baseline: honest p-values, and what common random numbers saved."""

import math

import pytest

from virtperf import Experiment, Scenario
from virtperf.cli.against import show
from virtperf.design import grid
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.stats import against_baseline, crn_saving

NOISY = Scenario.load("first-light")
LEVELS = {"vm.disk": ["native", "virtio"], "platform.exit_kernel": [700.0, 755.0, 800.0]}
NATIVE = {"vm.disk": "native"}
BASE = "vm.disk=virtio platform.exit_kernel=755.0"


@pytest.fixture(scope="module")
def result():
    given = {"requests": 800, "replications": 5, "outputs": {}}
    return Experiment(scenario=NOISY, design=grid(LEVELS), **given).run()


def test_one_baseline_is_what_the_statistics_say_of_all_points(result):
    table = result.against(BASE, "latency.mean")
    base = list(result.replications(BASE, "latency.mean"))
    points = {p: list(result.replications(p, "latency.mean")) for p in result.labels if p != BASE}
    known = against_baseline(base, points)

    assert list(table["point"]) == list(points)
    for row in table.to_dict("records"):
        said = known[row["point"]]
        assert row["p_adjusted"] == said.p_adjusted
        assert row["significant"] == said.significant
        assert row["difference"] == said.difference
        assert row["saved"] == crn_saving(base, points[row["point"]]).replications
        assert row["mean"] == pytest.approx(sum(base) / 5 * (1 + row["relative"]))


def test_levels_as_a_baseline_pair_points_and_adjust_over_all_pairs(result):
    table = result.against(NATIVE, "latency.mean")

    assert (table["point"].str.replace("virtio", "native") == table["baseline"]).all()
    assert len(table) == 3
    order = table.sort_values("p_value")
    least = order["p_value"].iloc[0]
    assert order["p_adjusted"].iloc[0] == pytest.approx(3 * least)


def test_common_random_numbers_save_replications_where_costs_are_added(result):
    table = result.against(NATIVE, "latency.mean")
    assert (table["saved"] > 100).all()
    assert table["significant"].all()


def test_what_has_no_value_is_not_compared(result):
    table = result.against(BASE, "latency.p99")
    assert list(table["n"]) == [0] * 5
    assert not table["significant"].any()
    assert math.isnan(table["p_adjusted"].iloc[0])
    assert "0 replications in common" in show(table)


def test_the_text_tells_baseline_difference_and_saving(result):
    one, several = (show(result.against(base, "latency.mean")) for base in (BASE, NATIVE))

    assert one.startswith(f"latency.mean against {BASE}\n")
    assert several.startswith("latency.mean against the baseline of each point\n")
    assert "differs" in several
    assert "Holm" in several


@pytest.mark.parametrize(
    ("baseline", "metric", "error", "says"),
    [
        ("vm.disk=native", "latency.mean", UnknownNameError, "did you mean vm.disk=native plat"),
        (BASE, "latency.men", UnknownNameError, r"did you mean latency\.mean"),
        ({"vm.disc": "native"}, "latency.mean", UnknownNameError, r"did you mean vm\.disk"),
        ({"vm.disk": "natve"}, "latency.mean", ParameterError, "or levels that points have"),
    ],
)
def test_what_is_not_there_is_told(baseline, metric, error, says, result):
    with pytest.raises(error, match=says):
        result.against(baseline, metric)
