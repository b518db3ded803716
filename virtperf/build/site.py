"""The host that VMs are put on: its devices, its numbers, and what all vCPUs have in common."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from virtperf import catalog
from virtperf.assembly import Assembly
from virtperf.assembly.scheduling import SpinExits
from virtperf.assembly.translations import Translations
from virtperf.build.polling import for_all, polls
from virtperf.build.scheduling import scheduler
from virtperf.errors import ParameterError
from virtperf.mechanism.isa import isa
from virtperf.mechanism.memory.pages import PageSize
from virtperf.params import ParameterSet, Quantity
from virtperf.path import (
    Bell,
    Path,
    Step,
    Transition,
    end,
    leave,
    rearm,
    ring,
    work,
)
from virtperf.scenario import PauseExits, Scenario, Tick, Vm
from virtperf.technique import matrix
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import CpuTechnique
from virtperf.technique.io import Thread

if TYPE_CHECKING:
    from virtperf.build.dom0 import DriverDomain
    from virtperf.build.memory_use import MemoryUse


class Site:
    """A host under construction.

    Parameters
    ----------
    scenario : Scenario
    numbers : ParameterSet
        Of its platform.

    Attributes
    ----------
    costs : Costs
        The numbers, and which of them have been asked for.
    assembly : Assembly
        What stands so far.
    memory : dict
        What is to be said of the memory of VMs that work, by name.
    dom0 : DriverDomain, optional
        The driver domain, once a split driver needs one.
    interrupts : dict
        The host's interrupt work on a pCPU, where there is any.
    flows : Counter
        Queues of the host's own that each NIC has so far.
    """

    def __init__(self, scenario: Scenario, numbers: ParameterSet) -> None:
        self.scenario = scenario
        self.costs = Costs(numbers, catalog.devices(), catalog.iommus())
        self.memory: dict[str, MemoryUse] = {}
        self.dom0: DriverDomain | None = None
        self.interrupts: dict[int, str] = {}
        self.flows: Counter[str] = Counter()
        self.scheduler = scheduler(scenario.host, self.costs)
        self.assembly = Assembly(
            scenario.name,
            pcpus=scenario.host.pcpus,
            policy=self.scheduler.policy,
            slice_ns=self.scheduler.slice_ns,
            switch_ns=self.costs.ns("thread_switch"),
            tick_ns=self.scheduler.tick_ns,
            period_ns=self.scheduler.period_ns,
            constants=self.scheduler.constants,
            sharing=self.costs.share("smt_share") if scenario.host.smt else 0.0,
        )
        for name, device in scenario.device.items():
            self.assembly.station(name, int(device.channels_quantity.base))
            if device.bandwidth is not None:
                self.assembly.station(f"{name}.link", 1, called="device link")

    def group(self, vm: Vm, at: str = "") -> str:
        """Return the prefix of the groups that a VM's requests are observed under.

        `at` is the disk they are made of, which matters if there are several.
        """
        name = vm.name if len(self.scenario.vm) > 1 else ""
        several = len(vm.on_disks) > 1
        return f"{name} {at if several else ''}".strip()

    def costs_of(self, vm: Vm) -> Costs:
        """Return the numbers of a VM: the platform's, and those that the VM itself decides.

        Its ISA says how wide its guest's kernel is; its memory, whether TLBs tell it apart and how
        many pages of 4 KiB the host gives, and the guest maps, at a time.
        """
        platform, *others = self.costs.sets
        given: dict[str, Quantity] = {}
        own: list[ParameterSet] = []
        if vm.cpu.isa is not None and "guest_bits" in platform:
            bits = max(isa(vm.cpu.isa).kernel_bits)
            given["guest_bits"] = _decided(bits, f"the scenario's guest is for {vm.cpu.isa}")
        if vm.memory is not None and vm.memory.tags is not None:
            if vm.memory.tags and not self.costs.count("vpid"):
                must = "left out or false: this platform's TLBs tell guests apart by no tag"
                raise ParameterError(vm.name, "memory.tags", must, True)
            given["vpid"] = _decided(int(vm.memory.tags), "the scenario's memory.tags")
        for whose in ("host", "guest"):
            page = "4KiB" if vm.memory is None else getattr(vm.memory, f"{whose}_page")
            if page != "4KiB":
                pages = PageSize.of(page).bytes // PageSize.K4.bytes
                many = {f"{whose}_pages": _decided(pages, f"the scenario's memory.{whose}_page")}
                own.append(ParameterSet(vm.name, many))
        if not given and not own:
            return self.costs
        costs = Costs(platform.replace(**given), *others, *own)
        costs.used = self.costs.used
        return costs

    def add_vcpu(
        self,
        vm: Vm,
        name: str,
        vcpu: str,
        cpu: CpuTechnique,
        switch: Path,
        kick: Path = (),
        flush_ns: float = 0.0,
        tlb: Translations | None = None,
    ) -> None:
        """Add a vCPU of copy `name` of a VM; its guest's processes come with the load.

        `switch` is what it takes to let another one of them run, `kick` to wake another vCPU,
        `flush_ns` to empty its TLB as it comes back onto a pCPU, `tlb` what to fill again there.
        """
        crowded = vm.jobs > vm.vcpus
        slice_ns = self.costs.ns("slice") if vm.slice is None and crowded else vm.slice
        refill_ns, forgets_ns = self._reload(vm)
        self.assembly.worker(
            vcpu,
            "vcpu",
            wake=cpu.halted(),
            slice_ns=slice_ns or 0.0,
            switch=switch if crowded else (),
            share=self.scheduler.share(vm, name),
            flush_ns=flush_ns,
            tlb=tlb,
            refill_ns=refill_ns,
            forgets_ns=forgets_ns,
            **polls(vm, vcpu, cpu, self.costs),
            pauses=self._pauses(vm.pause_exits),
            kick=kick,
            expand=cpu.expand,
        )
        self.assembly.interrupt_level(vcpu, prologue=cpu.handled(), expand=cpu.expand)
        if vm.tick is not None:
            emulated = vm.cpu.technique in matrix.EMULATION
            self._add_tick(vm, vm.tick, vcpu, cpu, slowed=emulated)

    def add_thread(
        self,
        vm: Vm,
        name: str,
        thread: Thread,
        called: str,
        cpu: CpuTechnique,
    ) -> None:
        """Add a host thread `called` so of a copy `name` of a VM."""
        self.assembly.worker(
            called,
            thread.role,
            wake=thread.wake,
            prologue=thread.prologue,
            epilogue=thread.epilogue,
            pickup=thread.pickup,
            batch=thread.batch,
            poll="endless" if thread.endless else "event-loop",
            poll_ns=thread.poll,
            poll_start_ns=thread.poll_start,
            lock=f"{name}.{thread.lock}" if thread.lock else "",
            share=self.scheduler.share(vm, name, thread=True),
            expand=cpu.expand,
        )

    def _reload(self, vm: Vm) -> tuple[float, float]:
        """Return how long a vCPU loads its working set, and others until nothing of it is left.

        What does not fit into a core's cache was never there: nothing is lost with it.
        """
        if vm.working_set is None:
            return 0.0, 0.0
        cache = self.costs.quantity("core_cache").base
        per_byte = 1e9 / self.costs.quantity("refill_bandwidth").base
        return min(vm.working_set, cache) * per_byte, cache * per_byte

    def _pauses(self, given: PauseExits | None) -> SpinExits | None:
        """Return when a vCPU that spins exits, and what that costs."""
        if given is None:
            return None
        window = self.costs.ns("pause_window") if given.window is None else given.window
        exit_ = (leave("pause", "kernel"),)
        return SpinExits(window_ns=window, grow=given.grow, directed=given.directed, cost=exit_)

    def _add_tick(
        self, vm: Vm, tick: Tick, vcpu: str, cpu: CpuTechnique, *, slowed: bool = False
    ) -> None:
        """Add a timer whose handler arms it again; an emulated kernel's is `slowed`."""
        costs = for_all(cpu.expiry(), vm)
        expiry = Bell(name="tick", to="", rule="always", costs=costs, counts="ticks")
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


def _decided(value: int, source: str) -> Quantity:
    """Return a plain number that the scenario decides."""
    return Quantity(value=float(value), unit="1", source=source, evidence="derived", checked="own")
