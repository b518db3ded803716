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
DEPTH = "vm.load.outstanding"
OPEN = {"kind": "open", "rate": 1000.0, "size": "4KiB", "arrivals": {"kind": "poisson"}}


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
def every_level():
    design = grid({DEPTH: "1..8"})
    return Experiment(scenario=TOY, design=design, requests=400, outputs={}).run()


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
def test_the_level_is_that_of_a_sweep_over_all_levels(until, metric, holds, every_level):
    held = [
        depth for depth in range(1, 9) if holds(every_level.value(f"{DEPTH}={depth}", metric)[0])
    ]
    found = size(TOY, DEPTH, until, high=8, requests=400).found

    assert 1 <= max(held) < 8
    assert (found.level, found.broken) == (max(held), max(held) + 1)
    assert found.verdict == "found"


def test_levels_looked_at_are_stored(tmp_path, monkeypatch):
    first = size(TOY, DEPTH, "mean <= 80 us", high=8, requests=400, store=tmp_path)
    monkeypatch.setattr(tasks, "run_one", None)
    again = size(TOY, DEPTH, "mean <= 80 us", high=8, requests=400, store=tmp_path)

    assert again.found == first.found
    assert set(again.result.points[DEPTH]) == set(again.found.seen)
    assert not again.result.partial


def test_a_level_without_a_steady_state_meets_nothing():
    busy = TOY.with_("vm.load", OPEN)
    found = size(busy, "vm.load.rate", "mean <= 1 s", low=1000.0, high=1e6, requests=400)

    assert found.unsteady
    assert found.found.level < min(found.unsteady)
    assert math.isinf(found.found.seen[max(found.unsteady)][0])
    assert "no steady state" in show(found)


def test_a_quantile_of_too_few_requests_is_no_answer():
    with pytest.raises(SimulationError, match=r"vm.load.outstanding=1: latency.p99 cannot be told"):
        size(TOY, DEPTH, "p99 <= 1 ms", high=8, requests=400)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(UnknownNameError, match=r"did you mean latency\.mean"):
        size(TOY, DEPTH, "latency.men <= 1 ms", high=8, requests=400)
    with pytest.raises(ParameterError, match=r"size\.replications must be at least 2"):
        size(TOY, DEPTH, "mean <= 1 ms", high=8, replications=1)


@pytest.mark.parametrize(
    ("until", "says"),
    [
        ("mean <= 80 us", "latency.mean <= 80.0 us holds up to vm.load.outstanding=6 (for sure up"),
        ("mean <= 1 us", "does not hold at vm.load.outstanding=1, the lowest level"),
        ("mean <= 1 s", "holds up to vm.load.outstanding=8, the highest level looked at"),
    ],
)
def test_the_text_leads_with_the_answer(until, says):
    assert says in show(size(TOY, DEPTH, until, high=8, requests=400)).splitlines()[0]
