"""Mode switches that exist, those that do not, and where a guest kernel ends up."""

import pytest

from virtperf.errors import ParameterError
from virtperf.mechanism.isa import isa
from virtperf.mechanism.privilege import (
    Cpu,
    Mode,
    deprivileged,
    fault,
    interrupt,
    return_from,
    return_to,
    system_call,
    vm_entry,
    vm_exit,
)

USER, KERNEL = Cpu(Mode(3)), Cpu(Mode(0))
GUEST_USER, GUEST_KERNEL = Cpu(Mode(3, root=False)), Cpu(Mode(0, root=False))


@pytest.mark.parametrize("cpu", [USER, GUEST_USER], ids=["root", "non-root"])
@pytest.mark.parametrize("enter", [system_call, fault, interrupt])
def test_every_way_into_the_kernel_stays_in_the_mode_and_leads_back(enter, cpu):
    inside = enter(cpu)

    assert inside.mode == Mode(0, cpu.mode.root)
    assert return_from(inside) == cpu


def test_faults_and_interrupts_nest():
    cpu = interrupt(fault(system_call(USER)))

    assert cpu.host == (3, 0, 0)
    assert return_from(return_from(return_from(cpu))) == USER


@pytest.mark.parametrize("cpu", [GUEST_USER, GUEST_KERNEL], ids=["users", "kernel"])
def test_an_exit_leaves_any_ring_of_the_guest_and_the_entry_goes_on_there(cpu):
    outside = vm_exit(cpu)

    assert outside.mode == Mode(0)
    assert vm_entry(outside) == cpu


def test_a_guest_that_never_ran_starts_in_its_own_ring_0():
    assert vm_entry(KERNEL).mode == Mode(0, root=False)


def test_a_system_call_of_a_hardware_assisted_guest_does_not_reach_the_hypervisor():
    monitor = system_call(USER)  # QEMU asks the kernel to run the guest
    guest = Cpu(Mode(3, root=False), host=monitor.host)

    assert system_call(guest).mode == Mode(0, root=False)
    assert return_from(vm_exit(system_call(guest))) == Cpu(Mode(3), (), (3, 0))


def test_a_system_call_of_a_guest_without_privilege_passes_through_the_monitor():
    trapped = system_call(USER)

    assert trapped.mode == Mode(0)
    assert return_to(trapped, 1).mode == Mode(1)
    assert fault(Cpu(Mode(1))).host == (1,)


@pytest.mark.parametrize(
    ("transition", "cpu", "says"),
    [
        (system_call, KERNEL, "in a ring outside of ring 0, got 'ring 0, root'"),
        (return_from, USER, "in ring 0 with something to return to, got 'ring 3, root'"),
        (
            return_from,
            GUEST_KERNEL,
            "in ring 0 with something to return to, got 'ring 0, non-root'",
        ),
        (vm_exit, USER, "in non-root mode, got 'ring 3, root'"),
        (vm_entry, USER, "in ring 0 of root mode, got 'ring 3, root'"),
        (vm_entry, GUEST_KERNEL, "in ring 0 of root mode, got 'ring 0, non-root'"),
    ],
)
def test_a_transition_that_does_not_exist_is_refused(transition, cpu, says):
    with pytest.raises(ParameterError, match=f"{transition.__name__}.cpu must be {says}"):
        transition(cpu)


@pytest.mark.parametrize("ring", [-1, 4])
def test_there_are_four_rings(ring):
    with pytest.raises(ParameterError, match=r"Mode\.ring must be 0 to 3"):
        Mode(ring)


@pytest.mark.parametrize("name", ["x86-32", "x86-64"])
def test_segment_limits_give_a_32_bit_guest_kernel_a_ring_of_its_own(name):
    placed = deprivileged(isa(name), 32)

    assert (placed.kernel, placed.user, placed.shared) == ("ring 1", "ring 3", False)
    assert "segment limits keep the monitor out" in placed.reason


def test_a_64_bit_guest_kernel_shares_ring_3_with_its_users():
    placed = deprivileged(isa("x86-64"), 64)

    assert (placed.kernel, placed.user, placed.shared) == ("ring 3", "ring 3", True)
    assert "no segment limits" in placed.reason


def test_two_levels_leave_a_guest_kernel_no_choice():
    assert deprivileged(isa("armv7"), 32).shared


def test_a_64_bit_guest_kernel_in_ring_1_is_refused_with_the_reason():
    with pytest.raises(ParameterError, match=r"ring must be 3, since 64-bit .* no segment limits"):
        deprivileged(isa("x86-64"), 64, ring=1)


def test_ring_0_belongs_to_the_monitor():
    with pytest.raises(ParameterError, match="ring must be 1 to 3, since segment limits"):
        deprivileged(isa("x86-32"), 32, ring=0)


def test_a_kernel_may_be_put_lower_than_it_has_to():
    assert not deprivileged(isa("x86-32"), 32, ring=2).shared
    assert "would allow a ring of its own" in deprivileged(isa("x86-32"), 32, ring=3).reason


def test_a_32_bit_machine_runs_no_64_bit_kernel():
    with pytest.raises(ParameterError, match="kernel_bits must be 32 on x86-32, got 64"):
        deprivileged(isa("x86-32"), 64)
