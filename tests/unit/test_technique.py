"""Techniques answer with paths: the counts and costs that follow from the platform's numbers."""

from itertools import product

import pytest

from tests.systems import DISKS, PLATFORMS, scaled, system
from virtperf import catalog
from virtperf.errors import UnknownNameError
from virtperf.path import leave
from virtperf.technique import matrix
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import cpu_technique
from virtperf.theory import zero_load


def toy(**factors: float) -> Costs:
    return Costs(scaled("toy", factors), catalog.devices())


def test_an_exit_is_one_masked_step_priced_by_how_far_it_goes():
    """Toy: hardware 1, kernel 1, user 3, blocking 2, all in us."""
    cpu = cpu_technique("hardware", toy())
    prices = {}
    for to in ("kernel", "user", "blocking"):
        (step,) = cpu.expand(leave("io", to), "vcpu")
        assert (step.where, step.masked, step.counts) == ("vcpu", True, "exits.io")
        assert step.account == "vcpu: exit io"
        prices[to] = step.cost.mean
    assert prices == {"kernel": 2_000, "user": 5_000, "blocking": 4_000}


def test_without_a_hypervisor_no_transition_costs_anything():
    cpu = cpu_technique("direct", toy())
    assert cpu.expand(leave("io", "user"), "vcpu") == ()
    assert (cpu.halted(), cpu.handled(), dict(cpu.delivery())) == ((), (), {})


def test_posted_interrupts_spare_two_exits():
    posted, plain = (cpu_technique("hardware", toy(apicv=by)) for by in (1, 0))
    assert posted.handled() == ()
    assert posted.delivery()["other"].target == ()
    assert [step.reason for step in plain.handled()] == ["eoi"]
    assert [step.reason for step in plain.delivery()["other"].target] == ["interrupt"]


def test_an_unknown_cpu_technique_is_answered_with_the_names():
    with pytest.raises(UnknownNameError, match="hardware"):
        cpu_technique("hardwear", toy())


@pytest.mark.parametrize("disk", ["ide", "ahci", "nvme"])
def test_an_emulated_request_exits_once_per_register_access(disk):
    load = zero_load(system(f"emulated-{disk}"))
    assert load.counters["exits.io"] == toy().count(f"{disk}_accesses")
    assert load.counters["interrupts"] == 1


def test_a_lone_virtio_request_kicks_once_and_interrupts_once():
    load = zero_load(system("virtio", poll="0us"))
    assert load.counters == {"exits.hlt": 1, "exits.kick": 1, "kicks": 1, "interrupts": 1}


def test_native_is_the_guest_and_the_device_alone():
    """Toy: 1 user and 4 kernel around a device of 20, in us."""
    load = zero_load(system("native"))
    assert load.breakdown == {
        "vcpu: guest user": 1e6,
        "vcpu: guest kernel": 4e6,
        "device": 20e6,
    }


@pytest.mark.parametrize(("disk", "platform"), list(product(DISKS, PLATFORMS)))
def test_every_technique_does_the_guests_own_work_once(disk, platform):
    breakdown = zero_load(system(disk, platform=platform)).breakdown
    native = zero_load(system("native", platform=platform)).breakdown
    for account in ("vcpu: guest user", "vcpu: guest kernel", "device"):
        assert breakdown[account] == native[account]


def test_the_matrix_gives_a_reason_for_every_forbidden_cell():
    for row in matrix.table():
        assert (row["allowed"] == "yes") == (row["reason"] == "")
    cells = {(row["cpu"], row["disk"], row["guest"]) for row in matrix.table()}
    assert len(cells) == len(matrix.cpu_techniques()) * len(matrix.disk_techniques()) * len(
        matrix.GUESTS
    )


@pytest.mark.parametrize("disk", DISKS)
def test_the_default_cpu_of_a_disk_goes_with_it(disk):
    assert matrix.why_forbidden(matrix.default_cpu(disk), "unmodified", disk=disk) is None


def test_a_typo_in_the_matrix_is_answered_with_the_right_name():
    with pytest.raises(UnknownNameError, match="did you mean virtio"):
        matrix.default_cpu("virtoi")


def test_costs_remember_what_was_asked():
    costs = Costs(catalog.platform("x86-kvm-2020"))
    assert costs.used == {}
    costs.ns("exit_hardware")
    assert set(costs.used) == {"exit_hardware", "frequency"}  # it is given in cycles
