"""Sizing: criteria as they are typed, and the level that a sweep over all levels finds too."""

import math

import pytest

from virtperf import Experiment, Scenario
from virtperf.cli.size import show
from virtperf.design import grid
from virtperf.errors import ParameterError, SimulationError, UnknownNameError
from virtperf.experiment import tasks
from virtperf.experiment.criterion import Criterion
from virtperf.experiment.size import size

TOY = Scenario.load("toy")
FEW = {"requests": 400, "replications": 2}
DEPTH = "vm.load.outstanding"
OPEN = {"kind": "open", "rate": 10_000.0, "size": "4KiB", "arrivals": {"kind": "poisson"}}


@pytest.mark.parametrize(
    ("text", "metric", "limit"),
    [
        ("p99 <= 2 ms", "latency.p99", 2e6),
        ("p99.9<150us", "latency.p99.9", 150e3),
        ("mean <= 1,500 ns", "latency.mean", 1500.0),
        ("throughput >= 100k/s", "throughput", 1e5),
        ("throughput > 2.5e5 /s", "throughput", 2.5e5),
        ("utilization.host < 80%", "utilization.host", 0.8),
        ("wake_to_run.p99.guest[0] vcpu <= 1 s", "wake_to_run.p99.guest[0] vcpu", 1e9),
    ],
)
def test_a_criterion_is_read_in_the_unit_of_its_metric(text, metric, limit):
    found = Criterion.read(text)
    assert (found.metric, found.limit) == (metric, pytest.approx(limit))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("p99", "a metric, a comparison and a limit"),
        ("p99 = 2 ms", "a metric, a comparison and a limit"),
        ("p99 <= ms", "a metric, a comparison and a limit"),
        ("p99 <= 2", "a limit in ns, us, ms, s, such as 2 ms, for latency.p99"),
        ("p99 <= 2 /s", "a limit in ns, us, ms, s"),
        ("throughput >= 2 ms", "a limit in /s, 1/s, k/s, M/s"),
        ("utilization.host < 2 ms", "a limit in %, k, M"),
    ],
)
def test_what_is_no_criterion_is_told(text, says):
    with pytest.raises(ParameterError, match=says):
        Criterion.read(text)


def test_at_the_limit_only_the_open_comparisons_are_broken():
    for text, met in (("mean <= 1 us", True), ("mean < 1 us", False)):
        assert (Criterion.read(text).most >= 1000.0) is met
    for text, met in (("throughput >= 5 /s", True), ("throughput > 5 /s", False)):
        assert (Criterion.read(text).most >= -5.0) is met


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store that all share, so that no level is run twice."""
    return tmp_path_factory.mktemp("store")


def fits(until, folder, **more):
    return size(TOY, DEPTH, until, high=8, store=folder, **FEW | more)


@pytest.fixture(scope="module")
def every_level():
    design = grid({DEPTH: "1..8"})
    return Experiment(scenario=TOY, design=design, **FEW, outputs={}).run()


@pytest.mark.parametrize(
    ("until", "metric", "holds"),
    [
        ("mean <= 80 us", "latency.mean", lambda value: value <= 80e3),
        (
            "cpu_per_request.total >= 19.9 us",
            "cpu_per_request.total",
            lambda value: value >= 19.9e3,
        ),
    ],
)
def test_the_level_is_that_of_a_sweep_over_all_levels(until, metric, holds, every_level, folder):
    held = [
        depth for depth in range(1, 9) if holds(every_level.value(f"{DEPTH}={depth}", metric)[0])
    ]
    found = fits(until, folder).found

    assert 1 <= max(held) < 8
    assert (found.level, found.broken) == (max(held), max(held) + 1)
    assert found.verdict == "found"


def test_levels_looked_at_are_stored(folder, monkeypatch):
    first = fits("mean <= 80 us", folder)
    monkeypatch.setattr(tasks, "run_one", None)
    again = fits("mean <= 80 us", folder)

    assert again.found == first.found
    assert set(again.result.points[DEPTH]) == set(again.found.seen)
    assert not again.result.partial


def test_a_level_without_a_steady_state_meets_nothing():
    """The device serves 100,000 a second: eleven VMs of 10,000 are too many."""
    busy = TOY.with_("vm.load", OPEN)
    found = size(busy, "vm.count", "mean <= 1 s", high=12, **FEW)

    assert {level for level in found.found.seen if level > 10} <= set(found.unsteady)
    assert found.found.level < min(found.unsteady)
    assert all(math.isinf(found.found.seen[level][0]) for level in found.unsteady)
    assert "no steady state" in show(found)


def test_a_quantile_of_too_few_requests_is_no_answer():
    with pytest.raises(SimulationError, match=r"vm.load.outstanding=1: latency.p99 cannot be told"):
        size(TOY, DEPTH, "p99 <= 1 ms", **FEW)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(UnknownNameError, match=r"did you mean latency\.mean"):
        size(TOY, DEPTH, "latency.men <= 1 ms", high=8, **FEW)
    with pytest.raises(ParameterError, match=r"size\.replications must be at least 2"):
        size(TOY, DEPTH, "mean <= 1 ms", replications=1)


@pytest.mark.parametrize(
    ("until", "says"),
    [
        ("mean <= 80 us", "latency.mean <= 80.0 us holds up to vm.load.outstanding=6 (for sure up"),
        ("mean <= 1 us", "does not hold at vm.load.outstanding=1, the lowest level"),
        ("mean <= 1 s", "holds up to vm.load.outstanding=8, the highest level looked at"),
    ],
)
def test_the_text_leads_with_the_answer(until, says, folder):
    assert says in show(fits(until, folder)).splitlines()[0]
