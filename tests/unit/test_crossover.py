"""Crossover: a tie that is known beforehand is found; who has no steady state loses."""

import pytest

from virtperf import Experiment, Scenario
from virtperf.cli.crossover import show
from virtperf.design import grid
from virtperf.errors import ParameterError
from virtperf.experiment import tasks
from virtperf.experiment.crossover import crossover
from virtperf.experiment.looks import Looks
from virtperf.stats import crossover as root_of

ONE = Scenario.load("toy").with_("vm.load.outstanding", 1)
COST = "platform.virtio_pop=0..64"
FEW = {"requests": 400, "replications": 2}
RIVALS = "vm.disk=virtio,emulated-nvme"


@pytest.mark.slow
def test_the_cost_at_which_two_paths_tie_is_found(tmp_path, monkeypatch):
    """One at a time nobody waits, so latency is a straight line of any cost of a path."""
    design = grid({"vm.disk": ["virtio", "emulated-nvme"], "platform.virtio_pop": [0.0, 10.0]})
    ends = Experiment(scenario=ONE, design=design, **FEW, outputs={}).run()
    low, high, flat, _ = (ends.value(label, "latency.mean")[0] for label in ends.labels)
    tie = 10.0 * (flat - low) / (high - low)
    found = crossover(ONE, COST, RIVALS, **FEW, store=tmp_path)

    assert 1 < tie < 63
    assert found.found.root == pytest.approx(tie, abs=1e-3)
    assert found.found.before <= tie <= found.found.after
    assert (found.better(0), found.better(64)) == ("virtio", "emulated-nvme")
    assert found.found.after - found.found.before == 1
    monkeypatch.setattr(tasks, "run_one", None)
    assert crossover(ONE, COST, RIVALS, **FEW, store=tmp_path).found == found.found


def test_more_throughput_is_better():
    costs = "platform.virtio_pop=0.0,1.0"
    found = crossover(ONE, costs, RIVALS, "throughput", **FEW)

    assert (found.found.verdict, found.better(0.0)) == ("none", "virtio")
    assert "vm.disk=virtio is better at every level from 0 to 1" in show(found)


class Known:
    """What would be seen at levels up to which each alternative has a steady state."""

    def __init__(self, **ends):
        self.ends = ends

    def at(self, design, metric):
        return [self.of(*levels.values()) for levels in design]

    def of(self, level, name):
        if level > self.ends[name]:
            return None
        return {r: level + r + (name == "vhost-blk") for r in range(3)}


@pytest.mark.parametrize(
    ("virtio", "vhost", "seen"),
    [
        (20, 24, ("found", 20, 21, 25)),  # virtio is better until it has no steady state
        (24, 20, ("none", None, None, 25)),
        (64, 20, ("none", None, None, None)),
        (20, 64, ("found", 20, 21, None)),
    ],
)
def test_an_alternative_without_a_steady_state_loses(virtio, vhost, seen, monkeypatch):
    known = Known(**{"virtio": virtio, "vhost-blk": vhost})
    monkeypatch.setattr(Looks, "at", lambda _, design, metric: known.at(design, metric))
    monkeypatch.setattr(Looks, "result", lambda _: None)
    found = crossover(ONE, "vm.load.outstanding=1..64", "vm.disk=virtio,vhost-blk")

    root = found.found
    assert (root.verdict, root.before, root.after, found.lost) == seen
    assert root.root is None
    assert found.better(1) == "virtio"
    text = show(found)
    assert ("vhost-blk from 21 on" in text) is (root.before == 20)
    assert ("neither has a steady state" in text) is (found.lost is not None)


@pytest.mark.parametrize(
    ("vary", "between", "says"),
    [
        ("vm.count=1..8", "vm.disk=virtio", "an address with two levels"),
        ("vm.count=1..8", "vm.disk=virtio,native,vhost-blk", "an address with two levels"),
        ("vm.count=0.5x..2x", RIVALS, "given numbers as levels"),
        ("vm.disk=native,virtio", RIVALS, "given numbers as levels"),
        ("vm.count", RIVALS, "an address with a range"),
    ],
)
def test_what_cannot_be_compared_is_refused(vary, between, says):
    with pytest.raises(ParameterError, match=says):
        crossover(ONE, vary, between)


def test_an_infinite_difference_is_a_sign_without_a_root():
    found = root_of(lambda x: float("inf") if x > 6 else [-1.0, -2.0], [1, 9])
    assert (found.before, found.after, found.root) == (6, 7, None)
    with pytest.raises(ParameterError, match="one value per replication, or infinite"):
        root_of(lambda x: 1.0, [1, 9])
