"""What only shows in the whole scenario: combinations, references, ranges that move together.

The checks read the raw tables, and skip what is missing or misspelt: that is reported elsewhere,
and a file's problems should come all at once.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf import catalog
from virtperf.errors import ParameterError
from virtperf.mechanism import isa
from virtperf.mechanism.privilege import deprivileged
from virtperf.scenario import devices, direct, net_checks, numbers, scheduling, spinning, split
from virtperf.scenario.arrivals import OWN_RATE, PACED
from virtperf.scenario.fields import choice_tail
from virtperf.scenario.raw import at as _at
from virtperf.scenario.raw import disks, disks_of, loads, loads_of, vms
from virtperf.technique import matrix

if TYPE_CHECKING:
    from virtperf.scenario.parts import Device

Tables = Mapping[str, Any]


def problems(data: Tables) -> list[str]:
    """Return what is wrong between the fields of a scenario, one sentence each."""
    return [
        *_platform(data),
        *numbers.problems(data),
        *devices.problems(data),
        *_workloads(data),
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
    for _, load, _ in loads(data):
        own: Any = load
        if isinstance(load.get("file"), str):
            own["file"] = str((folder / load["file"]).resolve())
        workload = load.get("workload")
        if isinstance(workload, str) and workload.endswith(".toml"):
            own["workload"] = str((folder / workload).resolve())
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
    return next((reason for _, reason in _forbidden(vm)), None)


def _forbidden(vm: Tables) -> Iterator[tuple[str | None, str]]:
    """Yield each disk technique of a VM, or None, that does not go with the rest, and why."""
    cpu, guest = _at(vm, "cpu", "technique"), vm.get("guest", "unmodified")
    memory, nic = _at(vm, "memory", "technique"), _at(vm, "nic", "technique")
    disks: dict[Any, None] = dict.fromkeys(
        str(one.table.get("technique")) for one in disks_of("", vm)
    )
    known = (
        (cpu, matrix.cpu_techniques()),
        (guest, matrix.GUESTS),
        (nic, (*matrix.nic_techniques(), None)),
        (memory, (*matrix.memory_techniques(), None)),
        *((disk, matrix.disk_techniques()) for disk in disks),
    )
    if any(choice not in legal for choice, legal in known):
        return
    for disk in disks or (None,):
        if reason := matrix.why_forbidden(cpu, guest, disk=disk, nic=nic, memory=memory):
            yield disk, reason


def _platform(data: Tables) -> Iterator[str]:
    platform = data.get("platform")
    if not isinstance(platform, str):
        return
    if platform.endswith(".toml"):
        if not Path(platform).is_file():
            yield f"platform must be a file that exists, got {platform!r}"
    elif platform not in (known := catalog.names("platforms")):
        yield f"platform{choice_tail(known, platform)}"


def _workloads(data: Tables) -> Iterator[str]:
    for address, load, _ in loads(data):
        workload = load.get("workload")
        if not isinstance(workload, str):
            continue
        if workload.endswith(".toml"):
            if not Path(workload).is_file():
                yield f"{address}.workload must be a file that exists, got {workload!r}"
        elif workload not in (known := catalog.names("workloads")):
            yield f"{address}.workload{choice_tail(known, workload)}"


def _names(data: Tables) -> Iterator[str]:
    seen: dict[object, str] = {}
    for address, vm in vms(data):
        name = str(vm.get("name", address.removeprefix("vm")))
        if name in seen:
            yield f"{address}.name must be unique, got {name!r}, which is also {seen[name]}"
        seen.setdefault(name, address)


def _devices(data: Tables) -> Iterator[str]:
    known = data.get("device")
    if not isinstance(known, Mapping):
        return
    for one in disks(data):
        device = one.table.get("device")
        if isinstance(device, str) and device not in known:
            yield f"{one.at}.device{choice_tail(known, device)}"


def _memory(data: Tables) -> Iterator[str]:
    """Yield where paging has no disk of that name, or no memory that is short."""
    known = data.get("device") or {}
    if not isinstance(known, Mapping):
        return
    owners = [("host", data.get("host"))]
    owners += [(f"{name}.memory", vm.get("memory")) for name, vm in vms(data)]
    for owner, table in owners:
        swap = _at(table, "swap")
        if isinstance(swap, str) and swap not in known:
            yield f"{owner}.swap{choice_tail(known, swap)}"
    for name, vm in vms(data):
        sized, asked = _at(vm, "memory", "size") is not None, [*loads_of(name, vm)]
        if sized and asked and not any("workload" in load for _, load in asked):
            yield f"{name}.memory.size must be left out unless load.workload is given"


def _combinations(data: Tables) -> Iterator[str]:
    for name, vm in vms(data):
        cpu, guest = _at(vm, "cpu", "technique"), vm.get("guest", "unmodified")
        for disk, reason in _forbidden(vm):
            others = {"memory": _at(vm, "memory", "technique"), "disk": disk}
            others["nic"] = _at(vm, "nic", "technique")
            named = "".join(f"{kind} {one}, " for kind, one in others.items() if one)
            yield f"{name} cannot combine cpu {cpu}, {named}guest {guest}: {reason}"


def _polls(data: Tables) -> Iterator[str]:
    """Yield where vCPUs are polled for though nobody can, or by two."""
    for name, vm in vms(data):
        cpu = _at(vm, "cpu", "technique")
        given = [one for one in ("halt_poll", "guest_poll") if vm.get(one) is not None]
        if cpu in matrix.HOSTLESS:
            why = f"under {cpu} there is no host to exit to"
            yield from (f"{name}.{field} must be left out: {why}" for field in given)
        elif len(given) == 2:
            why = "a guest that polls tells its hypervisor not to"
            yield f"{name}.halt_poll must be left out where guest_poll is given: {why}"


def _rings(data: Tables) -> Iterator[str]:
    """Yield where a guest's kernel is put into a ring that its ISA does not have for it."""
    for name, vm in vms(data):
        cpu, compiled = _at(vm, "cpu", "technique"), _at(vm, "cpu", "isa")
        ring, owner = _at(vm, "cpu", "ring"), f"{name}.cpu.ring"
        foreign = compiled in isa.names() and not str(compiled).startswith("x86")
        if foreign and cpu in matrix.cpu_techniques() and cpu not in matrix.EMULATION:
            emulators = ", ".join(matrix.EMULATION)
            says = "platforms are x86 machines, and only emulation runs another ISA"
            yield f"{name}.cpu.isa must be x86-32 or x86-64 under {cpu}: {says} ({emulators})"
        if ring is None:
            continue
        if cpu not in matrix.WITHOUT_PRIVILEGE:
            yield f"{owner} must be left out: under {cpu} a guest's kernel keeps its privilege"
        elif compiled is None:
            yield f"{owner} must come with cpu.isa, which says what rings there are"
        elif compiled in isa.names() and isinstance(ring, int):
            machine = isa.isa(compiled)
            try:
                deprivileged(machine, max(machine.kernel_bits), ring)
            except ParameterError as error:
                yield f"{owner} must be {error.must}, got {ring!r}"


def _rates(data: Tables) -> Iterator[str]:
    """Yield where the rate of an open load is said twice, or not at all."""
    for name, load, _ in loads(data):
        arrivals = load.get("arrivals") or PACED[0]
        if load.get("kind") != "open":
            continue
        rate = load.get("rate")
        kind = arrivals if isinstance(arrivals, str) else str(_at(arrivals, "kind"))
        if rate is None and kind in PACED:
            yield f"{name}.rate must be given"
        if rate is not None and (own := OWN_RATE.get(kind)):
            yield f"{name}.rate must be left out where arrivals.{own} say it, got {rate!r}"
