"""VMs that use a network: vCPUs, the technique's threads, queue pairs, doorbells, jobs."""

from collections.abc import Mapping
from dataclasses import replace

from virtperf.assembly.laying import Expand
from virtperf.build import dom0, net_dma
from virtperf.build.net_load import Use, offered, use_of
from virtperf.build.on_disk import add_spinlock, delivered
from virtperf.build.polling import busy_poll, for_all, unless_seen
from virtperf.build.site import Site
from virtperf.path import Bell, Ringing, interprocessor, switch_process, work
from virtperf.scenario import Vm
from virtperf.technique import matrix
from virtperf.technique.cpu import CpuTechnique
from virtperf.technique.net import Plan, Port, Told, host, net_plan
from virtperf.technique.net.loads import APP, PEER, SOCKET
from virtperf.technique.net.plan import DMA, WIRE_IN, WIRE_OUT

READS = 256  # of memory that a device has under way at most: PCIe tells so many apart
ANY = 65_536  # more than a load has under way
ENTRY = "vcpu: interrupt entry"


def add_nics(site: Site) -> None:
    """Add the physical NICs: two directions of a line, and their ways to memory."""
    for name in site.scenario.nic:
        site.assembly.station(f"{name}.out", 1, called="wire")
        site.assembly.station(f"{name}.in", 1, called="wire")
        site.assembly.station(f"{name}.dma", READS, called="NIC: DMA")


def add(site: Site, vm: Vm, name: str, cpu: CpuTechnique) -> None:
    """Add a VM."""
    nic, load = vm.on_nic
    use = use_of(vm, _user(site, vm), site.costs)
    plan = net_plan(nic.technique, _port(site, vm, use), site.costs)
    expand = dom0.of(site).expanding(cpu) if plan.dom0 else cpu.expand
    vcpus = [f"{name}.vcpu{number}" for number in range(vm.vcpus)]
    for vcpu in vcpus:
        site.add_vcpu(vm, name, vcpu, cpu, (switch_process(),))
    for called in plan.spinlocks:
        add_spinlock(site, f"{name}.{called}", called)
    _add_threads(site, vm, name, plan, cpu)
    for called in plan.stations:
        site.assembly.station(f"{name}.{called}", 1, called=called)
    site.assembly.station(f"{name}.{PEER}", ANY, called=PEER)
    queues = [
        _add_queue(site, vm, name, number, plan, cpu, use, expand)
        for number in range(queues_of(site, vm))
    ]
    for number in range(load.jobs):
        at = number % vm.vcpus
        names = queues[at % len(queues)] | {"vcpu": vcpus[at]}
        _add_job(site, vm, f"{name}.job{number}", names, plan, use, cpu, expand)


def queues_of(site: Site, vm: Vm) -> int:
    """Return how many queue pairs a VM's interface has."""
    nic, _ = vm.on_nic
    functions = site.scenario.nic[nic.device].vf_queues if nic.technique == "sriov" else None
    most = matrix.queues(nic.technique, "nic") or vm.vcpus
    return min(nic.queues or vm.vcpus, most, functions or vm.vcpus, vm.vcpus)


def _user(site: Site, vm: Vm) -> float:
    _, load = vm.on_nic
    if load.cpu_user is None:
        return 0.0
    site.costs.used[f"{vm.name}.load.cpu_user"] = load.cpu_user
    return load.cpu_user.base


def _port(site: Site, vm: Vm, use: Use) -> Port:
    nic, _ = vm.on_nic
    physical, costs = site.scenario.nic[nic.device], site.costs
    driver = physical.ring or costs.count("nic_ring")
    ring = nic.ring or (
        costs.count(RINGS[matrix.ring(nic.technique)])
        if matrix.ring(nic.technique) in RINGS
        else driver
    )
    return Port(
        line=1e9 / physical.rate,
        packet=1e9 / physical.packets if physical.packets else 0.0,
        queues=queues_of(site, vm),
        ring=ring,
        nic_ring=driver,
        largest=max(use.messages, key=lambda one: one.packets),
        poll=nic.poll or 0.0,
        suppress=nic.suppress,
        dma=net_dma.dma_of(site, vm, use),
        limit=1e9 / nic.vf_bandwidth if nic.vf_bandwidth else 0.0,
        others=dom0.vcpus(site) - 1,
        flip=nic.receive == "flip",
    )


RINGS = {"virtqueue": "virtio_net_ring", "e1000": "e1000_ring"}
"""Whose rings they are, and the number of their entries by default; others are the NIC's."""


def _add_threads(site: Site, vm: Vm, name: str, plan: Plan, cpu: CpuTechnique) -> None:
    wake_ns = site.costs.ns("thread_wake_delay")
    for called in plan.locks:
        site.assembly.lock(f"{name}.{called}", called=called, wake_ns=wake_ns)
    for thread in plan.threads:
        for number in range(thread.count):
            called = site.add_thread(vm, name, thread, number, cpu)
            for task in (task for task in plan.tasks if task.thread == thread.name):
                list_ = f"{called}.{task.name.rpartition('.')[2]}"
                site.assembly.task(list_, called, batch=task.batch)


def _add_queue(
    site: Site,
    vm: Vm,
    name: str,
    number: int,
    plan: Plan,
    cpu: CpuTechnique,
    use: Use,
    expand: Expand,
) -> dict[str, str]:
    """Add a queue pair, whose interrupts the vCPU of its number takes.

    Return what local names stand for there.
    """
    nic, _ = vm.on_nic
    handler = f"{name}.vcpu{number}"
    names = {"handler": handler, "handler.interrupt": f"{handler}.interrupt", "vcpu": handler}
    names |= {WIRE_OUT: f"{nic.device}.out", WIRE_IN: f"{nic.device}.in", DMA: f"{nic.device}.dma"}
    names |= {thread.name: f"{name}.{thread.of(number)}" for thread in plan.threads}
    for task in plan.tasks:
        names[task.name] = f"{names[task.thread]}.{task.name.rpartition('.')[2]}"
    own = (*plan.locks, *plan.stations, *plan.spinlocks, PEER)
    names |= {called: f"{name}.{called}" for called in own}
    if plan.dom0:
        names |= dom0.of(site).place(handler, plan.dom0)
    names |= net_dma.local_names(site, vm)
    if plan.host:
        names["softirq"] = _softirq(site, vm)
    for called, count in plan.credits.items():
        names[called] = f"{handler}.{called}"
        site.assembly.credit(names[called], count, called=called)
    for told in plan.bells:
        names[told.bell.name] = f"{handler}.{told.bell.name}"
        site.assembly.bell(
            names[told.bell.name],
            _priced(site, vm, told, cpu, use),
            to=names[told.bell.to],
            sender=names.get(told.sender, ""),
            expand=expand,
        )
    return names


def _softirq(site: Site, vm: Vm) -> str:
    """Return the interrupt work of the pCPU that the next queue of the NIC interrupts."""
    nic, _ = vm.on_nic
    pcpus = site.scenario.nic[nic.device].cpus or range(site.scenario.host.pcpus)
    pcpu = pcpus[site.flows[nic.device] % len(pcpus)]
    site.flows[nic.device] += 1
    if pcpu not in site.interrupts:
        site.interrupts[pcpu] = f"pcpu{pcpu}.interrupts"
        site.assembly.worker(site.interrupts[pcpu], host.SOFTIRQ, host_interrupts_of=pcpu)
    return site.interrupts[pcpu]


def _priced(site: Site, vm: Vm, told: Told, cpu: CpuTechnique, use: Use) -> Bell:
    """Return a doorbell with what its CPU technique, its driver and the NIC add to it."""
    bell = told.bell
    if told.interrupts:
        bell = delivered(bell, vm, cpu)
        entry = work("handler", site.costs.ns("net_interrupt"), ENTRY, masked=True)
        costs = {s: replace(c, target=(*c.target, entry)) for s, c in bell.costs.items()}
        bell = replace(bell, costs=costs | {"active": bell.costs["active"]})
        if busy_poll(vm) is not None:
            bell = unless_seen(bell)
    if told.event:
        bell = dom0.of(site).delivered(bell)
    if told.moderated:
        bell = _moderated(site, vm, bell, use)
    return bell


def _moderated(site: Site, vm: Vm, bell: Bell, use: Use) -> Bell:
    """Return an interrupt as the NIC moderates it, if it does."""
    nic, load = vm.on_nic
    physical = site.scenario.nic[nic.device]
    if physical.moderation is not None:
        timer, count = physical.moderation.timer, physical.moderation.count
    elif physical.adaptive is not None:
        law = physical.adaptive
        pps = offered(load, use, 1e9 / physical.rate) / queues_of(site, vm)
        timer, count = 1e9 / max(pps * law.headroom / law.buffers, law.least), 0
    else:
        return bell
    return replace(bell, rule="moderated", timer=timer, count=count)


def _add_job(
    site: Site,
    vm: Vm,
    job: str,
    queue: Mapping[str, str],
    plan: Plan,
    use: Use,
    cpu: CpuTechnique,
    expand: Expand,
) -> None:
    _, load = vm.on_nic
    vcpu, handler = queue["vcpu"], queue["handler"]
    names = {**queue, APP: f"{job}.{APP}", SOCKET: f"{job}.{SOCKET}"}
    if use.kind == "packets-in":
        count = site.costs.count("socket_queue")
        site.assembly.credit(names[SOCKET], count, called=SOCKET)
    site.assembly.task(job, vcpu)
    site.assembly.bell(
        names[APP],
        _to_process(vm, cpu, foreign=vcpu != handler),
        to=job,
        sender=handler,
        expand=cpu.expand,
    )
    site.assembly.source(
        job,
        {use.kind: (1.0, use.path(plan, vcpu != handler))},
        to=job if use.begins else "",
        outstanding=use.outstanding,
        think=use.think if use.outstanding else None,
        gap=load.gap(),
        names=names,
        group=site.group(vm),
        expand=expand,
    )


def _to_process(vm: Vm, cpu: CpuTechnique, *, foreign: bool) -> Bell:
    """Return how a handler wakes a process: on its own vCPU for nothing, on another's by IPI."""
    costs = {}
    if foreign:
        costs = {
            state: replace(cost, sender=(interprocessor("ipi"),))
            for state, cost in for_all(cpu.delivery(), vm).items()
        }
        if vm.guest_poll is not None:
            costs["polling"] = Ringing()
    return Bell(name=APP, to="", rule="always", costs=costs, counts="ipis" if foreign else "")
