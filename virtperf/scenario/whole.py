"""What only shows in the whole scenario: combinations, references, ranges that move together.

The checks read the raw tables, and skip what is missing or misspelt: that is reported elsewhere,
and a file's problems should come all at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf import catalog
from virtperf.errors import ParameterError
from virtperf.mechanism import isa
from virtperf.mechanism.privilege import deprivileged
from virtperf.scenario import direct, net_checks, network, scheduling, spinning, split
from virtperf.scenario.arrivals import OWN_RATE, PACED
from virtperf.scenario.fields import choice_tail
from virtperf.technique import matrix

if TYPE_CHECKING:
    from virtperf.scenario.parts import Device

Tables = Mapping[str, Any]


def problems(data: Tables) -> list[str]:
    """Return what is wrong between the fields of a scenario, one sentence each."""
    return [
        *_platform(data),
        *_loads(data),
        *_names(data),
        *_devices(data),
        *_memory(data),
        *_combinations(data),
        *_polls(data),
        *_rings(data),
        *_rates(data),
        *scheduling.problems(data),
        *spinning.problems(data),
        *direct.problems(data),
        *split.problems(data),
        *net_checks.problems(data),
    ]


def beside(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the tables with the relative paths of a platform and of traces made absolute."""
    data = deepcopy(data)
    platform = data.get("platform")
    if isinstance(platform, str) and platform.endswith(".toml"):
        data["platform"] = str((folder / platform).resolve())
    for _, vm in _vms(data):
        if isinstance(_at(vm, "load", "file"), str):
            vm["load"]["file"] = str((folder / vm["load"]["file"]).resolve())
        workload = _at(vm, "load", "workload")
        if isinstance(workload, str) and workload.endswith(".toml"):
            vm["load"]["workload"] = str((folder / workload).resolve())
    return data


def ends(name: str, device: "Device") -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each end of the range of a device's channels, and the changes that move it there."""
    channels, scale = device.channels, device.service_scale
    for end, factor in ((channels.low, scale.low), (channels.high, scale.high)):
        if end is not None and end != channels.value:
            service = {
                direction: device.service_of(direction).scaled(factor).as_dict()
                for direction in ("read", "write")
            }
            yield (
                int(end),
                {f"device.{name}.channels": int(end), f"device.{name}.service": service},
            )


def forbidden(vm: Tables) -> str | None:
    """Return why a VM's techniques do not go together; None also where some are unreadable."""
    cpu, guest = _at(vm, "cpu", "technique"), vm.get("guest", "unmodified")
    disk, memory = _at(vm, "disk", "technique"), _at(vm, "memory", "technique")
    nic = _at(vm, "nic", "technique")
    known = (
        (cpu, matrix.cpu_techniques()),
        (guest, matrix.GUESTS),
        (disk, (*matrix.disk_techniques(), None)),
        (nic, (*matrix.nic_techniques(), None)),
        (memory, (*matrix.memory_techniques(), None)),
    )
    if any(choice not in legal for choice, legal in known):
        return None
    return matrix.why_forbidden(cpu, guest, disk=disk, nic=nic, memory=memory)


def _platform(data: Tables) -> Iterator[str]:
    platform = data.get("platform")
    if not isinstance(platform, str):
        return
    if platform.endswith(".toml"):
        if not Path(platform).is_file():
            yield f"platform must be a file that exists, got {platform!r}"
    elif platform not in (known := catalog.names("platforms")):
        yield f"platform{choice_tail(known, platform)}"


def _loads(data: Tables) -> Iterator[str]:
    """Yield where a VM has a disk or a NIC but no use for it, or the other way round."""
    for index, vm in _vms(data):
        kind = _at(vm, "load", "kind")
        work, net = kind == "work", kind in network.KINDS
        if (work or net) and "disk" in vm:
            yield f"vm[{index}].disk must be left out where load.kind is {kind}"
        elif not work and not net and "load" in vm and "disk" not in vm and "nic" not in vm:
            yield f"vm[{index}].disk must be given unless load.kind is work"
        if net and "nic" not in vm:
            yield f"vm[{index}].nic must be given where load.kind is {kind}"
        elif not net and "nic" in vm:
            yield f"vm[{index}].nic must be left out unless load.kind is {_any(network.KINDS)}"
        workload = _at(vm, "load", "workload")
        if not isinstance(workload, str):
            continue
        if workload.endswith(".toml"):
            if not Path(workload).is_file():
                yield f"vm[{index}].load.workload must be a file that exists, got {workload!r}"
        elif workload not in (known := catalog.names("workloads")):
            yield f"vm[{index}].load.workload{choice_tail(known, workload)}"


def _names(data: Tables) -> Iterator[str]:
    seen: dict[object, int] = {}
    for index, vm in _vms(data):
        name = str(vm.get("name", f"[{index}]"))
        if name in seen:
            yield f"vm[{index}].name must be unique, got {name!r}, which is also vm[{seen[name]}]"
        seen.setdefault(name, index)


def _devices(data: Tables) -> Iterator[str]:
    devices = data.get("device")
    if not isinstance(devices, Mapping):
        return
    for index, vm in _vms(data):
        device = _at(vm, "disk", "device")
        if isinstance(device, str) and device not in devices:
            yield f"vm[{index}].disk.device{choice_tail(devices, device)}"


def _memory(data: Tables) -> Iterator[str]:
    """Yield where paging has no disk of that name, or no memory that is short."""
    devices = data.get("device") or {}
    if not isinstance(devices, Mapping):
        return
    owners = [("host", data.get("host"))]
    owners += [(f"vm[{index}].memory", vm.get("memory")) for index, vm in _vms(data)]
    for owner, table in owners:
        swap = _at(table, "swap")
        if isinstance(swap, str) and swap not in devices:
            yield f"{owner}.swap{choice_tail(devices, swap)}"
    for index, vm in _vms(data):
        sized = _at(vm, "memory", "size") is not None
        if sized and "load" in vm and _at(vm, "load", "workload") is None:
            yield f"vm[{index}].memory.size must be left out unless load.workload is given"


def _combinations(data: Tables) -> Iterator[str]:
    for index, vm in _vms(data):
        cpu, disk = _at(vm, "cpu", "technique"), _at(vm, "disk", "technique")
        if reason := forbidden(vm):
            others = {"memory": _at(vm, "memory", "technique"), "disk": disk}
            others["nic"] = _at(vm, "nic", "technique")
            named = "".join(f"{kind} {name}, " for kind, name in others.items() if name)
            guest = vm.get("guest", "unmodified")
            yield f"vm[{index}] cannot combine cpu {cpu}, {named}guest {guest}: {reason}"
        yield from _queues(f"vm[{index}]", vm)
        yield from _threads(f"vm[{index}]", vm)


def _polls(data: Tables) -> Iterator[str]:
    """Yield where vCPUs are polled for though nobody can, or by two."""
    for index, vm in _vms(data):
        cpu = _at(vm, "cpu", "technique")
        given = [name for name in ("halt_poll", "guest_poll") if vm.get(name) is not None]
        if cpu in matrix.HOSTLESS:
            why = f"under {cpu} there is no host to exit to"
            yield from (f"vm[{index}].{name} must be left out: {why}" for name in given)
        elif len(given) == 2:
            why = "a guest that polls tells its hypervisor not to"
            yield f"vm[{index}].halt_poll must be left out where guest_poll is given: {why}"


def _rings(data: Tables) -> Iterator[str]:
    """Yield where a guest's kernel is put into a ring that its ISA does not have for it."""
    for index, vm in _vms(data):
        cpu, name = _at(vm, "cpu", "technique"), _at(vm, "cpu", "isa")
        ring, owner = _at(vm, "cpu", "ring"), f"vm[{index}].cpu.ring"
        foreign = name in isa.names() and not str(name).startswith("x86")
        if foreign and cpu in matrix.cpu_techniques() and cpu not in matrix.EMULATION:
            emulators = ", ".join(matrix.EMULATION)
            says = "platforms are x86 machines, and only emulation runs another ISA"
            yield f"vm[{index}].cpu.isa must be x86-32 or x86-64 under {cpu}: {says} ({emulators})"
        if ring is None:
            continue
        if cpu not in matrix.WITHOUT_PRIVILEGE:
            yield f"{owner} must be left out: under {cpu} a guest's kernel keeps its privilege"
        elif name is None:
            yield f"{owner} must come with cpu.isa, which says what rings there are"
        elif name in isa.names() and isinstance(ring, int):
            machine = isa.isa(name)
            try:
                deprivileged(machine, max(machine.kernel_bits), ring)
            except ParameterError as error:
                yield f"{owner} must be {error.must}, got {ring!r}"


def _rates(data: Tables) -> Iterator[str]:
    """Yield where the rate of an open load is said twice, or not at all."""
    for index, vm in _vms(data):
        load, arrivals = vm.get("load"), _at(vm, "load", "arrivals") or PACED[0]
        if _at(load, "kind") != "open":
            continue
        rate = _at(load, "rate")
        kind = arrivals if isinstance(arrivals, str) else str(_at(arrivals, "kind"))
        name = f"vm[{index}].load"
        if rate is None and kind in PACED:
            yield f"{name}.rate must be given"
        if rate is not None and (own := OWN_RATE.get(kind)):
            yield f"{name}.rate must be left out where arrivals.{own} say it, got {rate!r}"


def _queues(name: str, vm: Tables) -> Iterator[str]:
    """Yield what is wrong with a number of queues; more than vCPUs would never be used."""
    disk, queues, vcpus = (
        _at(vm, "disk", "technique"),
        _at(vm, "disk", "queues"),
        vm.get("vcpus", 1),
    )
    if not isinstance(queues, int) or not isinstance(vcpus, int):
        return
    most = matrix.queues(disk) if disk in matrix.disk_techniques() else 0
    if most and queues > most:
        yield f"{name}.disk.queues must be {most} for {disk}, got {queues}"
    elif queues > vcpus:
        yield f"{name}.disk.queues must be at most vcpus ({vcpus}), got {queues}"


def _threads(name: str, vm: Tables) -> Iterator[str]:
    """Yield what is wrong with the host threads of a disk; more than queues would never be used."""
    disk, vcpus = _at(vm, "disk", "technique"), vm.get("vcpus", 1)
    for field in matrix.CHOSEN:
        given, legal = _at(vm, "disk", field), matrix.disks_where(field)
        if given is None:
            continue
        if disk not in legal:
            yield f"{name}.disk.{field} must be left out unless disk.technique is {_any(legal)}"
        elif field != "poll" and isinstance(given, int) and isinstance(vcpus, int):
            queues = _at(vm, "disk", "queues") or vcpus
            if isinstance(queues, int) and given > queues:
                most = f"at most the disk's queues ({queues})"
                yield f"{name}.disk.{field} must be {most}, got {given}"


def _any(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _vms(data: Tables) -> Iterator[tuple[int, Tables]]:
    vms = data.get("vm")
    if isinstance(vms, list | tuple):
        yield from ((index, vm) for index, vm in enumerate(vms) if isinstance(vm, Mapping))


def _at(table: Any, *keys: str) -> Any:
    """Return the entry under nested keys, or None."""
    for key in keys:
        if not isinstance(table, Mapping):
            return None
        table = table.get(key)
    return table
