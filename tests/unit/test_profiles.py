"""Whole-VM profiles: what they name exists and goes together, and a scenario can take them."""

import pytest

from virtperf.build import memory_use
from virtperf.errors import UnknownNameError
from virtperf.experiment.plan import all_levels
from virtperf.scenario import Scenario
from virtperf.technique import matrix, profiles


@pytest.mark.parametrize("name", profiles.names())
def test_a_profile_names_techniques_that_go_together(name):
    whole = profiles.profile(name)

    assert whole.cpu in matrix.cpu_techniques()
    assert whole.memory in matrix.memory_techniques()
    assert whole.disk in matrix.disk_techniques()
    both = {"disk": whole.disk, "memory": whole.memory}
    assert matrix.why_forbidden(whole.cpu, whole.guest, **both) is None


@pytest.mark.parametrize("name", profiles.names())
def test_a_vm_takes_all_of_a_profile_that_it_has_devices_for(name):
    whole = profiles.profile(name)
    vm = Scenario.load("whole-vm").with_("vm", name).vm[0]

    assert (vm.guest, vm.cpu.technique) == (whole.guest, whole.cpu)
    assert (vm.memory.technique, vm.disk.technique) == (whole.memory, whole.disk)


def test_one_of_several_vms_may_take_a_profile():
    data = Scenario.load("whole-vm").to_dict()
    two = Scenario.from_dict({**data, "vm": [data["vm"][0], {**data["vm"][0], "name": "other"}]})

    first, second = two.with_("vm[1]", "container").vm
    assert (first.cpu.technique, second.cpu.technique) == ("hardware", "direct")


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_named_beside_a_profile_wins_in_any_order(order):
    changes = [("vm", "hvm"), ("vm.memory", "shadow")][::order]
    changed = Scenario.load("whole-vm").with_all(dict(changes))

    assert changed.vm[0].memory.technique == "shadow"


def test_a_vm_that_is_not_there_takes_no_profile():
    with pytest.raises(UnknownNameError, match=r"vm\[3\]"):
        Scenario.load("whole-vm").with_("vm[3]", "hvm")


@pytest.mark.parametrize("address, without", [("vm", "xen-pv"), ("vm.cpu", "paravirtual")])
def test_levels_that_the_rest_of_a_scenario_rules_out_are_left_out(address, without):
    """No hypervisor pages out what direct page tables name."""
    levels = all_levels(address, Scenario.load("memory-overcommit"))

    assert "hvm" in levels or "hardware" in levels
    assert without not in levels


def test_where_no_profile_goes_all_are_tried_and_the_reason_is_told():
    none = {"host.swap": None, "vm.memory.swap": None}
    short = Scenario.load("memory-overcommit").with_all(none)

    assert all_levels("vm", short) == profiles.names()


def test_a_profile_that_was_added_comes_after_the_others(monkeypatch):
    known = profiles.names()
    monkeypatch.setattr(profiles.catalog, "names", lambda _: ["another", *known])

    assert profiles.names() == (*known, "another")


def test_all_profiles_are_the_levels_of_a_vm():
    assert all_levels("vm", Scenario.load("whole-vm")) == list(profiles.names())


def test_the_guest_has_the_same_page_faults_under_every_profile():
    shipped = Scenario.load("whole-vm")
    faults = {
        value
        for name in profiles.names()
        for _, quantity, value, _ in memory_use(shipped.with_("vm", name))
        if quantity == "true page faults"
    }
    assert faults == {0.2}


def test_an_unknown_profile_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="container"):
        Scenario.load("whole-vm").with_("vm", "contaner")
