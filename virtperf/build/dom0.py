"""Xen's driver domain: vCPUs in the host's pool that run the back ends of split drivers.

Dom0 is a paravirtual guest. Each of its vCPUs has an interrupt level, for events and for flushes of
its TLB, softirqs behind that, and kernel threads as tasks; rings are dealt to the vCPUs in turn,
and the device's interrupts for a ring come to the vCPU that serves it, as the block layer sees to.
"""

from collections.abc import Sequence
from dataclasses import replace

from virtperf.assembly.laying import Expand
from virtperf.build.polling import at_cost
from virtperf.build.shootdown import others
from virtperf.build.site import Site
from virtperf.path import CONSUMER_STATES, Bell, Ringing, Step, Transition, work
from virtperf.scenario import Dom0
from virtperf.technique.cpu import CpuTechnique, cpu_technique
from virtperf.technique.io.grants import FLUSH
from virtperf.technique.io.plan import Task

LOCAL, ROLE = "dom0", "dom0"


def of(site: Site) -> "DriverDomain":
    """Return the driver domain of a host, added when it is first asked for."""
    if site.dom0 is None:
        site.dom0 = DriverDomain(site)
    return site.dom0


def vcpus(site: Site) -> int:
    """Return how many vCPUs it has: those of the scenario, or one per pCPU as Xen has it."""
    host = site.scenario.host
    return (host.dom0 and host.dom0.vcpus) or host.pcpus


class DriverDomain:
    """Dom0 on a host under construction.

    Parameters
    ----------
    site : Site
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._cpu = cpu_technique("paravirtual", site.costs)
        self._vcpus = [f"{LOCAL}.vcpu{number}" for number in range(vcpus(site))]
        self._queues = 0
        share = site.scheduler.share_of(site.scenario.host.dom0 or Dom0(), LOCAL)
        for vcpu in self._vcpus:
            site.assembly.worker(
                vcpu, ROLE, wake=self._cpu.halted(), share=share, expand=self._expand
            )
            site.assembly.interrupt_level(vcpu, prologue=self._cpu.handled(), expand=self._expand)
        self._add_flushes()

    def _add_flushes(self) -> None:
        """Add what flushes the TLBs of pCPUs on which others of its vCPUs run: Xen, not a guest.

        A vCPU that has no pCPU is spared: it has no translations there any more.
        """
        assembly, costs = self._site.assembly, self._site.costs
        assembly.lock(f"{LOCAL}.{FLUSH}", called=FLUSH, wake_ns=0.0, discipline="ticket")
        sent = work(LOCAL, costs.ns("flush_send"), "dom0: TLB flush", masked=True)
        told = {state: Ringing(sender=(sent,)) for state in CONSUMER_STATES}
        bell = Bell(name="flush", to="", rule="unless-absent", costs=told, counts="flush_ipis")
        for vcpu in self._vcpus:
            assembly.bell(
                f"{vcpu}.flush",
                bell,
                to=f"{vcpu}.interrupt",
                sender=self._vcpus[0],
                expand=self._expand,
            )

    def place(self, queue: str, tasks: Sequence[Task]) -> dict[str, str]:
        """Deal a queue, with its threads, to the next vCPU; return what local names stand for."""
        number = self._queues % len(self._vcpus)
        self._queues += 1
        vcpu = self._vcpus[number]
        names = {LOCAL: vcpu, f"{LOCAL}.interrupt": f"{vcpu}.interrupt"}
        names |= {FLUSH: f"{LOCAL}.{FLUSH}", **others(self._vcpus, number)}
        for task in tasks:
            names[task.name] = f"{queue}.{task.name}"
            self._site.assembly.task(names[task.name], vcpu, batch=task.batch)
        return names

    def delivered(self, bell: Bell) -> Bell:
        """Return a doorbell of Dom0's: what its hypervisor takes to call it up goes along."""
        by = self._cpu.delivery()
        every = {state: by.get(state, Ringing()) for state in CONSUMER_STATES}
        own = {state: bell.costs.get(state, Ringing()) for state in CONSUMER_STATES}
        return at_cost(bell, every, own)

    def expanding(self, cpu: CpuTechnique) -> Expand:
        """Return what expands transitions of Dom0's by its technique, a guest's by `cpu`."""

        def expand(transition: Transition, where: str) -> tuple[Step, ...]:
            own = where == LOCAL or where.startswith(f"{LOCAL}.")
            return self._expand(transition, where) if own else cpu.expand(transition, where)

        return expand

    def _expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return the steps of a transition, in Dom0's name: it is no guest that exits.

        The hypervisor takes interrupts while it works for Dom0.
        """
        return tuple(
            replace(
                step,
                account=step.account.replace("vcpu:", f"{ROLE}:"),
                counts=step.counts and f"{ROLE}-{step.counts}",
                masked=False,
            )
            for step in self._cpu.expand(transition, where)
        )
