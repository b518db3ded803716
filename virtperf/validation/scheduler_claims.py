"""The claims of the hypervisor scheduler."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtperf.validation.claim import Claim, Estimate

if TYPE_CHECKING:
    from virtperf.validation.given import Given

SERVER = "x86-kvm-2020"
READ = (
    "frequency thread_switch apicv vpid nested_paging exit_hardware exit_kernel exit_fast "
    "exit_mitigations exit_blocking native_timer native_page_fault"
)


def _by_weight(policy: str, given: Given) -> Estimate:
    """Return what twice the weight is worth: two VMs that compute, on one pCPU."""
    from virtperf.scenario import Scenario

    vms = [
        {
            "name": name,
            "weight": weight,
            "cpu": {"technique": "hardware"},
            "load": {"kind": "work", "workload": "compute-bound"},
        }
        for name, weight in (("one", 256), ("two", 512))
    ]
    host = {"pcpus": 1, "policy": policy}
    data = {"platform": SERVER, "host": host, "vm": vms}
    result = given.simulate(Scenario.from_dict(data, name="weights"), 40_000)
    (less, _), (more, noise) = (
        result.value(result.labels[0], f"cpu_share.{name}[0].vcpu0") for name in ("one", "two")
    )
    return Estimate(more / less, noise / less)


SCHEDULER_CLAIMS = (
    Claim(
        says="Xen's credit scheduler: a VM of weight 512 has twice the CPU of one of 256",
        outcome="xen-wiki.weights",
        inputs=("compute-bound", *(f"{SERVER}.{name}" for name in READ.split())),
        predict=partial(_by_weight, "credit"),
        tolerance=0.02,
        why="shares are within a point of what the weights say, so a ratio of 2 is within 2 %",
    ),
)
