"""VMs that work and do nothing else: their jobs do unit after unit of a workload."""

from collections.abc import Mapping

from virtperf import catalog
from virtperf.build import paging
from virtperf.build.memory_use import MemoryUse
from virtperf.build.polling import for_all
from virtperf.build.shootdown import others, shootdown
from virtperf.build.site import Site
from virtperf.build.translation import translation
from virtperf.errors import ParameterError
from virtperf.path import Bell, Path, Transition, end, ring
from virtperf.scenario import Memory, Vm, WorkLoad
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import CpuTechnique, cpu_technique
from virtperf.technique.cpu.operations import OPERATIONS
from virtperf.technique.cpu.workload import Workload, unit
from virtperf.technique.memory import default_memory, memory_technique


def memory_of(vm: Vm, costs: Costs) -> str:
    """Return the memory technique of a VM: its own, or what goes with its CPU technique."""
    if vm.memory is not None:
        return vm.memory.technique
    return default_memory(vm.cpu.technique, costs)


def add(site: Site, vm: Vm, load: WorkLoad, name: str) -> None:
    """Add a VM; where it has several vCPUs, each interrupts the next."""
    costs = Costs(*site.costs_of(vm).sets, catalog.workload(load.workload))
    cpu = cpu_technique(vm.cpu.technique, costs)
    workload = _workload(vm, load, costs)
    technique = memory_of(vm, site.costs)
    memory = memory_technique(technique, costs)
    vcpus = [f"{name}.vcpu{number}" for number in range(vm.vcpus)]
    flushes = vm.vcpus > 1 and workload.events(OPERATIONS["tlb_flush"]) > 0
    flush_ns = costs.ns("native_tlb_flush") if flushes else 0.0
    kind = vm.memory or Memory(technique=technique)
    addresses = translation(costs, kind, memory)
    switch, tlb = memory.address_space(), None
    if addresses is not None:
        code, tagged = workload.code(), bool(costs.count("vpid"))
        pcid = addresses.pcid and (vm.memory is None or vm.memory.tags is not False)
        processes = -(-load.jobs // vm.vcpus)
        switch = (*switch, *addresses.between(processes, tagged=pcid))
        unit_ns = code.user_ns + code.kernel_ns + addresses.unit_ns
        tlb = addresses.refill(unit_ns, tagged=tagged)
    for vcpu in vcpus:
        site.add_vcpu(vm, name, vcpu, cpu, switch, flush_ns=flush_ns, tlb=tlb)
    beside = dict(zip(vcpus, [*vcpus[1:], vcpus[0]], strict=True))
    calls = shootdown(site, vm, vcpus, cpu, memory) if flushes else ()
    walks = addresses.path() if addresses is not None else ()
    short = paging.shortage(site, vm, costs, technique)
    pages = paging.path(site, vm, short, memory, costs) if short is not None else ()
    path = unit(workload, cpu, memory, _interrupted(site, vm, beside, cpu), calls, walks, pages)
    site.costs.used |= costs.used
    site.memory[vm.name] = MemoryUse(
        vm=vm,
        memory=kind,
        technique=memory,
        workload=workload,
        footprint=costs.quantity("data_footprint").base if "data_footprint" in costs else 0.0,
        addresses=addresses,
        short=short,
    )
    for number in range(load.jobs):
        job, vcpu = f"{name}.job{number}", vcpus[number % vm.vcpus]
        called = others(vcpus, number % vm.vcpus) if calls else {}
        site.assembly.task(job, vcpu)
        told = paging.add_interrupts(site, vm, short, cpu, vcpu, job) if short is not None else {}
        site.assembly.source(
            job,
            {"unit": (1.0, path)},
            to=job,
            outstanding=1,
            think=load.think,
            names={"vcpu": vcpu, "ipi": f"{vcpu}.ipi", "peer": beside[vcpu], **called, **told},
            group=site.group(vm),
            expand=cpu.expand,
        )


def _workload(vm: Vm, load: WorkLoad, costs: Costs) -> Workload:
    """Return the workload, having checked that it goes with the VM."""
    workload = Workload(costs)
    if vm.tick is not None and workload.events(OPERATIONS["timer"]):
        must = f"left out: {load.workload} counts timer interrupts of its own"
        raise ParameterError(vm.name, "tick", must, vm.tick.kind)
    return workload


def _interrupted(site: Site, vm: Vm, beside: Mapping[str, str], cpu: CpuTechnique) -> Path:
    """Let each vCPU interrupt the one beside it; return what that one then does.

    What sending costs is in the path of who sends.
    """
    if len(beside) == 1:
        return ()
    costs = for_all(cpu.delivery(), vm)
    bell = Bell(name="ipi", to="", rule="always", costs=costs, counts="ipis")
    for vcpu, other in beside.items():
        site.assembly.bell(
            f"{vcpu}.ipi", bell, to=f"{other}.interrupt", sender="", expand=cpu.expand
        )
    return (ring("ipi"), Transition(name="kernel", reason="exception", where="peer"), end())
