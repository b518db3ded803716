"""VMs that use a disk: vCPUs, the technique's threads, queues with their doorbells, and jobs."""

from collections.abc import Mapping
from dataclasses import replace

from virtperf.assembly.laying import Expand
from virtperf.build import dom0, on_iommu
from virtperf.build.machine import Machine, add_spinlock
from virtperf.build.polling import at_cost, for_all
from virtperf.build.site import Site
from virtperf.path import (
    Bell,
    Once,
    Path,
    Ringing,
    Spawn,
    Step,
    continued,
    end,
    interprocessor,
    lock,
    ring,
    unlock,
    work,
)
from virtperf.scenario import ClosedLoad, OnDisk, Section, Vm
from virtperf.technique.cpu import CpuTechnique
from virtperf.technique.io import Guest, Plan, disk_plan

GUEST_LOCK, WAKE_UP = "guest lock", "wake-up"
DEVICE, ASIDE = "the device", "a side path"  # who rings a doorbell, if no worker does


class Attached:
    """A disk of a copy of a VM, with its threads, its stations, and queues with their doorbells.

    Parameters
    ----------
    machine : Machine
    use : OnDisk

    Attributes
    ----------
    plan : Plan
    expand : callable
        Expands the transitions of its paths.
    """

    def __init__(self, machine: Machine, use: OnDisk) -> None:
        site, vm, cpu = machine.site, machine.vm, machine.cpu
        self._machine, self._use = machine, use
        self.plan = plan = disk_plan(use.disk.technique, _guest(site, use), site.costs)
        self.expand = dom0.of(site).expanding(cpu) if plan.tasks else cpu.expand
        scope, self._first = machine.scope(use.at), machine.next_device()
        threads = _add_threads(machine, use, plan, scope)
        for called in plan.stations:
            site.assembly.station(f"{scope}.{called}", 1, called=called)
        for called in plan.spinlocks:
            machine.add_spinlock(called)
        if use.load.lock is not None:
            _add_guest_lock(site, f"{scope}.{GUEST_LOCK}", use.load.lock.discipline)
        most = on_iommu.most_queues(site, use.disk) or vm.vcpus
        self._queues = [
            _add_queue(
                machine, use, (self._first + number) % vm.vcpus, number, threads, plan, self.expand
            )
            for number in range(min(most, use.disk.queues_on(vm.vcpus)))
        ]
        self._seen: dict[int, dict[str, str]] = {}

    def seen_from(self, vcpu: int) -> dict[str, str]:
        """Return what local names stand for on a vCPU, by its number, and the queue it uses."""
        if vcpu not in self._seen:
            vcpus = self._machine.vcpus
            queue = self._queues[(vcpu - self._first) % len(vcpus) % len(self._queues)]
            self._seen[vcpu] = _seen_from(self._machine, self._use, vcpus[vcpu], queue)
        return self._seen[vcpu]


def add(machine: Machine, use: OnDisk) -> None:
    """Add a disk and the jobs that use it."""
    disk, vm, units = Attached(machine, use), machine.vm, machine.units
    if use.load.workload is None:
        units = None
    plug = machine.site.costs.count("plug_requests") if use.disk.submission == "batch" else 0
    for _ in range(use.load.jobs):
        job, number = machine.next_job()
        on = number % vm.vcpus
        machine.site.assembly.task(job, machine.vcpus[on], batch=plug)
        own = units.names(job, number) if units is not None else {}
        before = units.unit[:-1] if units is not None else ()
        _add_job(machine.site, use, job, disk.seen_from(on) | own, before, disk)


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


def _add_threads(machine: Machine, use: OnDisk, plan: Plan, scope: str) -> dict[str, list[str]]:
    """Add what serves the disk; return the names of equal threads by their local name."""
    for called in plan.locks:
        machine.add_mutex(called)
    shared = use.disk.iothread or ""
    return {
        thread.name: [
            machine.add_thread(thread, number, scope, shared) for number in range(thread.count)
        ]
        for thread in plan.threads
    }


def _add_queue(
    machine: Machine,
    use: OnDisk,
    on: int,
    number: int,
    threads: Mapping[str, list[str]],
    plan: Plan,
    expand: Expand,
) -> dict[str, str]:
    """Add a queue of the disk, whose completion interrupts the vCPU number `on` takes.

    Return what local names stand for there.
    """
    site, disk, name = machine.site, use.disk, machine.name
    handler, scope = machine.vcpus[on], machine.scope(use.at)
    queue = handler if scope == name else f"{handler}.{use.at}"
    names = {"handler": handler, "handler.interrupt": f"{handler}.interrupt", "vcpu": handler}
    names |= {"device": disk.device, "link": f"{disk.device}.link"}
    names |= {local: called[number % len(called)] for local, called in threads.items()}
    names |= {called: f"{name}.{called}" for called in (*plan.locks, *plan.spinlocks)}
    names |= {called: f"{scope}.{called}" for called in (*plan.stations, GUEST_LOCK)}
    names |= on_iommu.local_names(site, disk)
    for called in plan.queue_locks:
        names[called] = f"{queue}.{called}"
        add_spinlock(site, names[called], called)
    if plan.tasks:
        names |= dom0.of(site).place(queue, plan.tasks)
    if plan.slots is not None:
        names[plan.slots.name] = f"{queue}.{plan.slots.name}"
        site.assembly.credit(names[plan.slots.name], plan.slots.count, called=plan.slots.name)
    senders = _senders(plan)
    moderation = site.scenario.device[disk.device].moderation
    for bell in plan.bells:
        names[bell.name] = f"{queue}.{bell.name}"
        priced = bell
        if bell.to == "handler.interrupt":
            priced = delivered(bell, machine.vm, machine.cpu)
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


def _seen_from(machine: Machine, use: OnDisk, vcpu: str, queue: dict[str, str]) -> dict[str, str]:
    """Return what local names stand for on a vCPU that uses `queue`.

    Where another vCPU takes the interrupt, that one sends an interrupt on to the issuer's; a guest
    that polls there sees what it is for in memory, and none is sent.
    """
    vm, cpu, names = machine.vm, machine.cpu, queue | {"vcpu": vcpu}
    if use.disk.completion == "poll":  # who submits sees it himself
        names |= {"handler": vcpu, "handler.interrupt": f"{vcpu}.interrupt"}
    elif queue["handler"] != vcpu:
        of = "" if machine.scope(use.at) == machine.name else f"{use.at}."
        names[WAKE_UP] = f"{vcpu}.{of}{WAKE_UP}"
        costs = {
            state: replace(cost, sender=(interprocessor("ipi"),))
            for state, cost in for_all(cpu.delivery(), vm).items()
        }
        if vm.guest_poll is not None:
            costs["polling"] = Ringing()
        bell = Bell(name=WAKE_UP, to="", rule="always", costs=costs, counts="ipis")
        machine.site.assembly.bell(
            names[WAKE_UP],
            bell,
            to=f"{vcpu}.interrupt",
            sender=queue["handler"],
            expand=cpu.expand,
        )
    return names


def _add_job(
    site: Site, use: OnDisk, job: str, names: Mapping[str, str], before: Path, disk: Attached
) -> None:
    """Add the requests of a job, with what it does `before` each."""
    load = use.load
    paths = {kind: (*before, *path) for kind, path in disk.plan.paths.items()}
    if WAKE_UP in names:
        paths = {kind: told(path) for kind, path in paths.items()}
    site.assembly.source(
        job,
        {kind: (share, paths[kind]) for kind, share in load.shares.items()},
        to=job,
        outstanding=load.outstanding if isinstance(load, ClosedLoad) else 0,
        think=load.think if isinstance(load, ClosedLoad) else None,
        gap=load.gap(),
        order=load.order,
        names=names,
        group=site.group(use.vm, use.at),
        expand=disk.expand,
    )


def told(path: Path) -> Path:
    """Return a path whose every way ends on the issuer's vCPU, which is told."""
    return continued(path, (ring(WAKE_UP), end()))


def _guest(site: Site, use: OnDisk) -> Guest:
    vm, disk, load, costs = use.vm, use.disk, use.load, site.costs
    user, kernel = load.cpu_user, load.cpu_kernel
    for key, given in (("native_user", user), ("native_kernel", kernel)):
        if given is not None:
            costs.used[f"{use.address}.{key}"] = given
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
        dma=on_iommu.dma_of(site, use),
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
