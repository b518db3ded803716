"""A scenario on its platform becomes a system: each VM's techniques answer, and are laid out."""

from collections.abc import Mapping
from dataclasses import replace

from virtperf import catalog
from virtperf.assembly import Assembly
from virtperf.dist import Deterministic, Exponential
from virtperf.params import ParameterSet, Quantity
from virtperf.path import CONSUMER_STATES, Bell, Ringing, Step
from virtperf.scenario import ClosedLoad, OpenLoad, Scenario, Vm
from virtperf.tables import System
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import CpuTechnique, cpu_technique
from virtperf.technique.io import Guest, Plan, disk_plan


def build(scenario: Scenario, platform: ParameterSet | None = None) -> System:
    """Resolve `scenario` to tables.

    Parameters
    ----------
    scenario : Scenario
    platform : ParameterSet, optional
        The platform's numbers; those of the platform the scenario names by default.

    Returns
    -------
    System

    Raises
    ------
    ParameterError, UnknownNameError
        If the platform lacks a number a technique needs, or a part makes no sense.
    """
    return _Builder(scenario, platform).system


def sources(scenario: Scenario, platform: ParameterSet | None = None) -> dict[str, Quantity]:
    """Return every number of platform and devices that building `scenario` reads, by name."""
    return dict(_Builder(scenario, platform).costs.used)


class _Builder:
    def __init__(self, scenario: Scenario, platform: ParameterSet | None) -> None:
        numbers = catalog.platform(scenario.platform) if platform is None else platform
        self.scenario = scenario
        self.costs = Costs(numbers, catalog.devices())
        host, costs = scenario.host, self.costs
        slice_ns = costs.ns("slice") if host.slice_ns is None else host.slice_ns
        self.assembly = Assembly(
            scenario.name,
            pcpus=host.pcpus,
            policy=host.policy,
            slice_ns=slice_ns,
            switch_ns=costs.ns("thread_switch"),
        )
        for name, device in scenario.device.items():
            self.assembly.station(name, int(device.channels_quantity.base))
            if device.bandwidth is not None:
                self.assembly.station(f"{name}.link", 1, called="device link")
        for vm in scenario.vm:
            for copy in range(vm.count):
                self._add_vm(vm, f"{vm.name}[{copy}]")
        self.system = self.assembly.system()

    def _add_vm(self, vm: Vm, name: str) -> None:
        cpu = cpu_technique(vm.cpu.technique, self.costs)
        plan = disk_plan(vm.disk.technique, self._guest(vm), self.costs)
        vcpus = [f"{name}.vcpu{number}" for number in range(vm.vcpus)]
        for vcpu in vcpus:
            self.assembly.worker(vcpu, "vcpu", wake=cpu.halted(), expand=cpu.expand)
            self.assembly.interrupt_level(vcpu, prologue=cpu.handled(), expand=cpu.expand)
        self._add_threads(name, plan, cpu)
        names = [self._add_queue(vm, name, vcpu, plan, cpu) for vcpu in vcpus]
        for number in range(vm.load.jobs):
            on = number % vm.vcpus
            self._add_job(vm, f"{name}.job{number}", vcpus[on], names[on], plan, cpu)

    def _add_threads(self, name: str, plan: Plan, cpu: CpuTechnique) -> None:
        for called in plan.locks:
            self.assembly.lock(
                f"{name}.{called}", called=called, wake_ns=self.costs.ns("thread_wake_delay")
            )
        for thread in plan.threads:
            self.assembly.worker(
                f"{name}.{thread.name}",
                thread.role,
                wake=thread.wake,
                prologue=thread.prologue,
                epilogue=thread.epilogue,
                pickup=thread.pickup,
                batch=thread.batch,
                poll_ns=thread.poll,
                poll_start_ns=thread.poll_start,
                lock=f"{name}.{thread.lock}" if thread.lock else "",
                expand=cpu.expand,
            )

    def _add_queue(
        self, vm: Vm, name: str, vcpu: str, plan: Plan, cpu: CpuTechnique
    ) -> dict[str, str]:
        """Give a vCPU its queue of the disk: doorbells of its own; return what names stand for."""
        names = {"vcpu": vcpu, "vcpu.interrupt": f"{vcpu}.interrupt", "device": vm.disk.device}
        names["link"] = f"{vm.disk.device}.link"
        names |= {thread.name: f"{name}.{thread.name}" for thread in plan.threads}
        names |= {called: f"{name}.{called}" for called in plan.locks}
        senders = _senders(plan)
        for bell in plan.bells:
            names[bell.name] = f"{vcpu}.{bell.name}"
            priced = _delivered(bell, cpu) if bell.to == "vcpu.interrupt" else bell
            self.assembly.bell(
                names[bell.name],
                priced,
                to=names[bell.to],
                sender=names.get(senders[bell.name], ""),
                expand=cpu.expand,
            )
        return names

    def _add_job(
        self, vm: Vm, job: str, vcpu: str, names: Mapping[str, str], plan: Plan, cpu: CpuTechnique
    ) -> None:
        load = vm.load
        shares = load.shares
        self.assembly.source(
            job,
            {kind: (shares[kind], plan.paths[kind]) for kind in shares},
            to=vcpu,
            outstanding=load.outstanding if isinstance(load, ClosedLoad) else 0,
            think=Deterministic(load.think_ns) if isinstance(load, ClosedLoad) else None,
            gap=_gap(load) if isinstance(load, OpenLoad) else None,
            names=names,
            group=vm.name if len(self.scenario.vm) > 1 else "",
            expand=cpu.expand,
        )

    def _guest(self, vm: Vm) -> Guest:
        load, costs = vm.load, self.costs
        user, kernel = load.cpu_user, load.cpu_kernel
        for key, given in (("native_user", user), ("native_kernel", kernel)):
            if given is not None:
                costs.used[f"{vm.name}.load.{key}"] = given
        kernel_ns = costs.ns("native_kernel") if kernel is None else kernel.base
        before = costs.share("submit_share")
        device = self.scenario.device[vm.disk.device]
        costs.used[f"device.{vm.disk.device}.channels"] = device.channels_quantity
        return Guest(
            user=costs.ns("native_user") if user is None else user.base,
            submit=kernel_ns * before,
            complete=kernel_ns * (1 - before),
            service={kind: device.service_of(kind) for kind in load.shares},
            transfer=0.0 if device.bandwidth is None else 1e9 * load.size_bytes / device.bandwidth,
            poll=vm.disk.poll_ns,
        )


def _delivered(bell: Bell, cpu: CpuTechnique) -> Bell:
    """Return an interrupt's doorbell: the sender's cost is the disk's, the rest the CPU's."""
    delivery = cpu.delivery()
    costs = {
        state: replace(
            delivery.get(state, Ringing()), sender=bell.costs.get(state, Ringing()).sender
        )
        for state in CONSUMER_STATES
    }
    return replace(bell, costs=costs)


def _senders(plan: Plan) -> dict[str, str]:
    """Return who rings each doorbell: the thread that holds the request before it, or ""."""
    senders: dict[str, str] = {}
    to = {bell.name: bell.to.removesuffix(".interrupt") for bell in plan.bells}
    for path in plan.paths.values():
        holder = "vcpu"
        for step in path:
            if not isinstance(step, Step):
                continue
            holder = _follow(step, holder, senders, to)
    return senders


def _follow(step: Step, holder: str, senders: dict[str, str], to: Mapping[str, str]) -> str:
    if step.kind == "ring":
        senders[step.where] = holder
        return to[step.where]
    return "" if step.kind == "serve" else holder


def _gap(load: OpenLoad) -> Deterministic | Exponential:
    mean_ns = 1e9 * load.jobs / load.rate
    return Exponential(mean_ns) if load.arrivals == "poisson" else Deterministic(mean_ns)
