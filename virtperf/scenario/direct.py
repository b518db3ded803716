"""What a scenario asks of direct access, checked: who owns a device, and who protects the others.

Read from the raw tables; what is missing or misspelt is reported elsewhere.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.mechanism.iommu.assignment import Assignments
from virtperf.scenario.raw import RawDevice, disks
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
    known = matrix.disk_techniques()
    owned = [one for one in disks(data) if one.table.get("technique") in known]
    for one in owned:
        yield from _modes(one)
        yield from _fields(one)
        yield from _polled(one)
        yield from _interrupts(one)
    devices = data.get("device")
    if isinstance(devices, Mapping):
        tables = {str(name): device for name, device in devices.items() if _is_table(device)}
        yield from _owners(tables, owned)
        for name, device in tables.items():
            yield from _functions(name, device, owned)


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


def _modes(one: RawDevice) -> Iterator[str]:
    """Yield where an IOMMU is used as nobody can, or is needed and not there."""
    vm, disk = one.vm, one.table
    technique, mode = disk["technique"], disk.get("iommu")
    legal, guest = matrix.iommu_modes(technique), vm.get("guest", "unmodified")
    cpu = vm["cpu"].get("technique") if _is_table(vm.get("cpu")) else None
    machine = guest == "ported" and cpu in matrix.KNOWS_MACHINE
    if mode is None:
        return
    if not legal:
        why = "the host's own driver does its DMA"
        yield f"{one.at}.iommu must be left out under {technique}: {why}"
    elif isinstance(mode, str) and mode not in legal:
        why = "only an IOMMU that it sees takes a guest's own maps"
        if technique not in matrix.GIVEN:
            why = "there is no guest"
        yield (
            f"{one.at}.iommu must be one of {', '.join(legal)} under {technique}, got "
            f"{mode!r}: {why}"
        )
    elif technique in matrix.GIVEN and mode == "none" and not machine:
        who = f"guest {guest}" if guest == "unmodified" else f"cpu {cpu}, even ported"
        yield (
            f"{one.at}.iommu must not be none under {technique} with {who}: its driver gives "
            "the device guest-physical addresses, which without an IOMMU are taken for the "
            "machine's, so that DMA ends in somebody else's memory"
        )
    elif machine and isinstance(mode, str) and mode.startswith("viommu"):
        yield (
            f"{one.at}.iommu must not be {mode} with cpu {cpu}: its guest knows machine "
            "addresses, and the hypervisor maps by the types of pages; no IOMMU is emulated for it"
        )


def _polled(one: RawDevice) -> Iterator[str]:
    """Yield where a driver that looks for one request at a time shall have several under way."""
    load = one.load
    if one.table.get("completion") != "poll" or not load:
        return
    if load.get("kind") != "closed" or load.get("outstanding", 1) != 1:
        why = "a vCPU that looks until a request is done submits no other meanwhile"
        yield f"{one.load_at} must be closed with outstanding 1 under disk.completion poll: {why}"


def _fields(one: RawDevice) -> Iterator[str]:
    for field, legal in FIELDS.items():
        if one.table.get(field) is not None and one.table["technique"] not in legal:
            which = " or ".join(legal)
            yield f"{one.at}.{field} must be left out unless disk.technique is {which}"


def _interrupts(one: RawDevice) -> Iterator[str]:
    """Yield where interrupts are to be posted to vCPUs that take none."""
    vm, disk = one.vm, one.table
    cpu = vm["cpu"].get("technique") if _is_table(vm.get("cpu")) else None
    known = cpu in matrix.cpu_techniques() and disk["technique"] in matrix.GIVEN
    if disk.get("posted") is True and known and cpu not in matrix.TAKES_POSTED:
        why = "its interrupts come from the hypervisor, in software"
        yield f"{one.at}.posted must be false or left out under cpu {cpu}: {why}"


def _owners(devices: Mapping[str, Any], disks: list[RawDevice]) -> Iterator[str]:
    """Yield where a device, or a group that cannot be told apart, has two owners."""
    groups = {
        name: str(device.get("group") or f"group of {name}") for name, device in devices.items()
    }
    owned = Assignments(groups)
    whole = {d.table.get("device"): d for d in reversed(disks) if _is_whole(d)}
    for one in disks:
        device, count = one.table.get("device"), one.vm.get("count", 1)
        function = one.table["technique"] == "sriov"
        if device not in groups or (device in whole and function):
            continue
        if _is_whole(one) and isinstance(count, int) and count > 1:
            yield (
                f"{one.name}.count must be 1 with disk.technique passthrough, got {count}: a "
                "device has one owner, and sriov is what shares it"
            )
        if _is_whole(one) and whole[device] is not one and whole[device].name == one.name:
            yield f"{one.at}.device must not be {device}: {whole[device].at} is all of it"
        owner = one.name if _is_whole(one) else HOST
        if owner == HOST and function:
            continue  # a function has a group of its own
        if owned.owners.get(device) == HOST == owner:
            continue
        try:
            owned.assign(device, owner)
        except (ParameterError, UnknownNameError):
            yield _twice(one.at, device, owner, groups, owned.owners)
    for one in disks:
        device = one.table.get("device")
        if one.table["technique"] == "sriov" and device in whole:
            yield (
                f"{one.at}.device must not be {device}: it is passed through as a whole, and "
                "the physical function that makes virtual ones is gone with it"
            )


def _is_whole(one: RawDevice) -> bool:
    return bool(one.table["technique"] == "passthrough")


def _twice(
    at: str, device: str, owner: str, groups: Mapping[str, str], owners: Mapping[str, str]
) -> str:
    mates = [mate for mate in owners if groups[mate] == groups[device]]
    mate = device if device in mates else mates[0]
    why = "a device has one owner"
    if mate != device:
        why = f"the group of {device} and {mate} goes to one owner as a whole"
    return f"{at}.device must not be {device}, for {owners[mate]} has {mate}: {why}"


def _functions(name: str, device: Mapping[str, Any], disks: list[RawDevice]) -> Iterator[str]:
    """Yield where a device has fewer virtual functions, or queues of one, than are asked for."""
    asked = 0
    vfs, queues = device.get("vfs"), device.get("vf_queues")
    for one in disks:
        if one.table["technique"] != "sriov" or one.table.get("device") != name:
            continue
        count, own = one.vm.get("count", 1), one.table.get("queues")
        asked += count if isinstance(count, int) else 1
        if isinstance(own, int) and isinstance(queues, int) and own > queues:
            yield f"{one.at}.queues must be at most device.{name}.vf_queues ({queues}), got {own}"
    if asked and vfs is None:
        yield f"device.{name}.vfs must be given: {asked} virtual functions of it are asked for"
    elif isinstance(vfs, int) and asked > vfs:
        yield f"device.{name}.vfs must be at least {asked}, as many as VMs with sriov, got {vfs}"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)
