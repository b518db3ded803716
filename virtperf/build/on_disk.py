"""VMs that use a disk: vCPUs, the technique's threads, queues with their doorbells, and jobs."""

from collections.abc import Mapping
from dataclasses import replace

from virtperf.assembly.laying import Expand
from virtperf.build import computing, dom0, on_iommu
from virtperf.build.polling import at_cost, for_all
from virtperf.build.site import Site
from virtperf.path import (
    Bell,
    Once,
    Path,
    Ringing,
    Spawn,
    Step,
    Transition,
    end,
    interprocessor,
    lock,
    ring,
    switch_process,
    unlock,
    work,
)
from virtperf.scenario import ClosedLoad, Section, Vm
from virtperf.technique.cpu import CpuTechnique
from virtperf.technique.io import Guest, Plan, disk_plan

GUEST_LOCK, WAKE_UP = "guest lock", "wake-up"
DEVICE, ASIDE = "the device", "a side path"  # who rings a doorbell, if no worker does
KICK = Transition(name="hypercall", reason="kick-vcpu")


def add(site: Site, vm: Vm, name: str, cpu: CpuTechnique) -> None:
    """Add a VM."""
    disk, load = vm.on_disk
    plan = disk_plan(disk.technique, _guest(site, vm), site.costs)
    expand = dom0.of(site).expanding(cpu) if plan.tasks else cpu.expand
    vcpus = [f"{name}.vcpu{number}" for number in range(vm.vcpus)]
    halts = load.lock is not None and load.lock.discipline == "paravirtual"
    kick = (KICK,) if halts else ()
    units = None
    if load.workload is not None:
        units = computing.add(site, vm, name, load.workload, kick=kick)
    else:
        for vcpu in vcpus:
            site.add_vcpu(vm, name, vcpu, cpu, (switch_process(),), kick)
    _add_threads(site, vm, name, plan, cpu)
    for called in plan.stations:
        site.assembly.station(f"{name}.{called}", 1, called=called)
    for called in plan.spinlocks:
        add_spinlock(site, f"{name}.{called}", called)
    if load.lock is not None:
        _add_guest_lock(site, f"{name}.{GUEST_LOCK}", load.lock.discipline)
    most = on_iommu.most_queues(site, disk) or vm.vcpus
    queues = [
        _add_queue(site, vm, name, number, plan, cpu, expand)
        for number in range(min(most, disk.queues_on(vm.vcpus)))
    ]
    seen = [
        _seen_from(site, vm, vcpu, queues[n % len(queues)], cpu) for n, vcpu in enumerate(vcpus)
    ]
    plug = site.costs.count("plug_requests") if disk.submission == "batch" else 0
    for number in range(load.jobs):
        on, job = number % vm.vcpus, f"{name}.job{number}"
        site.assembly.task(job, vcpus[on], batch=plug)
        own = units.names(job, number) if units is not None else {}
        before = units.unit[:-1] if units is not None else ()
        _add_job(site, vm, job, seen[on] | own, before, plan, expand)


def add_spinlock(site: Site, name: str, called: str) -> None:
    """Add a lock of the guest's kernel, or of a hypervisor, whose waiters spin."""
    site.assembly.lock(name, called=called, wake_ns=0.0, discipline="ticket")


def _add_guest_lock(site: Site, name: str, discipline: str) -> None:
    """Add a lock of the guest's kernel; its spinners see it free at once."""
    halts = discipline == "paravirtual"
    sleeps = halts or discipline.startswith("mutex")
    site.assembly.lock(
        name,
        called=GUEST_LOCK,
        wake_ns=site.costs.ns("thread_wake_delay") if sleeps else 0.0,
        discipline=discipline,
        spin_ns=site.costs.ns("spin_threshold") if halts else 0.0,
    )


def _add_threads(site: Site, vm: Vm, name: str, plan: Plan, cpu: CpuTechnique) -> None:
    for called in plan.locks:
        site.assembly.lock(
            f"{name}.{called}", called=called, wake_ns=site.costs.ns("thread_wake_delay")
        )
    for thread in plan.threads:
        for number in range(thread.count):
            site.add_thread(vm, name, thread, number, cpu)


def _add_queue(
    site: Site, vm: Vm, name: str, number: int, plan: Plan, cpu: CpuTechnique, expand: Expand
) -> dict[str, str]:
    """Add a queue of the disk, whose completion interrupts the vCPU of its number takes.

    Return what local names stand for there.
    """
    disk, _ = vm.on_disk
    handler = f"{name}.vcpu{number}"
    names = {"handler": handler, "handler.interrupt": f"{handler}.interrupt", "vcpu": handler}
    names |= {"device": disk.device, "link": f"{disk.device}.link"}
    names |= {thread.name: f"{name}.{thread.of(number)}" for thread in plan.threads}
    own = (*plan.locks, *plan.stations, *plan.spinlocks, GUEST_LOCK)
    names |= {called: f"{name}.{called}" for called in own}
    names |= on_iommu.local_names(site, disk)
    for called in plan.queue_locks:
        names[called] = f"{handler}.{called}"
        add_spinlock(site, names[called], called)
    if plan.tasks:
        names |= dom0.of(site).place(handler, plan.tasks)
    if plan.slots is not None:
        names[plan.slots.name] = f"{handler}.{plan.slots.name}"
        site.assembly.credit(names[plan.slots.name], plan.slots.count, called=plan.slots.name)
    senders = _senders(plan)
    moderation = site.scenario.device[disk.device].moderation
    for bell in plan.bells:
        names[bell.name] = f"{handler}.{bell.name}"
        priced = bell
        if bell.to == "handler.interrupt":
            priced = delivered(bell, vm, cpu)
        elif plan.tasks and bell.to != dom0.LOCAL:
            priced = dom0.of(site).delivered(bell)
        sender = senders[bell.name]
        if sender == DEVICE and moderation is not None:
            priced = replace(
                priced, rule="moderated", timer=moderation.timer, count=moderation.count
            )
        site.assembly.bell(
            names[bell.name],
            priced,
            to=names[bell.to],
            sender=names.get(sender, ""),
            expand=expand,
        )
    return names


def _seen_from(
    site: Site, vm: Vm, vcpu: str, queue: dict[str, str], cpu: CpuTechnique
) -> dict[str, str]:
    """Return what local names stand for on a vCPU that uses `queue`.

    Where another vCPU takes the interrupt, that one sends an interrupt on to the issuer's; a guest
    that polls there sees what it is for in memory, and none is sent.
    """
    names = queue | {"vcpu": vcpu}
    if vm.on_disk[0].completion == "poll":  # who submits sees it himself
        names |= {"handler": vcpu, "handler.interrupt": f"{vcpu}.interrupt"}
    elif queue["handler"] != vcpu:
        names[WAKE_UP] = f"{vcpu}.{WAKE_UP}"
        costs = {
            state: replace(cost, sender=(interprocessor("ipi"),))
            for state, cost in for_all(cpu.delivery(), vm).items()
        }
        if vm.guest_poll is not None:
            costs["polling"] = Ringing()
        bell = Bell(name=WAKE_UP, to="", rule="always", costs=costs, counts="ipis")
        site.assembly.bell(
            names[WAKE_UP],
            bell,
            to=f"{vcpu}.interrupt",
            sender=queue["handler"],
            expand=cpu.expand,
        )
    return names


def _add_job(
    site: Site,
    vm: Vm,
    job: str,
    names: Mapping[str, str],
    before: Path,
    plan: Plan,
    expand: Expand,
) -> None:
    """Add the requests of a job, with what it does `before` each."""
    _, load = vm.on_disk
    paths = {kind: (*before, *path) for kind, path in plan.paths.items()}
    if WAKE_UP in names:
        paths = {kind: _told(path) for kind, path in paths.items()}
    site.assembly.source(
        job,
        {kind: (share, paths[kind]) for kind, share in load.shares.items()},
        to=job,
        outstanding=load.outstanding if isinstance(load, ClosedLoad) else 0,
        think=load.think if isinstance(load, ClosedLoad) else None,
        gap=load.gap(),
        order=load.order,
        names=names,
        group=site.group(vm),
        expand=expand,
    )


def _told(path: Path) -> Path:
    """Return a path whose every way ends on the issuer's vCPU, which is told."""
    ways = tuple(
        replace(part, otherwise=_told(part.otherwise))
        if isinstance(part, Step) and part.otherwise
        else part
        for part in path[:-1]
    )
    return (*ways, ring(WAKE_UP), end())


def _guest(site: Site, vm: Vm) -> Guest:
    (disk, load), costs = vm.on_disk, site.costs
    user, kernel = load.cpu_user, load.cpu_kernel
    for key, given in (("native_user", user), ("native_kernel", kernel)):
        if given is not None:
            costs.used[f"{vm.name}.load.{key}"] = given
    kernel_ns = costs.ns("native_kernel") if kernel is None else kernel.base
    before = costs.share("submit_share")
    device = site.scenario.device[disk.device]
    costs.used[f"device.{disk.device}.channels"] = device.channels_quantity
    return Guest(
        user=costs.ns("native_user") if user is None else user.base,
        submit=kernel_ns * before,
        complete=kernel_ns * (1 - before),
        service={kind: device.service_of(kind) for kind in load.shares},
        transfer=0.0 if device.bandwidth is None else 1e9 * load.size_bytes / device.bandwidth,
        poll=disk.poll_ns,
        queues=disk.queues_on(vm.vcpus),
        threads=disk.threads_for(vm.vcpus),
        section=_section(load.lock),
        dma=on_iommu.dma_of(site, vm),
        polled=disk.completion == "poll",
        words=0 if disk.data in (None, "dma") else -(-load.size_bytes // 2),
        strings=disk.data == "pio-string",
        size=load.size_bytes,
        ring_pages=disk.ring_pages or 1,
        grants=disk.grants or "persistent",
        others=dom0.vcpus(site) - 1,
        batched=disk.submission == "batch",
    )


def delivered(bell: Bell, vm: Vm, cpu: CpuTechnique) -> Bell:
    """Return an interrupt's doorbell: the sender's cost is the disk's, the rest the CPU's."""
    return at_cost(bell, for_all(cpu.delivery(), vm), for_all(bell.costs, vm))


def _section(held: Section | None) -> Path:
    """Return what a request does under the guest's lock."""
    if held is None:
        return ()
    inside = work("vcpu", held.hold, "vcpu: critical section")
    return (lock(GUEST_LOCK, masked=False), inside, unlock(GUEST_LOCK))


def _senders(plan: Plan) -> dict[str, str]:
    """Return who rings each doorbell: the thread that holds the request, or who is none."""
    senders: dict[str, str] = {}
    tasks = {task.name: dom0.LOCAL for task in plan.tasks}
    to = {bell.name: tasks.get(bell.to, bell.to.removesuffix(".interrupt")) for bell in plan.bells}
    for path in plan.paths.values():
        _follow(path, "vcpu", senders, to)
    return senders


def _follow(path: Path, holder: str, senders: dict[str, str], to: Mapping[str, str]) -> None:
    for step in path:
        if isinstance(step, Spawn):
            _follow(step.path, ASIDE, senders, to)
        elif isinstance(step, Once):
            _follow(step.path, holder, senders, to)
        elif not isinstance(step, Step):
            continue
        elif step.kind == "ring":
            senders[step.where], holder = holder, to[step.where]
        elif step.kind == "serve":
            holder = DEVICE
