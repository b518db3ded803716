"""What a scenario asks of guests that spin, checked: who can exit, who can be kicked."""

from collections.abc import Iterator, Mapping
from typing import Any

from virtperf.scenario.raw import at, loads_of, vms
from virtperf.technique import matrix

SEEN_BY_HARDWARE = ("hardware", "nested-hardware")
CAN_KICK = ("paravirtual", *SEEN_BY_HARDWARE)


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, one sentence each; data that others refuse is passed over."""
    for name, vm in vms(data):
        cpu = at(vm, "cpu", "technique")
        if cpu not in matrix.cpu_techniques():
            continue
        if vm.get("pause_exits") is not None and cpu not in SEEN_BY_HARDWARE:
            yield (
                f"{name}.pause_exits must be left out under {cpu}: "
                f"only hardware sees a guest spin ({', '.join(SEEN_BY_HARDWARE)})"
            )
        if vm.get("pv_tlb_flush") is True and cpu not in SEEN_BY_HARDWARE:
            own = "has a hypercall for it" if cpu == "paravirtual" else "knows no hypervisor to ask"
            yield f"{name}.pv_tlb_flush must be left out under {cpu}: such a guest {own}"
        for address, load in loads_of(name, vm):
            if at(load, "lock", "discipline") == "paravirtual" and cpu not in CAN_KICK:
                yield (
                    f"{address}.lock.discipline must be another than paravirtual under {cpu}: "
                    f"its guests ask no hypervisor for a kick ({', '.join(CAN_KICK)})"
                )
