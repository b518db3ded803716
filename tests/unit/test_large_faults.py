"""A guest that maps large pages: fewer faults, each of which clears all of a page, by hand."""

import pytest

from virtperf import catalog
from virtperf.build import build, memory_use
from virtperf.path import Transition
from virtperf.scenario import Scenario
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import cpu_technique
from virtperf.technique.memory import memory_technique
from virtperf.theory import zero_load
from virtperf.units import TICKS_PER_NS

COSTS = Costs(catalog.platform("x86-kvm-2020"))
PAGES = 100 / 512  # large ones, in a unit of a hundred small ones


def unit_ns(**memory):
    scenario = Scenario.load("heap-growth").with_all(
        {f"vm.memory.{field}": value for field, value in memory.items()}
    )
    return zero_load(build(scenario)).latency / TICKS_PER_NS, dict(
        (name, value) for _, name, value, _ in memory_use(scenario)
    )


def ns(*reasons, memory="nested"):
    """Return the time of operations of memory under hardware assistance."""
    cpu, technique, total = cpu_technique("hardware", COSTS), memory_technique(memory, COSTS), 0.0
    for reason in reasons:
        for part in getattr(technique, reason)():
            steps = cpu.expand(part, "vcpu") if isinstance(part, Transition) else (part,)
            total += sum(step.cost.mean for step in steps)
    return total


def test_of_a_large_page_the_first_use_is_a_fault_and_clears_the_rest():
    small, _ = unit_ns()
    large, seen = unit_ns(guest_page="2MiB")
    fault = ns("page_fault") + 511 * COSTS.ns("clear_page") + 512 * ns("fresh_page")
    code = small - 100 * (ns("page_fault") + ns("fresh_page"))
    assert large == pytest.approx(code + PAGES * fault, rel=1e-9)
    assert seen["true page faults"] == pytest.approx(PAGES)
    assert seen["EPT violations"] == pytest.approx(100)


def test_a_page_as_large_as_the_hosts_is_given_in_one_violation():
    small, _ = unit_ns()
    large, seen = unit_ns(guest_page="2MiB", host_page="2MiB")
    code = small - 100 * (ns("page_fault") + ns("fresh_page"))
    host = ns("fresh_page") + 511 * COSTS.ns("clear_page")  # which clears its page, too
    fault = ns("page_fault") + 511 * COSTS.ns("clear_page") + host
    assert large == pytest.approx(code + PAGES * fault, rel=1e-9)
    assert seen["EPT violations"] == pytest.approx(PAGES)


def test_the_hosts_larger_pages_come_by_themselves():
    _, seen = unit_ns(guest_page="2MiB", host_page="1GiB")
    assert seen["EPT violations"] == pytest.approx(100 / 512**2)


def test_a_shadow_is_filled_entry_by_entry_where_the_host_has_small_pages():
    small, _ = unit_ns(technique="shadow")
    large, seen = unit_ns(technique="shadow", guest_page="2MiB")
    each = ns("page_fault", "fresh_page", memory="shadow")
    filled = ns("fresh_page", memory="shadow") + ns("first_touch", memory="shadow")
    fault = each + 511 * (COSTS.ns("clear_page") + filled)
    assert large == pytest.approx(small - 100 * each + PAGES * fault, rel=1e-9)
    assert seen["hidden faults"] == pytest.approx(100)


def test_faults_without_fresh_pages_stay_what_they_are():
    """fork-storm's are copies and file pages: nobody says that they come in order."""
    scenario = Scenario.load("heap-growth").with_("vm.load.workload", "fork-storm")
    large = scenario.with_("vm.memory.guest_page", "2MiB")
    faults = [
        [value for _, name, value, _ in memory_use(one) if name == "true page faults"]
        for one in (scenario, large)
    ]
    assert faults[0] == faults[1] != []
