"""Numbers of a platform that a scenario sets itself."""

import pytest

from virtperf import Scenario, catalog
from virtperf.build import build, sources
from virtperf.errors import ScenarioError

BASE = Scenario.load("first-light").with_("vm.disk", "virtio")
EXIT = catalog.platform(BASE.platform)["exit_kernel"]
MINE = {"value": 5, "unit": "us", "source": "perf kvm stat, our host", "evidence": "measured"}
MINE |= {"checked": "own"}


@pytest.mark.parametrize(
    ("set_to", "value"),
    [(7, 7.0), ("2x", 2 * EXIT.value), ("low", EXIT.low), ("high", EXIT.high), (MINE, 5)],
)
def test_a_number_of_the_platform_is_set_by_its_address(set_to, value):
    changed = BASE.with_("platform.exit_kernel", set_to)

    assert changed.parameters()["exit_kernel"].value == value
    assert build(changed) != build(BASE)
    assert catalog.platform(BASE.platform)["exit_kernel"] == EXIT


def test_a_number_that_was_set_is_assumed_and_says_what_it_was():
    quantity = sources(BASE.with_("platform.exit_kernel", "3x"))["exit_kernel"]

    assert quantity.evidence == "assumed"
    assert "set by the scenario; the platform has" in quantity.source
    assert (quantity.low, quantity.high) == (None, None)


def test_numbers_survive_the_file_and_decide_the_outcome(tmp_path):
    changed = BASE.with_all({"platform.exit_kernel": "1.5x", "platform.exit_user": MINE})
    (tmp_path / "first-light.toml").write_text(changed.to_toml(), encoding="utf-8")

    again = Scenario.load(tmp_path / "first-light.toml")

    assert build(again) == build(changed)
    assert again.canonical() == changed.canonical() != BASE.canonical()


@pytest.mark.parametrize(
    ("address", "value", "says"),
    [
        ("platform.exit_kernl", 1, "did you mean exit_kernel"),
        ("platform.exit_kernel", "twice", "a factor such as 1.1x"),
        ("platform.exit_kernel", -1, "at least 0"),
        ("platform.exit_kernel", True, "a number in the platform's unit"),
        ("platform.exit_kernel", {"value": 1}, "exit_kernel.unit must be given"),
    ],
)
def test_a_wrong_number_is_refused_by_name(address, value, says):
    with pytest.raises(ScenarioError, match=says):
        BASE.with_(address, value)


def test_all_wrong_numbers_of_a_file_are_told_at_once():
    tables = BASE.to_dict() | {"numbers": {"exit_kernl": 1, "exit_user": "much"}}

    with pytest.raises(ScenarioError) as caught:
        Scenario.from_dict(tables)

    assert len(caught.value.problems) == 2


WEB = Scenario.load("overcommit")


def latency(scenario):
    from virtperf.theory import zero_load

    return zero_load(build(scenario)).latency


@pytest.mark.parametrize(
    ("key", "set_to", "value"),
    [("page_faults", 7, 7.0), ("page_faults", "2x", 1.0), ("port_reads", 2, 2.0)],
)
def test_a_number_of_a_workload_is_set_by_its_address(key, set_to, value):
    changed = WEB.with_(f"vm.load.numbers.{key}", set_to)

    assert changed.vm[0].workload[key].value == value
    assert latency(changed) > latency(WEB)
    assert changed.vm[0].workload[key].evidence == "assumed"


def test_one_vm_of_several_has_a_number_of_its_own():
    two = Scenario.load("noisy-neighbour").with_("vm[0].load.numbers.syscalls", "2x")

    assert two.vm[0].workload["syscalls"].value == 24
    assert two.vm[1].load.numbers == {}


def test_numbers_of_a_workload_survive_the_file_and_decide_the_outcome(tmp_path):
    changed = WEB.with_all({"vm.load.numbers.page_faults": 9, "vm.count": 2})
    (tmp_path / "overcommit.toml").write_text(changed.to_toml(), encoding="utf-8")

    again = Scenario.load(tmp_path / "overcommit.toml")

    assert build(again) == build(changed)
    assert again.canonical() == changed.canonical()
    assert "numbers" in changed.canonical()
    assert "numbers" not in WEB.canonical()


def test_data_of_another_size_are_short_of_memory_elsewhere():
    short = Scenario.load("memory-overcommit").with_("vm.load.numbers.data_footprint", 2**20)

    assert latency(short) < latency(Scenario.load("memory-overcommit"))


@pytest.mark.parametrize(
    ("address", "value", "says"),
    [
        ("vm.load.numbers.page_fault", 1, "did you mean page_faults"),
        ("vm.load.numbers.page_faults", -1, "at least 0"),
        ("vm.load.numbers.page_faults", "twice", "a number in the workload's unit"),
        ("vm.load.numbers.port_reads", "low", "no range in its workload"),
    ],
)
def test_a_wrong_number_of_a_workload_is_refused_by_name(address, value, says):
    with pytest.raises(ScenarioError, match=says):
        WEB.with_(address, value)


def test_numbers_of_no_workload_are_refused():
    with pytest.raises(ScenarioError, match=r"numbers must be left out unless load\.workload"):
        BASE.with_("vm.load.numbers.page_faults", 1)
