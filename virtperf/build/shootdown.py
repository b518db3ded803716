"""TLB shootdown: a vCPU that drops a translation has it dropped on the others too, and waits.

It interrupts each of the others, and spins until the last has flushed; a target that does not run
makes it wait until that does. Two things spare it that. A guest's kernel knows which of its CPUs
idle, and leaves those alone. A hypervisor knows which vCPUs have no pCPU, halted or preempted, and
flushes them as they enter their guest: with its help only those are interrupted that run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from virtperf.build.polling import for_all
from virtperf.build.site import Site
from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    ConsumerState,
    Join,
    Path,
    Ringing,
    Step,
    Transition,
    end,
    ring,
    work,
)
from virtperf.scenario import Vm
from virtperf.technique.cpu import CpuTechnique
from virtperf.technique.memory import MemoryTechnique

WAIT = "vcpu: waits for other TLBs"


def shootdown(
    site: Site, vm: Vm, vcpus: Sequence[str], cpu: CpuTechnique, memory: MemoryTechnique
) -> Path:
    """Add the doorbells; return how a vCPU has all others flush, by the `names` of `others`."""
    asked = vm.pv_tlb_flush or memory.flushes_others
    bell = Bell(
        name="flush",
        to="",
        rule="unless-absent" if asked else "unless-idle",
        costs=_costs(vm, cpu, memory),
        counts="tlb_flushes_of_others",
    )
    for vcpu in vcpus:
        site.assembly.bell(
            f"{vcpu}.flush", bell, to=f"{vcpu}.interrupt", sender=vcpus[0], expand=cpu.expand
        )
    paths = tuple(
        (ring(f"flush{n}"), *_at(f"other{n}", _flushed(site, memory)), end())
        for n in range(1, len(vcpus))
    )
    return (Join(name="tlb flush", paths=paths, account=WAIT),)


def others(vcpus: Sequence[str], number: int) -> Mapping[str, str]:
    """Return what vCPU `number` calls the others and their doorbells, beginning with the next."""
    ring_of = [vcpus[(number + n) % len(vcpus)] for n in range(len(vcpus))]
    return {
        name: vcpu
        for n, other in enumerate(ring_of)
        if n
        for name, vcpu in ((f"other{n}", other), (f"flush{n}", f"{other}.flush"))
    }


def _costs(vm: Vm, cpu: CpuTechnique, memory: MemoryTechnique) -> Mapping[ConsumerState, Ringing]:
    """Return what it costs to interrupt a vCPU, unless it has been told already.

    A hypervisor that was asked sends by itself what is no interrupt to its guest.
    """
    if memory.flushes_others:
        return {}
    costs = for_all(cpu.delivery(), vm)
    sent = tuple(cpu.operation("ipi", "vcpu"))
    return {
        state: replace(costs.get(state, Ringing()), sender=sent)
        for state in CONSUMER_STATES
        if state != "active"
    }


def _flushed(site: Site, memory: MemoryTechnique) -> Path:
    """Return what a vCPU does that is told to flush: its kernel's handler, or the hypervisor's."""
    if memory.flushes_others:
        ns = site.costs.ns("trap") + site.costs.ns("native_tlb_flush")
        return (work("vcpu", ns, "hypervisor: flush for another vCPU", masked=True),)
    return (Transition(name="kernel", reason="exception"), *memory.tlb_flush())


def _at(where: str, path: Path) -> Path:
    """Return a path of a vCPU as that of another one."""
    return tuple(
        replace(part, where=where) if isinstance(part, Step | Transition) else part for part in path
    )
