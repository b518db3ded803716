"""The way of one request: its legs, their sequence diagram, and the verb that prints them."""

import itertools

import pytest
from typer.testing import CliRunner

from virtperf.build import build
from virtperf.cli import app
from virtperf.errors import ParameterError
from virtperf.plot import sequence
from virtperf.scenario import Scenario
from virtperf.technique import matrix
from virtperf.theory import zero_load
from virtperf.theory.way import way
from virtperf.units import TICKS_PER_NS

SCENARIO = Scenario.load("first-light")


@pytest.mark.parametrize("disk", ["native", "virtio", "emulated-ahci", "passthrough"])
def test_legs_follow_each_other_and_are_the_whole_latency(disk):
    system = build(SCENARIO.with_("vm.disk", disk))
    legs = way(system)

    for before, after in itertools.pairwise(legs):
        assert after.start == pytest.approx(before.start + before.ns)
        assert (before.where, before.account) != (after.where, after.account)
    assert sum(leg.ns for leg in legs) == pytest.approx(zero_load(system).latency / TICKS_PER_NS)


def test_a_kick_is_on_the_vcpu_and_the_host_io_on_the_io_thread():
    legs = way(build(SCENARIO.with_("vm.disk", "virtio")))
    where = {leg.what: leg.where for leg in legs}
    assert where["exit kick"] == "vcpu0"
    assert where["host I/O"] == "iothread"
    assert where["device"] == "vda"


def test_the_diagram_has_a_column_for_each_place_and_an_arrow_where_it_changes():
    legs = way(build(SCENARIO.with_("vm.disk", "virtio")))
    ax = sequence(legs, title="one read")

    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["vcpu0", "iothread", "vda"]
    changes = sum(a.where != b.where for a, b in itertools.pairwise(legs))
    assert sum(getattr(text, "arrow_patch", None) is not None for text in ax.texts) == changes
    assert ax.get_title(loc="left") == "one read"
    says = " ".join(text.get_text() for text in ax.texts)
    assert "exit kick" in says
    assert " us" in says


def test_a_way_without_legs_is_refused():
    with pytest.raises(ParameterError, match="1 to 120 legs"):
        sequence([])


def test_the_verb_prints_every_point_and_draws_it(tmp_path):
    said = CliRunner().invoke(
        app, ["path", "first-light", "--over", "vm.disk=native,virtio", "--out", str(tmp_path)]
    )
    assert said.exit_code == 0
    assert "vm.disk=native: " in said.output
    assert "exit kick" in said.output
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "path-vm.disk=native.png",
        "path-vm.disk=virtio.png",
    ]


def test_a_job_that_is_not_there_is_refused_in_one_line():
    said = CliRunner().invoke(app, ["path", "toy", "--job", "7"])
    assert said.exit_code == 1
    assert "path.job must be below 1, the number of jobs, got 7" in said.output


@pytest.mark.parametrize("name, told", [("toy", False), ("memory-overcommit", True)])
def test_legs_that_are_means_over_several_ways_are_told_to_be(name, told):
    said = CliRunner().invoke(app, ["path", name])
    assert ("mean over all of them" in said.output) is told


@pytest.mark.parametrize("disk", matrix.disk_techniques())
def test_the_way_through_every_disk_technique_can_be_drawn(disk):
    if disk in matrix.GIVEN:
        return  # these need a device that can be given
    sequence(way(build(Scenario.load("block-paths").with_("vm.disk", disk))))
