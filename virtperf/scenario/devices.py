"""What a VM has of disks and interfaces, checked: each has one load; queues, threads, channels.

Read from the raw tables; what is missing or misspelt is reported elsewhere.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from virtperf.scenario import network
from virtperf.scenario.raw import RawDevice, Table, at, devices_of, disks_of, loads_of, vms
from virtperf.technique import matrix

OF_DISK = ("closed", "open", "trace")
MOST_IDE = 2
"""Channels of an IDE controller; a disk is modelled as the only one on its channel."""
MOST_VCPUS = 16_384
"""Of all VMs together: 16 for each pCPU of the largest host, four times what vSphere 7 allows."""
MOST_REQUESTS = 1 << 20
"""Under way in all VMs together: a run keeps each, and theory counts up to their number."""


def problems(data: Table) -> Iterator[str]:
    """Yield what is wrong, one sentence each."""
    yield from _totals(data)
    for name, vm in vms(data):
        yield from _loads(name, vm)
        yield from _blocks(name, vm)
        yield from _workloads(name, vm)
        yield from _shared_threads(name, vm)
        yield from _channels(name, vm)
        yield from _hypervisors(name, vm)
        for one in disks_of(name, vm):
            yield from _queues(one)
            yield from _threads(one)


def _totals(data: Table) -> Iterator[str]:
    """Yield where VMs are more together than can be run, though each of them could be."""
    vcpus = requests = 0
    for name, vm in vms(data):
        copies = _whole(vm.get("count", 1))
        vcpus += copies * _whole(vm.get("vcpus", 1))
        for _, load in loads_of(name, vm):
            deep = load.get("outstanding", load.get("window", 1))
            requests += copies * _whole(load.get("jobs", 1)) * _whole(deep)
    if vcpus > MOST_VCPUS:
        yield f"vm.count and vm.vcpus must make at most {MOST_VCPUS:,} vCPUs, got {vcpus:,}"
    if requests > MOST_REQUESTS:
        must = f"at most {MOST_REQUESTS:,} requests under way"
        yield f"vm.count, load.jobs and load.outstanding must make {must}, got {requests:,}"


def _whole(value: Any) -> int:
    """Return a number of a scenario; 0 if it is none, or out of range, which others report."""
    return value if isinstance(value, int) and 0 < value <= MOST_REQUESTS else 0


def _loads(name: str, vm: Table) -> Iterator[str]:
    """Yield where a VM has a device but no use for it, or the other way round."""
    kind, devices = at(vm, "load", "kind"), {one.at: one for one in devices_of(name, vm)}
    own = {address for address, one in devices.items() if one.table.get("load") is not None}
    for address in devices:
        if "disks[" in address and address not in own:
            yield f"{address}.load must be given: each of several disks has its own"
    idle = [a for a in (f"{name}.disk", f"{name}.nic") if a in devices and a not in own]
    if "load" not in vm:
        waiting = [a for a in idle if not (a.endswith("disk") and _block_at(name, vm))]
        if waiting or not devices:
            either = f", or {waiting[0].removeprefix(f'{name}.')}.load" if own and waiting else ""
            yield f"{name}.load must be given{either}"
    elif kind in OF_DISK:
        yield from _wants(name, vm, "disk", kind, own)
    elif kind in network.KINDS:
        yield from _wants(name, vm, "nic", kind, own)
    if kind not in (*OF_DISK, *network.KINDS, "work"):
        return
    if f"{name}.disk" in idle and kind not in OF_DISK and not _block_at(name, vm):
        yield f"{name}.disk must be left out where load.kind is {kind}, or have a load of its own"
    if f"{name}.nic" in idle and kind not in network.KINDS:
        legal = any_of(network.KINDS)
        yield f"{name}.nic must be left out unless load.kind is {legal}, or have a load of its own"


def _wants(name: str, vm: Table, device: str, kind: str, own: Iterable[str]) -> Iterator[str]:
    if device not in vm:
        yield f"{name}.{device} must be given where load.kind is {kind}"
    elif f"{name}.{device}" in own:
        yield f"{name}.load must be no {device}'s where {device}.load is given, got kind {kind}"


def _block_at(name: str, vm: Table) -> str:
    """Return the address of the load that reads blocks of a VM's disk; "" if none does."""
    for address, load in loads_of(name, vm):
        if load.get("kind") == "server" and load.get("block") is not None:
            return address
    return ""


def _blocks(name: str, vm: Table) -> Iterator[str]:
    """Yield where a server has no disk to read, or one that is somebody else's."""
    address = _block_at(name, vm)
    if not address:
        return
    if "disk" not in vm:
        yield f"{address}.block must be left out where the VM has no disk (vm.disk) to read"
    elif at(vm, "disk", "load") is not None:
        why = f"{address} reads it; another load of the same device is one of disks"
        yield f"{name}.disk.load must be left out: {why}"


def _workloads(name: str, vm: Table) -> Iterator[str]:
    given = [address for address, load in loads_of(name, vm) if load.get("workload") is not None]
    for address in given[1:]:
        why = f"{given[0]} computes, and vCPUs are built for one workload"
        yield f"{address}.workload must be left out: {why}"


def _queues(one: RawDevice) -> Iterator[str]:
    """Yield what is wrong with a number of queues; more than vCPUs would never be used."""
    disk, queues, vcpus = one.table.get("technique"), one.table.get("queues"), _vcpus(one.vm)
    if not isinstance(queues, int) or not isinstance(vcpus, int):
        return
    most = matrix.queues(disk) if disk in matrix.disk_techniques() else 0
    if most and queues > most:
        yield f"{one.at}.queues must be {most} for {disk}, got {queues}"
    elif queues > vcpus:
        yield f"{one.at}.queues must be at most vcpus ({vcpus}), got {queues}"


def _threads(one: RawDevice) -> Iterator[str]:
    """Yield what is wrong with the host threads of a disk; more than queues would never be used."""
    disk, vcpus = one.table.get("technique"), _vcpus(one.vm)
    for field in matrix.CHOSEN:
        given, legal = one.table.get(field), matrix.disks_where(field)
        if given is None:
            continue
        if disk not in legal:
            yield f"{one.at}.{field} must be left out unless disk.technique is {any_of(legal)}"
        elif field != "poll" and isinstance(given, int) and isinstance(vcpus, int):
            queues = one.table.get("queues") or vcpus
            if isinstance(queues, int) and given > queues:
                most = f"at most the disk's queues ({queues})"
                yield f"{one.at}.{field} must be {most}, got {given}"


def _shared_threads(name: str, vm: Table) -> Iterator[str]:
    """Yield where a thread of some disks is none, or cannot be the same for all of them."""
    legal, first = matrix.disks_where("iothreads"), dict[Any, RawDevice]()
    for one in disks_of(name, vm):
        thread, disk = one.table.get("iothread"), one.table
        if thread is None:
            continue
        if disk.get("technique") not in legal:
            yield f"{one.at}.iothread must be left out unless disk.technique is {any_of(legal)}"
        if disk.get("iothreads") is not None:
            yield f"{one.at}.iothreads must be left out where iothread names the only one"
        mate = first.setdefault(thread, one)
        for field in ("technique", "poll"):
            if mate.table.get(field) != disk.get(field):
                yield (
                    f"{one.at}.{field} must be that of {mate.at}, for they share the I/O thread "
                    f"{thread}, got {disk.get(field)!r}"
                )


def _channels(name: str, vm: Table) -> Iterator[str]:
    ide = [one.at for one in disks_of(name, vm) if one.table.get("technique") == "emulated-ide"]
    if len(ide) > MOST_IDE:
        why = f"an IDE controller has {MOST_IDE} channels, and each disk here is alone on its own"
        yield f"{ide[MOST_IDE]}.technique must be another than emulated-ide: {why}"


def _hypervisors(name: str, vm: Table) -> Iterator[str]:
    """Yield where a VM has split drivers and back ends of KVM's: it has one hypervisor."""
    used = {one.at: one.table.get("technique") for one in devices_of(name, vm)}
    split = [at for at, technique in used.items() if technique in matrix.SPLIT]
    both = (*matrix.SPLIT, *matrix.GIVEN)
    known = (*matrix.disk_techniques(), *matrix.nic_techniques())
    for address, technique in used.items():
        if split and technique in known and technique not in both:
            why = (
                f"{used[split[0]]} ({split[0]}) needs Xen, whose driver domain has no such back end"
            )
            yield f"{address}.technique must be one of {', '.join(both)}, got {technique}: {why}"


def _vcpus(vm: Table) -> Any:
    return vm.get("vcpus", 1)


def any_of(names: Iterable[str]) -> str:
    """Return names as a choice in words."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
