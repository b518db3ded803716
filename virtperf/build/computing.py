"""What a unit of a workload takes on the vCPUs of a VM: code, operations, addresses, paging.

A load may be units alone (`on_cpu`), or a unit before each request (`on_disk`).
"""

from dataclasses import dataclass

from virtperf.assembly.translations import Translations
from virtperf.build import paging
from virtperf.build.memory_use import MemoryUse
from virtperf.build.paging import Shortage
from virtperf.build.polling import for_all
from virtperf.build.shootdown import others, shootdown
from virtperf.build.site import Site
from virtperf.build.translation import Translation, translation
from virtperf.errors import ParameterError
from virtperf.path import Bell, Path, Transition, end, ring
from virtperf.scenario import Memory, Vm
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import CpuTechnique, cpu_technique
from virtperf.technique.cpu.operations import OPERATIONS
from virtperf.technique.cpu.workload import Workload, unit
from virtperf.technique.memory import MemoryTechnique, default_memory, memory_technique


def memory_of(vm: Vm, costs: Costs) -> str:
    """Return the memory technique of a VM: its own, or what goes with its CPU technique."""
    if vm.memory is not None and vm.memory.technique is not None:
        return vm.memory.technique
    return default_memory(vm.cpu.technique, costs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Computing:
    """Units of a workload on a copy of a VM, whose vCPUs are added.

    Attributes
    ----------
    site : Site
    vm : Vm
    cpu : CpuTechnique
    vcpus : tuple of str
    unit : Path
        On the vCPU, to its end; local names are those of `names`.
    calls : bool
        Whether a unit has other vCPUs flush their TLBs.
    short : Shortage, optional
    """

    site: Site
    vm: Vm
    cpu: CpuTechnique
    vcpus: tuple[str, ...]
    unit: Path
    calls: bool = False
    short: Shortage | None = None

    def names(self, job: str, number: int) -> dict[str, str]:
        """Return what local names stand for in a job, which is on a vCPU by its number.

        The doorbells of its paging disk are added; so the job must have been.
        """
        on = number % len(self.vcpus)
        vcpu, beside = self.vcpus[on], self.vcpus[(on + 1) % len(self.vcpus)]
        names = {"vcpu": vcpu, "ipi": f"{vcpu}.ipi", "peer": beside}
        if self.calls:
            names |= others(self.vcpus, on)
        if self.short is not None:
            names |= paging.add_interrupts(self.site, self.vm, self.short, self.cpu, vcpu, job)
        return names


def add(site: Site, vm: Vm, name: str, *, kick: Path = ()) -> Computing:
    """Add the vCPUs of a copy of a VM whose jobs do units; each vCPU interrupts the next."""
    assert vm.workload is not None, "its load does units of a workload"
    costs = Costs(*site.costs_of(vm).sets, vm.workload)
    cpu = cpu_technique(vm.cpu.technique, costs)
    workload = _workload(vm, costs)
    technique = memory_of(vm, site.costs)
    memory = memory_technique(technique, costs)
    kind = vm.memory or Memory()
    addresses = translation(costs, kind, memory)
    short = paging.shortage(site, vm, costs, technique)
    vcpus = tuple(f"{name}.vcpu{number}" for number in range(vm.vcpus))
    flushes = vm.vcpus > 1 and workload.events(OPERATIONS["tlb_flush"]) > 0
    flush_ns = costs.ns("native_tlb_flush") if flushes else 0.0
    switch, tlb = _afterwards(vm, memory, workload, addresses, costs)
    for vcpu in vcpus:
        site.add_vcpu(vm, name, vcpu, cpu, switch, kick, flush_ns=flush_ns, tlb=tlb)
    peer = _interrupted(site, vm, vcpus, cpu)
    calls = shootdown(site, vm, vcpus, cpu, memory) if flushes else ()
    walks = addresses.path() if addresses is not None else ()
    pages = paging.path(site, vm, short, memory, costs) if short is not None else ()
    whole = unit(workload, cpu, memory, peer, calls, walks, pages)
    site.costs.used |= costs.used
    site.memory[vm.name] = MemoryUse(
        vm=vm,
        memory=kind,
        called=technique,
        technique=memory,
        workload=workload,
        footprint=costs.quantity("data_footprint").base if "data_footprint" in costs else 0.0,
        addresses=addresses,
        short=short,
    )
    return Computing(
        site=site, vm=vm, cpu=cpu, vcpus=vcpus, unit=whole, calls=bool(calls), short=short
    )


def _afterwards(
    vm: Vm,
    memory: MemoryTechnique,
    workload: Workload,
    addresses: Translation | None,
    costs: Costs,
) -> tuple[Path, Translations | None]:
    """Return what it takes to change processes, and what to walk for again after other vCPUs."""
    if addresses is None:
        return memory.address_space(), None
    code, tagged = workload.code(), bool(costs.count("vpid"))
    pcid = addresses.pcid and (vm.memory is None or vm.memory.tags is not False)
    processes = -(-paging.computing_jobs(vm) // vm.vcpus)
    switch = (*memory.address_space(), *addresses.between(processes, tagged=pcid))
    unit_ns = code.user_ns + code.kernel_ns + addresses.unit_ns
    return switch, addresses.refill(unit_ns, tagged=tagged)


def _workload(vm: Vm, costs: Costs) -> Workload:
    """Return the workload, having checked that it goes with the VM."""
    workload = Workload(costs)
    if vm.tick is not None and workload.events(OPERATIONS["timer"]):
        must = f"left out: {vm.computes} counts timer interrupts of its own"
        raise ParameterError(vm.name, "tick", must, vm.tick.kind)
    return workload


def _interrupted(site: Site, vm: Vm, vcpus: tuple[str, ...], cpu: CpuTechnique) -> Path:
    """Let each vCPU interrupt the one beside it; return what that one then does.

    What sending costs is in the path of who sends.
    """
    if len(vcpus) == 1:
        return ()
    bell = Bell(name="ipi", to="", rule="always", costs=for_all(cpu.delivery(), vm), counts="ipis")
    for vcpu, other in zip(vcpus, (*vcpus[1:], vcpus[0]), strict=True):
        site.assembly.bell(
            f"{vcpu}.ipi", bell, to=f"{other}.interrupt", sender="", expand=cpu.expand
        )
    return (ring("ipi"), Transition(name="kernel", reason="exception", where="peer"), end())
