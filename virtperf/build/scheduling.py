"""The host's scheduler: its policy's constants, what a scenario changes of them, shares of VMs."""

from collections.abc import Mapping
from dataclasses import dataclass

from virtperf import catalog
from virtperf.assembly.scheduling import Share
from virtperf.params import ParameterSet, Quantity
from virtperf.rules.policies import POLICIES
from virtperf.scenario import Dom0, Host, Vm
from virtperf.tables import Policy
from virtperf.technique.costs import Costs
from virtperf.units import ticks

ITS_OWN = "given in the scenario"
SLICED = ("credit", "gang")  # whose tick and period are so many slices, however long
SLICE_IS = {"credit2": "max_runtime", "cfs": "latency", "eevdf": "base_slice"}
STRETCHED = {
    "cfs": ("slice", "latency", "min_granularity", "wakeup_granularity"),
    "eevdf": ("slice", "base_slice"),
}
"""What Linux makes longer on machines of more CPUs."""
MOST_CPUS = 8  # that Linux counts when it stretches its slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """What the assembly's pool is told, and the weight of a thread that has none of its own."""

    policy: str
    slice_ns: float
    tick_ns: float = 0.0
    period_ns: float = 0.0
    constants: Mapping[str, int]
    weight: int = 1

    def share(self, vm: Vm, name: str, *, thread: bool = False) -> Share:
        """Return what a vCPU of a copy `name` of a VM may have, or one of the VM's host threads.

        A cap is that of the vCPUs together; host threads are no part of it.
        """
        if thread:
            weight = self.weight if vm.weight is None else vm.weight
            return Share(weight=weight, affinity=vm.thread_affinity or ())
        return self.share_of(vm, name)

    def share_of(self, given: Vm | Dom0, name: str) -> Share:
        """Return what a vCPU of the domain `name` may have."""
        weight = self.weight if given.weight is None else given.weight
        cap = 0 if given.cap is None else max(1, round(1000 * given.cap))
        return Share(domain=name, weight=weight, cap=cap, affinity=given.affinity or ())


def scheduler(host: Host, costs: Costs) -> Scheduler:
    """Return the host's scheduler; the numbers it reads are noted in `costs`.

    A policy without a file of constants has the platform's slice.
    """
    if host.policy not in catalog.names("schedulers"):
        slice_ns = costs.ns("slice") if host.slice is None else host.slice
        return Scheduler(policy=host.policy, slice_ns=slice_ns, constants={})
    numbers = Costs(_changed(host, catalog.scheduler(host.policy)))
    policy = POLICIES[Policy[host.policy.upper().replace("-", "_")]]
    constants = {name: _constant(numbers, name) for name in getattr(policy, "CONSTANTS", ())}
    found = Scheduler(
        policy=host.policy,
        slice_ns=numbers.ns("slice"),
        tick_ns=_time(numbers, "tick"),
        period_ns=_time(numbers, "period"),
        constants=constants,
        weight=numbers.count("weight"),
    )
    costs.used |= {f"{host.policy}.{name}": quantity for name, quantity in numbers.used.items()}
    return found


def _constant(numbers: Costs, name: str) -> int:
    quantity = numbers.quantity(name)
    return round(quantity.value) if quantity.unit == "1" else ticks(numbers.ns(name))


def _time(numbers: Costs, name: str) -> float:
    return numbers.ns(name) if name in numbers else 0.0


def _changed(host: Host, numbers: ParameterSet) -> ParameterSet:
    """Return the constants with what the scenario says; a slice takes along what hangs on it."""
    changes = {name: _given(numbers[name], value) for name, value in host.scheduler.items()}
    if host.slice is not None:
        changes["slice"] = _given(numbers["slice"], host.slice)
        if host.policy in SLICE_IS:
            changes.setdefault(SLICE_IS[host.policy], changes["slice"])
        ratio = changes["slice"].base / numbers["slice"].base
        for name in ("tick", "period"):
            if host.policy in SLICED and name in numbers and name not in changes:
                changes[name] = numbers[name].scaled(ratio)
    stretch = min(host.pcpus, MOST_CPUS).bit_length()  # 1 + log2, rounded down
    for name in STRETCHED.get(host.policy, ()):
        changes.setdefault(name, numbers[name].scaled(stretch))
    return numbers.replace(**changes)


def _given(before: Quantity, value: float) -> Quantity:
    """Return a number of the scenario in place of a constant; times are in ns."""
    unit = "1" if before.unit == "1" else "ns"
    return Quantity(value=value, unit=unit, source=ITS_OWN, evidence="assumed", checked="own")
