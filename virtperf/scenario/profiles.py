"""A VM takes a whole profile: guest, CPU, memory, and the path to each device that it has."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from virtperf.errors import UnknownNameError
from virtperf.technique.profiles import profile

_VM = re.compile(r"vm(\[\d+\])?")


def spelt_out(changes: Mapping[str, object], vms: list[Any]) -> dict[str, object]:
    """Return changes in which each profile of a VM stands for the techniques that it names.

    ``{"vm": "hvm"}`` is a change of ``vm.cpu``, ``vm.memory`` and so on. What a change names
    beside a profile comes after it, in whatever order they are given, and so wins.
    """
    whole: dict[str, object] = {}
    other: dict[str, object] = {}
    for address, value in changes.items():
        if isinstance(value, str) and (match := _VM.fullmatch(address)):
            named = [n for n in range(len(vms)) if match[1] in (None, f"[{n}]")]
            if not named:
                raise UnknownNameError("address", address, [f"vm[{n}]" for n in range(len(vms))])
            for index in named:
                whole |= dict(_fields(f"vm[{index}]", vms[index], value))
        else:
            other[address] = value
    return whole | other


def _fields(address: str, vm: Mapping[str, Any], name: str) -> Iterator[tuple[str, object]]:
    whole = profile(name)
    yield f"{address}.guest", whole.guest
    yield f"{address}.cpu.technique", whole.cpu
    yield f"{address}.memory.technique", whole.memory
    for field, device in (("disk", "disk"), ("disks", "disk"), ("nic", "nic")):
        if field in vm:
            yield f"{address}.{field}.technique", getattr(whole, device)
