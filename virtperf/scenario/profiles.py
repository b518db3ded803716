"""A VM takes a whole profile: guest, CPU, memory, and the path to each device that it has."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from virtperf.technique.profiles import profile

_VM = re.compile(r"vm(\[\d+\])?")


def spelt_out(changes: Mapping[str, object], vms: list[Any]) -> dict[str, object]:
    """Return changes in which each profile of a VM stands for the techniques that it names.

    ``{"vm": "hvm"}`` is a change of ``vm.cpu``, ``vm.memory`` and so on. What a change names
    beside a profile comes after it, and so wins.
    """
    out: dict[str, object] = {}
    for address, value in changes.items():
        if isinstance(value, str) and (match := _VM.fullmatch(address)):
            for index, vm in enumerate(vms):
                if match[1] in (None, f"[{index}]"):
                    out |= dict(_fields(f"vm[{index}]", vm, value))
        else:
            out[address] = value
    return out


def _fields(address: str, vm: Mapping[str, Any], name: str) -> Iterator[tuple[str, object]]:
    whole = profile(name)
    yield f"{address}.guest", whole.guest
    yield f"{address}.cpu.technique", whole.cpu
    yield f"{address}.memory.technique", whole.memory
    for device in ("disk", "nic"):
        if device in vm:
            yield f"{address}.{device}.technique", getattr(whole, device)
