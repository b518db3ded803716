"""A scenario on its platform becomes a system: each VM's techniques answer, and are laid out."""

from collections.abc import Mapping
from dataclasses import replace

from virtperf import catalog
from virtperf.assembly import Assembly
from virtperf.dist import Deterministic
from virtperf.errors import ParameterError, ScenarioError
from virtperf.mechanism.isa import isa
from virtperf.params import ParameterSet, Quantity
from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    ConsumerState,
    Path,
    Ringing,
    Step,
    Transition,
    end,
    interprocessor,
    lock,
    rearm,
    ring,
    switch_process,
    unlock,
    work,
)
from virtperf.scenario import ClosedLoad, Scenario, Section, Tick, Vm, WorkLoad
from virtperf.tables import System
from virtperf.technique import matrix
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import CpuTechnique, cpu_technique
from virtperf.technique.cpu.operations import OPERATIONS
from virtperf.technique.cpu.workload import Workload, unit, unknown
from virtperf.technique.io import Guest, Plan, disk_plan
from virtperf.technique.memory import default_memory, memory_technique

GUEST_LOCK, WAKE_UP = "guest lock", "wake-up"


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


def memory_of(vm: Vm, costs: Costs) -> str:
    """Return the memory technique of a VM: its own, or what goes with its CPU technique."""
    if vm.memory is not None:
        return vm.memory.technique
    return default_memory(vm.cpu.technique, costs)


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
        cpu = cpu_technique(vm.cpu.technique, self._costs_of(vm))
        if isinstance(vm.load, WorkLoad):
            self._add_work(vm, vm.load, name, cpu)
            return
        disk, load = vm.on_disk
        plan = disk_plan(disk.technique, self._guest(vm), self.costs)
        vcpus = [f"{name}.vcpu{number}" for number in range(vm.vcpus)]
        for vcpu in vcpus:
            self._add_vcpu(vm, vcpu, cpu, (switch_process(),))
        self._add_threads(name, plan, cpu)
        if load.lock is not None:
            self._add_guest_lock(f"{name}.{GUEST_LOCK}", load.lock.discipline)
        most = matrix.queues(disk.technique) or vm.vcpus
        queues = [
            self._add_queue(vm, name, vcpus[number], plan, cpu)
            for number in range(min(disk.queues or most, vm.vcpus))
        ]
        seen = [self._seen_from(vcpu, queues[n % len(queues)], cpu) for n, vcpu in enumerate(vcpus)]
        for number in range(load.jobs):
            on = number % vm.vcpus
            self._add_job(vm, f"{name}.job{number}", vcpus[on], seen[on], plan, cpu)

    def _costs_of(self, vm: Vm) -> Costs:
        """Return the numbers of a VM, whose ISA says how wide its guest's kernel is."""
        if vm.cpu.isa is None:
            return self.costs
        platform, *others = self.costs.sets
        bits = Quantity(
            value=float(max(isa(vm.cpu.isa).kernel_bits)),
            unit="1",
            source=f"the scenario's guest is for {vm.cpu.isa}",
            evidence="derived",
            checked="own",
        )
        own = Costs(platform.replace(guest_bits=bits), *others)
        own.used = self.costs.used
        return own

    def _add_work(self, vm: Vm, load: WorkLoad, name: str, cpu: CpuTechnique) -> None:
        """Add a VM that works and does nothing else: its jobs do unit after unit."""
        costs = Costs(*self.costs.sets, numbers := catalog.workload(load.workload))
        if strange := unknown(numbers):
            says = [
                f"{k} is no number of a workload; did you mean {n}?" for k, n in strange.items()
            ]
            raise ScenarioError(str(load.workload), says)
        memory = memory_technique(memory_of(vm, self.costs), self.costs)
        workload = Workload(costs)
        if vm.tick is not None and workload.events(OPERATIONS["timer"]):
            must = f"left out: {load.workload} counts timer interrupts of its own"
            raise ParameterError(vm.name, "tick", must, vm.tick.kind)
        vcpus = [f"{name}.vcpu{number}" for number in range(vm.vcpus)]
        for vcpu in vcpus:
            self._add_vcpu(vm, vcpu, cpu, memory.address_space())
        several = vm.vcpus > 1
        for number, vcpu in enumerate(vcpus if several else ()):
            self._add_peer(vcpu, vcpus[(number + 1) % vm.vcpus], cpu)
        peer: Path = ()
        if several:
            handler = Transition(name="kernel", reason="exception", where="peer")
            peer = (ring("ipi"), handler, end())
        path = unit(workload, cpu, memory, peer)
        self.costs.used |= costs.used
        for number in range(load.jobs):
            job, on = f"{name}.job{number}", number % vm.vcpus
            vcpu, other = vcpus[on], vcpus[(on + 1) % vm.vcpus]
            self.assembly.task(job, vcpu)
            self.assembly.source(
                job,
                {"unit": (1.0, path)},
                to=job,
                outstanding=1,
                think=Deterministic(load.think_ns),
                names={"vcpu": vcpu, "ipi": f"{vcpu}.ipi", "peer": other},
                group=vm.name if len(self.scenario.vm) > 1 else "",
                expand=cpu.expand,
            )

    def _add_peer(self, vcpu: str, other: str, cpu: CpuTechnique) -> None:
        """Let a vCPU interrupt another one; what sending costs is in the path of who sends."""
        bell = Bell(name="ipi", to="", rule="always", costs=_for_all(cpu.delivery()), counts="ipis")
        self.assembly.bell(
            f"{vcpu}.ipi", bell, to=f"{other}.interrupt", sender="", expand=cpu.expand
        )

    def _add_vcpu(self, vm: Vm, vcpu: str, cpu: CpuTechnique, switch: Path) -> None:
        """Add a vCPU: its guest's processes come with the load; `switch` lets another one run."""
        crowded = vm.load.jobs > vm.vcpus
        slice_ns = self.costs.ns("slice") if vm.slice is None and crowded else vm.slice
        self.assembly.worker(
            vcpu,
            "vcpu",
            wake=cpu.halted(),
            slice_ns=slice_ns or 0.0,
            switch=switch if crowded else (),
            expand=cpu.expand,
        )
        self.assembly.interrupt_level(vcpu, prologue=cpu.handled(), expand=cpu.expand)
        if vm.tick is not None:
            emulated = vm.cpu.technique in matrix.EMULATION
            self._add_tick(vm.tick, vcpu, cpu, slowed=emulated)

    def _add_tick(self, tick: Tick, vcpu: str, cpu: CpuTechnique, *, slowed: bool = False) -> None:
        """Add a timer whose handler arms it again; an emulated kernel's is `slowed`."""
        expiry = Bell(name="tick", to="", rule="always", costs=cpu.expiry(), counts="ticks")
        self.assembly.bell(
            f"{vcpu}.tick", expiry, to=f"{vcpu}.interrupt", sender="", expand=cpu.expand
        )
        handler: Step | Transition = work("vcpu", self.costs.ns("timer_tick"), "vcpu: timer tick")
        if slowed:
            handler = Transition(name="kernel", reason="timer")
        self.assembly.timer(
            "timer tick",
            (ring("tick"), handler, rearm(), end()),
            worker=vcpu,
            period_ns=1e9 / tick.rate,
            tickless=tick.kind == "tickless",
            names={"vcpu": vcpu, "tick": f"{vcpu}.tick"},
            expand=cpu.expand,
        )

    def _add_guest_lock(self, name: str, discipline: str) -> None:
        """Add a lock of the guest's kernel; its spinners see it free at once."""
        sleeps = discipline.startswith("mutex")
        wake_ns = self.costs.ns("thread_wake_delay") if sleeps else 0.0
        self.assembly.lock(name, called=GUEST_LOCK, wake_ns=wake_ns, discipline=discipline)

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
        self, vm: Vm, name: str, handler: str, plan: Plan, cpu: CpuTechnique
    ) -> dict[str, str]:
        """Add a queue of the disk, whose completion interrupts `handler` takes.

        Return what local names stand for there.
        """
        disk, _ = vm.on_disk
        names = {"handler": handler, "handler.interrupt": f"{handler}.interrupt", "vcpu": handler}
        names |= {"device": disk.device, "link": f"{disk.device}.link"}
        names |= {thread.name: f"{name}.{thread.name}" for thread in plan.threads}
        names |= {called: f"{name}.{called}" for called in (*plan.locks, GUEST_LOCK)}
        if plan.slots is not None:
            names[plan.slots.name] = f"{handler}.{plan.slots.name}"
            self.assembly.credit(names[plan.slots.name], plan.slots.count, called=plan.slots.name)
        senders = _senders(plan)
        moderation = self.scenario.device[disk.device].moderation
        for bell in plan.bells:
            names[bell.name] = f"{handler}.{bell.name}"
            priced = _delivered(bell, cpu) if bell.to == "handler.interrupt" else bell
            sender = senders[bell.name]
            if not sender and moderation is not None:
                priced = replace(
                    priced, rule="moderated", timer=moderation.timer, count=moderation.count
                )
            self.assembly.bell(
                names[bell.name],
                priced,
                to=names[bell.to],
                sender=names[sender] if sender else "",
                expand=cpu.expand,
            )
        return names

    def _seen_from(self, vcpu: str, queue: dict[str, str], cpu: CpuTechnique) -> dict[str, str]:
        """Return what local names stand for on a vCPU that uses `queue`.

        Where another vCPU takes the interrupt, that one sends an interrupt on to the issuer's.
        """
        names = queue | {"vcpu": vcpu}
        if queue["handler"] != vcpu:
            names[WAKE_UP] = f"{vcpu}.{WAKE_UP}"
            costs = {
                state: replace(cost, sender=(interprocessor("ipi"),))
                for state, cost in _for_all(cpu.delivery()).items()
            }
            bell = Bell(name=WAKE_UP, to="", rule="always", costs=costs, counts="ipis")
            self.assembly.bell(
                names[WAKE_UP],
                bell,
                to=f"{vcpu}.interrupt",
                sender=queue["handler"],
                expand=cpu.expand,
            )
        return names

    def _add_job(
        self, vm: Vm, job: str, vcpu: str, names: Mapping[str, str], plan: Plan, cpu: CpuTechnique
    ) -> None:
        (_, load), paths = vm.on_disk, plan.paths
        if WAKE_UP in names:
            paths = {kind: (*path[:-1], ring(WAKE_UP), end()) for kind, path in paths.items()}
        self.assembly.task(job, vcpu)
        self.assembly.source(
            job,
            {kind: (share, paths[kind]) for kind, share in load.shares.items()},
            to=job,
            outstanding=load.outstanding if isinstance(load, ClosedLoad) else 0,
            think=Deterministic(load.think_ns) if isinstance(load, ClosedLoad) else None,
            gap=load.gap(),
            order=load.order,
            names=names,
            group=vm.name if len(self.scenario.vm) > 1 else "",
            expand=cpu.expand,
        )

    def _guest(self, vm: Vm) -> Guest:
        (disk, load), costs = vm.on_disk, self.costs
        user, kernel = load.cpu_user, load.cpu_kernel
        for key, given in (("native_user", user), ("native_kernel", kernel)):
            if given is not None:
                costs.used[f"{vm.name}.load.{key}"] = given
        kernel_ns = costs.ns("native_kernel") if kernel is None else kernel.base
        before = costs.share("submit_share")
        device = self.scenario.device[disk.device]
        costs.used[f"device.{disk.device}.channels"] = device.channels_quantity
        return Guest(
            user=costs.ns("native_user") if user is None else user.base,
            submit=kernel_ns * before,
            complete=kernel_ns * (1 - before),
            service={kind: device.service_of(kind) for kind in load.shares},
            transfer=0.0 if device.bandwidth is None else 1e9 * load.size_bytes / device.bandwidth,
            poll=disk.poll_ns,
            section=_section(load.lock),
        )


def _delivered(bell: Bell, cpu: CpuTechnique) -> Bell:
    """Return an interrupt's doorbell: the sender's cost is the disk's, the rest the CPU's."""
    costs = {
        state: replace(cost, sender=bell.costs.get(state, Ringing()).sender)
        for state, cost in _for_all(cpu.delivery()).items()
    }
    return replace(bell, costs=costs)


def _for_all(costs: Mapping[ConsumerState, Ringing]) -> dict[ConsumerState, Ringing]:
    return {state: costs.get(state, Ringing()) for state in CONSUMER_STATES}


def _section(held: Section | None) -> Path:
    """Return what a request does under the guest's lock."""
    if held is None:
        return ()
    inside = work("vcpu", held.hold, "vcpu: critical section")
    return (lock(GUEST_LOCK, masked=False), inside, unlock(GUEST_LOCK))


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
