"""Addresses of a scenario's fields: ``vm[0].disk.poll``, ``vm.count`` for all VMs."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, get_args

from pydantic import BaseModel

from virtperf.errors import UnknownNameError
from virtperf.scenario import direct, emit, net_checks, numbers, profiles, split, whole
from virtperf.technique import matrix

_PART = re.compile(r"([\w-]+)(?:\[(\d+)\])?")
_OF_VM = r"vm(?:\[\d+\])?\.(cpu|memory|disk|disks(?:\[\d+\])?|nic)"
_SHORT = re.compile(_OF_VM)
_TECHNIQUE = re.compile(_OF_VM + r"(?:\.technique)?")
_DISKS = ("disk", "disks")

Part = tuple[str, int | None]


def known(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the addresses of a model's fields, without indices."""
    for field, info in type(model).model_fields.items():
        value = getattr(model, field)
        yield f"{prefix}{field}"
        if value is None:  # a table that may be left out can be put in
            yield from (
                f"{prefix}{field}.{name}"
                for kind in get_args(info.annotation)
                if isinstance(kind, type) and issubclass(kind, BaseModel)
                for name in kind.model_fields
            )
        inner = {"": value} if isinstance(value, BaseModel) else {}
        if isinstance(value, Mapping):
            inner = {f".{key}": item for key, item in value.items()}
        if isinstance(value, tuple):
            inner = {"" if index == 0 else f"#{index}": item for index, item in enumerate(value)}
        for key, item in inner.items():
            if isinstance(item, BaseModel):
                at = f"{prefix}{field}{key.split('#')[0]}"
                yield from (at, *known(item, f"{at}."))


def changed(
    model: BaseModel, data: dict[str, Any], changes: Mapping[str, object]
) -> tuple[Any, tuple[str, ...]]:
    """Return a copy of the tables with every change made, and what had to be left out for them.

    Parameters
    ----------
    model : pydantic.BaseModel
        The scenario, for the addresses it has.
    data : dict
        Its tables.
    changes : mapping
        Address to value; a VM's own address takes a profile.
    """
    data, addresses = deepcopy(data), set(known(model))
    changes = profiles.spelt_out(changes, data["vm"])
    for address, value in changes.items():
        if address.startswith(numbers.PREFIX):
            data.setdefault("numbers", {})[address.removeprefix(numbers.PREFIX)] = value
            continue
        if match := numbers.OF_WORKLOAD.fullmatch(address):
            if not _put(data, [*_parts(match[1]), (match[2], None)], value):
                raise UnknownNameError("address", address, addresses)
            continue
        full = address
        if _SHORT.fullmatch(address) and not isinstance(value, Mapping):
            full = f"{address}.technique"
        parts = _parts(full)
        if ".".join(key for key, _ in parts) not in addresses or not _put(data, parts, value):
            raise UnknownNameError("address", address, addresses)
    asked = deepcopy(data)
    touched = {
        match[1].split("[")[0] for address in changes if (match := _TECHNIQUE.fullmatch(address))
    }
    for vm in data["vm"]:
        if touched & {*_DISKS}:
            _follow_disks(vm, cpu_too="cpu" not in touched)
        if "nic" in touched and "nic" in vm:
            _follow_nic(vm, cpu_too="cpu" not in touched)
        if "cpu" in touched and not touched & {*_DISKS, "nic"}:
            _follow_cpu(vm, memory_too="memory" not in touched)
        if touched and vm["cpu"].get("technique") in matrix.HOSTLESS:
            vm.pop("halt_poll", None)
            vm.pop("guest_poll", None)
    return data, tuple(_gone(asked, data, ""))


def _gone(before: Any, after: Any, at: str) -> Iterator[str]:
    """Yield what stands in tables `before` and not `after`, as addresses with their values."""
    if isinstance(before, Mapping):
        for key, value in before.items():
            where = f"{at}.{key}" if at else str(key)
            if key not in after:
                yield f"{where}={emit.text(value)}"
            else:
                yield from _gone(value, after[key], where)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _gone(old, new, f"{at}[{number}]")


def _parts(address: str) -> list[Part]:
    matches = [_PART.fullmatch(part) for part in address.split(".")]
    if not all(matches):
        return [(address, None)]  # no field is called that
    return [(match[1], match[2] and int(match[2])) for match in matches if match]  # type: ignore[misc]


def _put(node: Any, parts: list[Part], value: object) -> bool:
    """Store the value at every place the parts name; False if an index is out of range."""
    (key, index), *rest = parts
    if not rest and index is None:
        node[key] = value
        return True
    child = node.setdefault(key, {})
    if not isinstance(child, list | tuple):
        return index is None and _put(child, rest, value)
    if index is None:
        return all([_put(item, rest, value) for item in child])
    if index >= len(child):
        return False
    if not rest:
        node[key] = [value if at == index else item for at, item in enumerate(child)]
        return True
    return _put(child[index], rest, value)


def _follow_disks(vm: dict[str, Any], *, cpu_too: bool) -> None:
    """Let what hangs on the disk techniques follow them: polling, threads, queues, CPU, memory."""
    disks = [vm[field] for field in ("disk",) if field in vm] + list(vm.get("disks", ()))
    for disk in disks:
        if disk.get("technique") not in matrix.disk_techniques():
            continue
        queues, most = disk.get("queues"), matrix.queues(disk["technique"])
        if isinstance(queues, int) and 0 < most < queues:
            disk.pop("queues")
        for field, knows in (
            *((field, field) for field in matrix.CHOSEN),
            ("iothread", "iothreads"),
        ):
            if disk["technique"] not in matrix.disks_where(knows):
                disk.pop(field, None)
        direct.follow(disk)
        split.follow(disk)
    if cpu_too and disks and whole.forbidden(vm):
        _take_cpu(vm, matrix.default_cpu(disks[0]["technique"]))
        if whole.forbidden(vm):
            _forget_memory(vm)


def _take_cpu(vm: dict[str, Any], technique: str) -> None:
    """Give a VM another CPU technique, and keep of the old one's fields what both know."""
    vm["cpu"] = {**vm["cpu"], "technique": technique}
    if technique not in matrix.WITHOUT_PRIVILEGE:
        vm["cpu"].pop("ring", None)
    if technique not in matrix.EMULATION and not str(vm["cpu"].get("isa")).startswith("x86"):
        vm["cpu"].pop("isa", None)


def _follow_nic(vm: dict[str, Any], *, cpu_too: bool) -> None:
    """Let what hangs on the network technique follow it: fields, queues, CPU technique."""
    nic = vm["nic"].get("technique")
    if nic not in matrix.nic_techniques():
        return
    net_checks.follow(vm["nic"])
    if cpu_too and whole.forbidden(vm):
        _take_cpu(vm, matrix.default_cpu(nic, "nic"))


def _follow_cpu(vm: dict[str, Any], *, memory_too: bool) -> None:
    """Let what hangs on the CPU technique follow it: memory technique, kind of guest."""
    cpu = vm["cpu"].get("technique")
    if cpu not in matrix.cpu_techniques() or not whole.forbidden(vm):
        return
    vm["guest"] = matrix.default_guest(cpu)
    if memory_too and whole.forbidden(vm):
        _forget_memory(vm)


def _forget_memory(vm: dict[str, Any]) -> None:
    """Take out the memory technique; how much memory there is, and in what pages, stays."""
    kept = {field: value for field, value in vm.pop("memory", {}).items() if field != "technique"}
    if kept:
        vm["memory"] = kept
