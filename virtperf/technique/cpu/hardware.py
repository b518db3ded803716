"""Hardware-assisted virtualization, VT-x and AMD-V: root and non-root mode, exits by reason.

An exit is the hardware's transition both ways, the hypervisor's handling in its kernel, and, where
it travels further, the way to user space and back, or the scheduling of a thread that blocks.
The three are priced apart: one constant for all exits is the classic mistake.
"""

from collections.abc import Mapping

from virtperf.path import ConsumerState, Path, Ringing, Step, Transition, leave, work
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.native import process_switch

_FURTHER = {"kernel": None, "user": "exit_user", "blocking": "exit_blocking"}


class Hardware:
    """VT-x / AMD-V under a hypervisor in the host's kernel (see `CpuTechnique`)."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._posted = bool(costs.count("apicv"))

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return the one masked step an exit is: the guest stands still until it is over.

        Sending an inter-processor interrupt is a write of the interrupt controller's command
        register, arming a timer a write of an MSR: both exit. A process switch does not.
        """
        if transition.name == "switch":
            return (process_switch(self._costs, where),)
        ns = self._costs.ns("exit_hardware") + self._costs.ns("exit_kernel")
        further = _FURTHER[transition.to]
        if further is not None:
            ns += self._costs.ns(further)
        reason = transition.reason
        account = f"vcpu: exit {reason}"
        return (work(where, ns, account, masked=True, counts=f"exits.{reason}"),)

    def delivery(self) -> Mapping[ConsumerState, Ringing]:
        """Return the three cases of an interrupt: the vCPU sleeps, runs the guest, or neither.

        A sleeper is woken by the host's scheduler (its HLT exit ends, see `halted`). A vCPU in the
        guest takes a posted interrupt without an exit; without posting it is forced out first. A
        vCPU that is in the host or waits for a CPU finds the interrupt when it enters the guest.
        """
        woken = Ringing(delay=self._costs.ns("thread_wake_delay"))
        forced: Path = () if self._posted else (leave("interrupt", "kernel"),)
        return {"asleep": woken, "other": Ringing(target=forced)}

    def expiry(self) -> Mapping[ConsumerState, Ringing]:
        """Return what the vCPU's own timer costs it: in the guest its going off is an exit."""
        return {
            **self.delivery(),
            "other": Ringing(target=(leave("preemption-timer", "kernel"),)),
        }

    def halted(self) -> Path:
        """Return the exit of the HLT instruction, which blocks in the host."""
        return (leave("hlt", "blocking"),)

    def handled(self) -> Path:
        """Return the end-of-interrupt write: an exit unless the controller is virtualized."""
        return () if self._posted else (leave("eoi", "kernel"),)
