"""How a VM's vCPUs poll before they sleep, and what that does to the cost of telling them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    ConsumerState,
    Path,
    Ringing,
    Step,
    Transition,
    work,
)
from virtperf.scenario import Vm
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import CpuTechnique

PICKUP = "vcpu: poll pick-up"


def polls(vm: Vm, vcpu: str, cpu: CpuTechnique, costs: Costs) -> dict[str, Any]:
    """Return how a vCPU of `vm` polls, as words of `Assembly.worker`; none if it does not."""
    if (busy := busy_poll(vm)) is not None:
        look = work(vcpu, costs.ns("ring_poll"), PICKUP)
        return {"poll": "busy", "poll_ns": busy, "pickup": (look,)}
    if vm.halt_poll is not None:
        host = vm.halt_poll
        return {
            "poll": "halt",
            "poll_ns": host.max,
            "poll_start_ns": host.start,
            "poll_grow": host.grow,
            "poll_shrink": host.shrink,
            "pickup": _noticed(cpu.halted()),
        }
    if vm.guest_poll is not None:
        guest = vm.guest_poll
        return {
            "poll": "guest",
            "poll_ns": guest.max,
            "poll_start_ns": guest.start,
            "poll_grow": guest.grow,
            "poll_shrink": guest.shrink,
        }
    return {}


def busy_poll(vm: Vm) -> float | None:
    """Return for how long, in ns, a process of `vm` looks for packets itself; None: not at all."""
    return None if vm.nic is None else vm.nic.busy_poll


def unless_seen(bell: Bell) -> Bell:
    """Return a NIC's interrupt that a driver which looks for itself has turned off.

    Then nobody sends it, pays for it or counts it; what is in the ring is found.
    """
    costs = {
        state: replace(cost, sender=_counted(cost.sender, bell))
        for state, cost in bell.costs.items()
    }
    return replace(bell, costs={**costs, "polling": Ringing()}, counts="")


def _counted(sender: Path, bell: Bell) -> Path:
    first, *more = sender
    assert isinstance(first, Step), "a back end's signal is work"
    return (replace(first, counts=bell.counts), *more)


def _noticed(halted: Path) -> Path:
    """Return a halt whose end the host has seen by itself: it neither blocked nor was woken."""
    return tuple(
        replace(one, to="kernel") if isinstance(one, Transition) and one.to == "blocking" else one
        for one in halted
    )


def for_all(costs: Mapping[ConsumerState, Ringing], vm: Vm) -> dict[ConsumerState, Ringing]:
    """Return what it costs to tell a vCPU of `vm`; a state that is not named costs nothing.

    While its guest polls, a vCPU is in the guest, as one that runs something else is.
    """
    every = {state: costs.get(state, Ringing()) for state in CONSUMER_STATES}
    if vm.guest_poll is not None or busy_poll(vm) is not None:
        every["polling"] = every["other"]
    return every


def at_cost(
    bell: Bell, by: Mapping[ConsumerState, Ringing], own: Mapping[ConsumerState, Ringing]
) -> Bell:
    """Return an interrupt's doorbell: the sender's cost is the device's, the rest the CPU's, `by`.

    What the host does about it, of the `own` costs, comes first; a guest that is left for that is
    not left again.
    """
    costs = {}
    for state, cost in by.items():
        host = own[state].target
        more = tuple(part for part in cost.target if part not in host)
        costs[state] = replace(cost, sender=own[state].sender, target=(*host, *more))
    return replace(bell, costs=costs)
