"""Nested virtualization: the guest's hypervisor is itself a guest, and what it does exits too.

Hardware knows one hypervisor, L0. Every exit of the inner guest, L2, goes to L0, which hands it to
the hypervisor between them, L1. To handle it, L1 does what a hypervisor does, and each of its
privileged operations exits to L0 again, unless hardware shadows it (reads and writes of the VMCS
since Haswell). So an exit of L2 costs as many exits of L1 as that list is long. (Ben-Yehuda et al.,
OSDI 2010.)
"""

from virtperf.path import Step, Target, Transition, work
from virtperf.technique.cpu.hardware import Hardware

L1 = "vcpu: exit of-the-hypervisor-between"


class NestedHardware(Hardware):
    """VT-x / AMD-V in a guest of VT-x / AMD-V (see `CpuTechnique`)."""

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return the exit of L2; the exits of L1 that it causes are counted beside it."""
        steps = super().expand(transition, where)
        if not any(step.counts.startswith("exits.") for step in steps):
            return steps
        user = self._costs.share("nested_user_exits") if transition.to == "user" else 0.0
        caused = max(1, round(self._caused() + user))
        counted = work(
            where, 0.0, L1, masked=True, counts="exits.of-the-hypervisor-between", times=caused
        )
        return (*steps, counted)

    def _caused(self) -> float:
        """Return how often L1 exits to L0 to handle one exit of L2."""
        times = self._costs.share("nested_exits")
        if not self._costs.count("vmcs_shadowing"):
            times += self._costs.share("nested_vmcs_accesses")
        return times

    def exit_ns(self, to: Target) -> float:
        """Return an exit to L0 and those of L1's own operations, on its way back to L2.

        Where L1 goes on to its user space, that way is a list of its own.
        """
        one = super().exit_ns("kernel")
        ns = (1 + self._caused()) * one
        if to == "user":
            ns += self._costs.share("nested_user_exits") * one
        return ns if to != "blocking" else ns + self._costs.ns("exit_blocking")
