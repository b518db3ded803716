"""VMs that use a network: vCPUs, the technique's threads, queue pairs, doorbells, jobs."""

from collections.abc import Mapping
from dataclasses import replace

from virtperf.assembly.laying import Expand
from virtperf.build import dom0, net_dma
from virtperf.build.machine import Machine
from virtperf.build.net_load import Use, offered, use_of
from virtperf.build.on_disk import WAKE_UP, Attached, delivered, told
from virtperf.build.polling import busy_poll, for_all, unless_seen
from virtperf.build.site import Site
from virtperf.path import Bell, Path, Ringing, interprocessor, renamed, work
from virtperf.scenario import Vm
from virtperf.technique import matrix
from virtperf.technique.cpu import CpuTechnique
from virtperf.technique.net import Plan, Port, Told, host, net_plan
from virtperf.technique.net.loads import APP, BLOCK, PEER, SOCKET
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


def add(machine: Machine, reads: Attached | None = None) -> None:
    """Add the interface of a VM and the jobs that use it, which may read of a disk."""
    site, vm = machine.site, machine.vm
    _, load = vm.on_nic
    use = use_of(vm, _user(site, vm), site.costs)
    plan = net_plan(vm.on_nic[0].technique, _port(site, vm, use), site.costs)
    expand = dom0.of(site).expanding(machine.cpu) if plan.dom0 else machine.cpu.expand
    scope, first = machine.scope("nic"), machine.next_device()
    for called in plan.spinlocks:
        machine.add_spinlock(called)
    threads = _add_threads(machine, plan, scope)
    for called in plan.stations:
        site.assembly.station(f"{scope}.{called}", 1, called=called)
    site.assembly.station(f"{scope}.{PEER}", ANY, called=PEER)
    many = queues_of(site, vm)
    queues = [
        _add_queue(machine, (first + number) % vm.vcpus, number, threads, plan, use, expand)
        for number in range(many)
    ]
    for _ in range(load.jobs):
        job, number = machine.next_job()
        on = number % vm.vcpus
        names = queues[(on - first) % vm.vcpus % many] | {"vcpu": machine.vcpus[on]}
        read = None if reads is None else (reads, reads.seen_from(on))
        _add_job(machine, job, names, plan, use, expand, read)


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


def _add_threads(machine: Machine, plan: Plan, scope: str) -> dict[str, list[str]]:
    """Add what serves the interface; return the names of equal threads by their local name."""
    for called in plan.locks:
        machine.add_mutex(called)
    names: dict[str, list[str]] = {}
    for thread in plan.threads:
        for number in range(thread.count):
            called = machine.add_thread(thread, number, scope)
            names.setdefault(thread.name, []).append(called)
            for task in (task for task in plan.tasks if task.thread == thread.name):
                list_ = f"{called}.{task.name.rpartition('.')[2]}"
                machine.site.assembly.task(list_, called, batch=task.batch)
    return names


def _add_queue(
    machine: Machine,
    on: int,
    number: int,
    threads: Mapping[str, list[str]],
    plan: Plan,
    use: Use,
    expand: Expand,
) -> dict[str, str]:
    """Add a queue pair, whose interrupts the vCPU number `on` takes.

    Return what local names stand for there.
    """
    site, vm, name, cpu = machine.site, machine.vm, machine.name, machine.cpu
    nic, _ = vm.on_nic
    handler, scope = machine.vcpus[on], machine.scope("nic")
    queue = handler if scope == name else f"{handler}.nic"
    names = {"handler": handler, "handler.interrupt": f"{handler}.interrupt", "vcpu": handler}
    names |= {WIRE_OUT: f"{nic.device}.out", WIRE_IN: f"{nic.device}.in", DMA: f"{nic.device}.dma"}
    names |= {local: called[number % len(called)] for local, called in threads.items()}
    for task in plan.tasks:
        names[task.name] = f"{names[task.thread]}.{task.name.rpartition('.')[2]}"
    names |= {called: f"{name}.{called}" for called in (*plan.locks, *plan.spinlocks)}
    names |= {called: f"{scope}.{called}" for called in (*plan.stations, PEER)}
    if plan.dom0:
        names |= dom0.of(site).place(queue, plan.dom0)
    names |= net_dma.local_names(site, vm)
    if plan.host:
        names["softirq"] = _softirq(site, vm)
    for called, count in plan.credits.items():
        names[called] = f"{queue}.{called}"
        site.assembly.credit(names[called], count, called=called)
    for one in plan.bells:
        names[one.bell.name] = f"{queue}.{one.bell.name}"
        site.assembly.bell(
            names[one.bell.name],
            _priced(site, vm, one, cpu, use),
            to=names[one.bell.to],
            sender=names.get(one.sender, ""),
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
    machine: Machine,
    job: str,
    queue: Mapping[str, str],
    plan: Plan,
    use: Use,
    expand: Expand,
    reads: tuple[Attached, Mapping[str, str]] | None,
) -> None:
    site, vm, cpu = machine.site, machine.vm, machine.cpu
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
    block: Path = ()
    if reads is not None:
        names[BLOCK] = f"{job}.{BLOCK}"
        block = _read(machine, job, *reads)
        expand = reads[0].expand if reads[0].plan.tasks else expand
    site.assembly.source(
        job,
        {use.kind: (1.0, use.path(plan, vcpu != handler, block))},
        to=job if use.begins else "",
        outstanding=use.outstanding,
        think=use.think if use.outstanding else None,
        gap=load.gap(),
        names=names,
        group=site.group(vm),
        expand=expand,
    )


def _read(machine: Machine, job: str, disk: Attached, seen: Mapping[str, str]) -> Path:
    """Return the way of a block that a process reads, up to the handler that wakes it."""
    path, by = disk.plan.paths["read"], seen["handler"]
    if WAKE_UP in seen:
        path, by = told(path), seen["vcpu"]
    machine.site.assembly.bell(
        f"{job}.{BLOCK}",
        replace(_to_process(machine.vm, machine.cpu, foreign=False), name=BLOCK),
        to=job,
        sender=by,
        expand=machine.cpu.expand,
    )
    return renamed(path, seen)


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
