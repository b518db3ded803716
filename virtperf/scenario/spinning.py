"""What a scenario asks of guests that spin, checked: who can exit, who can be kicked."""

from collections.abc import Iterator, Mapping
from typing import Any

from virtperf.technique import matrix

SEEN_BY_HARDWARE = ("hardware", "nested-hardware")
CAN_KICK = ("paravirtual", *SEEN_BY_HARDWARE)


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, one sentence each; data that others refuse is passed over."""
    vms = data.get("vm")
    for i, vm in enumerate(vms if isinstance(vms, list | tuple) else ()):
        cpu = _at(_at(vm, "cpu"), "technique")
        if cpu not in matrix.cpu_techniques():
            continue
        if _at(vm, "pause_exits") is not None and cpu not in SEEN_BY_HARDWARE:
            yield (
                f"vm[{i}].pause_exits must be left out under {cpu}: "
                f"only hardware sees a guest spin ({', '.join(SEEN_BY_HARDWARE)})"
            )
        if _at(vm, "pv_tlb_flush") is True and cpu not in SEEN_BY_HARDWARE:
            own = "has a hypercall for it" if cpu == "paravirtual" else "knows no hypervisor to ask"
            yield f"vm[{i}].pv_tlb_flush must be left out under {cpu}: such a guest {own}"
        lock = _at(_at(vm, "load"), "lock")
        if _at(lock, "discipline") == "paravirtual" and cpu not in CAN_KICK:
            yield (
                f"vm[{i}].load.lock.discipline must be another than paravirtual under {cpu}: "
                f"its guests ask no hypervisor for a kick ({', '.join(CAN_KICK)})"
            )


def _at(table: Any, key: str) -> Any:
    return table.get(key) if isinstance(table, Mapping) else None
