"""What the translation of addresses costs a workload, and its vCPUs after others."""

import pytest

from virtperf import Scenario, catalog
from virtperf.build import build
from virtperf.build import translation as built
from virtperf.errors import ParameterError
from virtperf.mechanism.memory.pages import PageSize
from virtperf.params import Quantity
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.workload import Workload

K4, M2 = PageSize.K4, PageSize.M2
MIB = 1 << 20


def rates(pages_kib=4, host=None, footprint=256 * MIB, skew=0.0):
    return built._rates("skylake-sp", K4 if pages_kib == 4 else M2, host, footprint, skew, 0.5)


def test_a_footprint_within_the_first_level_never_misses():
    found = rates(footprint=48 * 4096)
    assert (found.walks, found.second, found.cycles) == (0, 0, 0)


@pytest.mark.parametrize("mib", [16, 64, 256])
def test_pages_at_random_miss_as_the_entries_leave_them(mib):
    """All but 1,536 of so many pages, and those of the 64 in the first level that the second lacks.

    Of 400,000 visits the share strays by 0.0008 at most, and its 2 x 64 entries are as many again.
    """
    pages = mib * 256
    assert rates(footprint=mib * MIB).walks == pytest.approx(
        1 - 1536 / pages, abs=0.003 + 64 / pages
    )


def test_two_dimensions_read_more_and_large_pages_less():
    one, two = rates(), rates(host=K4)
    assert one.host_reads == 0
    assert one.walks == pytest.approx(two.walks, abs=0.002)
    assert two.cycles > 1.5 * one.cycles
    assert two.guest_reads == pytest.approx(one.guest_reads, rel=0.6)
    large = rates(pages_kib=2048, host=M2)
    assert large.walks < 0.01  # 128 pages of 2 MiB are within reach of the second level
    splintered = rates(pages_kib=2048, host=K4)
    assert splintered.walks == pytest.approx(two.walks, abs=0.002)  # an entry covers 4 KiB


def test_an_emptied_tlb_is_filled_by_as_many_walks_as_it_had_entries():
    found = rates(footprint=512 * 4096)
    assert found.entries == 512
    assert found.again == 512


def test_what_is_popular_is_rarely_walked_for():
    assert rates(skew=1.2).walks < 0.5 * rates().walks


# -- of a scenario ---------------------------------------------------------------------------------


def scenario(**changes):
    return Scenario.load("table-lookup").with_all(changes)


def account(system, name):
    if name not in system.accounts:
        return 0.0
    steps = [step for step in system.steps if step.account == system.accounts.index(name)]
    return sum(step.ticks for step in steps) / 1e6


def test_walks_are_part_of_a_unit():
    two = build(scenario())
    one = build(scenario(**{"vm.memory": "shadow"}))
    assert account(two, "vcpu: page walks") > 2 * account(one, "vcpu: page walks") > 0
    assert {"guest_table_reads", "host_table_reads", "page_walks"} <= set(two.counters)
    assert "host_table_reads" not in one.counters
    large = build(scenario(**{"vm.memory.guest_page": "2MiB", "vm.memory.host_page": "2MiB"}))
    assert account(large, "vcpu: page walks") == 0  # all is within the TLB's reach


def test_a_shadow_has_no_larger_entries_than_the_host_has_pages():
    changes = {"vm.memory": "shadow", "vm.memory.guest_page": "2MiB"}
    small = build(scenario(**changes))
    large = build(scenario(**changes, **{"vm.memory.host_page": "2MiB"}))
    assert account(small, "vcpu: page walks") > 0 == account(large, "vcpu: page walks")


def test_vcpus_walk_again_after_others():
    (row,) = build(scenario()).workers
    assert row.room == 1536
    assert row.entries == 1536
    assert row.tagged == 1
    # of what is lost, only the 1,536 in 65,536 visits that had hit are walked for again: some 36 of
    # 24,576 visits, whose binomial spread is 6; a walk takes from one read of a cache, 14 cycles at
    # 2.5 GHz, to the 24 reads of all levels, each from memory, 250
    assert 18 * 14 / 2.5 < row.walks / 1e3 < 54 * 24 * 250 / 2.5
    assert row.pages == 256 * MIB // 4096


def test_an_emulator_looks_addresses_up_by_itself():
    found = build(scenario(**{"vm.cpu": "interpreter"}))
    assert "vcpu: page walks" not in found.accounts


def test_processes_of_a_vcpu_walk_again_for_each_other():
    """1,536 entries are too few for two processes of as many: all is walked for again."""
    one, two = (build(scenario(**{"vm.load.jobs": jobs})) for jobs in (1, 2))
    steps = [step for row in two.workers for step in two.steps[slice(*row.switch)]]
    walks = sum(s.ticks for s in steps if two.accounts[s.account] == "vcpu: page walks")
    assert walks == pytest.approx(two.workers[0].walks, rel=1e-6)
    assert not one.workers[0].switch.last - one.workers[0].switch.first


def test_a_platform_must_say_whose_tlbs_it_has():
    with pytest.raises(ParameterError, match=r"scenario.platform must be one that says whose TLBs"):
        build(scenario(platform="p4-vmware-2006", **{"vm.memory": "shadow"}))


def test_visits_must_be_some():
    numbers = catalog.workload("table-lookup")
    none = Quantity(value=0, unit="1", source="a test", evidence="assumed", checked="own")
    with pytest.raises(ParameterError, match=r"workload.page_visits must be above 0"):
        Workload(Costs(catalog.platform("toy"), numbers.replace(page_visits=none)))
