"""Raw tables of a scenario, before they are known to be right: its VMs, their devices and loads.

What is no table is passed over: the models report it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Table = Mapping[str, Any]


class RawDevice(NamedTuple):
    """A disk or an interface of a VM.

    Attributes
    ----------
    name : str
        Address of the VM.
    at : str
        Address of the device: ``vm[0].disk``, ``vm[0].disks[1]``, ``vm[0].nic``.
    vm, table : mapping
    load : mapping
        What is asked of it; empty if nothing is, or another device has it.
    load_at : str
        Address of the load.
    """

    name: str
    at: str
    vm: Table
    table: Table
    load: Table
    load_at: str


def vms(data: Table) -> Iterator[tuple[str, Table]]:
    """Yield each VM and its address."""
    found = data.get("vm")
    if isinstance(found, list | tuple):
        yield from ((f"vm[{i}]", vm) for i, vm in enumerate(found) if isinstance(vm, Mapping))


def at(table: Any, *keys: str) -> Any:
    """Return the entry under nested keys, or None."""
    for key in keys:
        if not isinstance(table, Mapping):
            return None
        table = table.get(key)
    return table


def disks(data: Table) -> Iterator[RawDevice]:
    """Yield each disk of each VM."""
    for name, vm in vms(data):
        yield from disks_of(name, vm)


def disks_of(name: str, vm: Table) -> Iterator[RawDevice]:
    """Yield each disk of a VM."""
    if isinstance(vm.get("disk"), Mapping):
        yield _device(name, "disk", vm, vm["disk"])
    several = vm.get("disks")
    for number, disk in enumerate(several if isinstance(several, list | tuple) else ()):
        if isinstance(disk, Mapping):
            yield _device(name, f"disks[{number}]", vm, disk)


def devices_of(name: str, vm: Table) -> Iterator[RawDevice]:
    """Yield each disk of a VM, and its interface."""
    yield from disks_of(name, vm)
    if isinstance(vm.get("nic"), Mapping):
        yield _device(name, "nic", vm, vm["nic"])


def loads_of(name: str, vm: Table) -> Iterator[tuple[str, Table]]:
    """Yield each load of a VM, its own and those of its devices, and its address."""
    if isinstance(vm.get("load"), Mapping):
        yield f"{name}.load", vm["load"]
    for one in devices_of(name, vm):
        if isinstance(one.table.get("load"), Mapping):
            yield f"{one.at}.load", one.table["load"]


def loads(data: Table) -> Iterator[tuple[str, Table, Table]]:
    """Yield each load, its address and its VM."""
    for name, vm in vms(data):
        yield from ((address, load, vm) for address, load in loads_of(name, vm))


def _device(name: str, field: str, vm: Table, table: Table) -> RawDevice:
    own = table.get("load")
    load, load_at = (vm.get("load"), f"{name}.load")
    if own is not None or field.startswith("disks"):
        load, load_at = own, f"{name}.{field}.load"
    return RawDevice(
        name, f"{name}.{field}", vm, table, load if isinstance(load, Mapping) else {}, load_at
    )
