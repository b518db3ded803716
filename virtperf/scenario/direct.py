"""What a scenario asks of direct access, checked: who owns a device, and who protects the others.

Read from the raw tables; what is missing or misspelt is reported elsewhere.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.mechanism.iommu.assignment import Assignments
from virtperf.technique import matrix

HOST = "the host"
FIELDS = {
    "posted": matrix.GIVEN,
    "vf_bandwidth": ("sriov",),
    "buffers": matrix.DIRECT,
    "completion": matrix.DIRECT,
    "data": ("native", "emulated-ide"),
}
"""Fields of a disk, and the techniques that know them."""


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, one sentence each."""
    vms = [vm for vm in _vms(data) if vm[2].get("technique") in matrix.disk_techniques()]
    for name, vm, disk in vms:
        yield from _modes(name, vm, disk)
        yield from _fields(name, disk)
        yield from _polled(name, vm, disk)
        yield from _interrupts(name, vm, disk)
    devices = data.get("device")
    if isinstance(devices, Mapping):
        known = {str(name): device for name, device in devices.items() if _is_table(device)}
        yield from _owners(known, vms)
        for name, device in known.items():
            yield from _functions(name, device, vms)


def follow(disk: dict[str, Any]) -> None:
    """Take out of a disk's table what its technique, a new one, knows nothing of."""
    technique = disk.get("technique")
    if technique not in matrix.disk_techniques():
        return
    if disk.get("iommu") not in matrix.iommu_modes(technique):
        disk.pop("iommu", None)
    for field, legal in FIELDS.items():
        if technique not in legal:
            disk.pop(field, None)


def _modes(name: str, vm: Mapping[str, Any], disk: Mapping[str, Any]) -> Iterator[str]:
    """Yield where an IOMMU is used as nobody can, or is needed and not there."""
    technique, mode = disk["technique"], disk.get("iommu")
    legal, guest = matrix.iommu_modes(technique), vm.get("guest", "unmodified")
    cpu = vm["cpu"].get("technique") if _is_table(vm.get("cpu")) else None
    machine = guest == "ported" and cpu in matrix.KNOWS_MACHINE
    if mode is None:
        return
    if not legal:
        why = "the host's own driver does its DMA"
        yield f"{name}.disk.iommu must be left out under {technique}: {why}"
    elif isinstance(mode, str) and mode not in legal:
        why = "only an IOMMU that it sees takes a guest's own maps"
        if technique not in matrix.GIVEN:
            why = "there is no guest"
        yield (
            f"{name}.disk.iommu must be one of {', '.join(legal)} under {technique}, got "
            f"{mode!r}: {why}"
        )
    elif technique in matrix.GIVEN and mode == "none" and not machine:
        who = f"guest {guest}" if guest == "unmodified" else f"cpu {cpu}, even ported"
        yield (
            f"{name}.disk.iommu must not be none under {technique} with {who}: its driver gives "
            "the device guest-physical addresses, which without an IOMMU are taken for the "
            "machine's, so that DMA ends in somebody else's memory"
        )
    elif machine and isinstance(mode, str) and mode.startswith("viommu"):
        yield (
            f"{name}.disk.iommu must not be {mode} with cpu {cpu}: its guest knows machine "
            "addresses, and the hypervisor maps by the types of pages; no IOMMU is emulated for it"
        )


def _polled(name: str, vm: Mapping[str, Any], disk: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a driver that looks for one request at a time shall have several under way."""
    load: Any = vm.get("load")
    if disk.get("completion") != "poll" or not _is_table(load):
        return
    if load.get("kind") != "closed" or load.get("outstanding", 1) != 1:
        why = "a vCPU that looks until a request is done submits no other meanwhile"
        yield f"{name}.load must be closed with outstanding 1 under disk.completion poll: {why}"


def _fields(name: str, disk: Mapping[str, Any]) -> Iterator[str]:
    for field, legal in FIELDS.items():
        if disk.get(field) is not None and disk["technique"] not in legal:
            one = " or ".join(legal)
            yield f"{name}.disk.{field} must be left out unless disk.technique is {one}"


def _interrupts(name: str, vm: Mapping[str, Any], disk: Mapping[str, Any]) -> Iterator[str]:
    """Yield where interrupts are to be posted to vCPUs that take none."""
    cpu = vm["cpu"].get("technique") if _is_table(vm.get("cpu")) else None
    known = cpu in matrix.cpu_techniques() and disk["technique"] in matrix.GIVEN
    if disk.get("posted") is True and known and cpu not in matrix.TAKES_POSTED:
        why = "its interrupts come from the hypervisor, in software"
        yield f"{name}.disk.posted must be false or left out under cpu {cpu}: {why}"


def _owners(devices: Mapping[str, Any], vms: list[Any]) -> Iterator[str]:
    """Yield where a device, or a group that cannot be told apart, has two owners."""
    groups = {
        name: str(device.get("group") or f"group of {name}") for name, device in devices.items()
    }
    owned = Assignments(groups)
    whole = {disk.get("device") for _, _, disk in vms if disk["technique"] == "passthrough"}
    for name, vm, disk in vms:
        device, count = disk.get("device"), vm.get("count", 1)
        if device not in groups or (device in whole and disk["technique"] == "sriov"):
            continue
        alone = disk["technique"] == "passthrough"
        if alone and isinstance(count, int) and count > 1:
            yield (
                f"{name}.count must be 1 with disk.technique passthrough, got {count}: a device "
                "has one owner, and sriov is what shares it"
            )
        owner = name if alone else HOST
        if owner == HOST and disk["technique"] == "sriov":
            continue  # a function has a group of its own
        if owned.owners.get(device) == HOST == owner:
            continue
        try:
            owned.assign(device, owner)
        except (ParameterError, UnknownNameError):
            yield _twice(name, device, owner, groups, owned.owners)
    for name, _, disk in vms:
        device = disk.get("device")
        if disk["technique"] == "sriov" and device in whole:
            yield (
                f"{name}.disk.device must not be {device}: it is passed through as a whole, and "
                "the physical function that makes virtual ones is gone with it"
            )


def _twice(
    name: str, device: str, owner: str, groups: Mapping[str, str], owners: Mapping[str, str]
) -> str:
    mates = [mate for mate in owners if groups[mate] == groups[device]]
    mate = device if device in mates else mates[0]
    why = "a device has one owner"
    if mate != device:
        why = f"the group of {device} and {mate} goes to one owner as a whole"
    return f"{name}.disk.device must not be {device}, for {owners[mate]} has {mate}: {why}"


def _functions(name: str, device: Mapping[str, Any], vms: list[Any]) -> Iterator[str]:
    """Yield where a device has fewer virtual functions, or queues of one, than are asked for."""
    asked = 0
    vfs, queues = device.get("vfs"), device.get("vf_queues")
    for vm_name, vm, disk in vms:
        if disk["technique"] != "sriov" or disk.get("device") != name:
            continue
        count, own = vm.get("count", 1), disk.get("queues")
        asked += count if isinstance(count, int) else 1
        if isinstance(own, int) and isinstance(queues, int) and own > queues:
            yield (
                f"{vm_name}.disk.queues must be at most device.{name}.vf_queues ({queues}), "
                f"got {own}"
            )
    if asked and vfs is None:
        yield f"device.{name}.vfs must be given: {asked} virtual functions of it are asked for"
    elif isinstance(vfs, int) and asked > vfs:
        yield f"device.{name}.vfs must be at least {asked}, as many as VMs with sriov, got {vfs}"


def _vms(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    vms = data.get("vm")
    if not isinstance(vms, list | tuple):
        return
    for index, vm in enumerate(vms):
        if _is_table(vm) and _is_table(vm.get("disk")):
            yield f"vm[{index}]", vm, vm["disk"]


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)
