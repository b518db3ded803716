"""Hardware-assisted virtualization, VT-x and AMD-V: root and non-root mode, exits by reason.

An exit is the hardware's transition both ways, the hypervisor's handling in its kernel, and, where
it travels further, the way to user space and back, or the scheduling of a thread that blocks.
The three are priced apart: one constant for all exits is the classic mistake.
"""

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

from virtperf.path import ConsumerState, Path, Ringing, Step, Target, Transition, leave, rearm, work
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.code import Code
from virtperf.technique.cpu.native import native, plain_code, process_switch

EXITS: Mapping[str, tuple[str, Target]] = MappingProxyType(
    {
        "cpuid": ("cpuid", "kernel"),
        "msr_write": ("msr-write", "kernel"),
        "port_read": ("io", "user"),
        "ipi": ("ipi", "fast"),
    }
)
"""Operations that always exit: their reason, and how far they travel. All others do not."""
INJECTION = "vcpu: event injection"
FAST = ("ipi", "timer")
"""Transitions that a hypervisor handles before it leaves its run loop: two writes of MSRs."""
_FURTHER = {"fast": None, "kernel": None, "user": "exit_user", "blocking": "exit_blocking"}


class Hardware:
    """VT-x / AMD-V under a hypervisor in the host's kernel (see `CpuTechnique`)."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._posted = bool(costs.count("apicv"))

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return the one masked step an exit is: the guest stands still until it is over.

        Sending an inter-processor interrupt is a write of the interrupt controller's command
        register, arming a timer a write of an MSR: both exit. A process switch does not. A fault
        is handed on to the guest with the entry that follows its exit. A write to a page that is
        watched exits twice: the hypervisor lets the guest do that one instruction, and looks.
        """
        if transition.name == "kernel":
            return (native(self._costs, transition.reason, where),)
        if transition.name == "switch":
            return (process_switch(self._costs, where),)
        if transition.name == "reflect":
            return (work(where, self._costs.ns("inject"), INJECTION, masked=True),)
        if transition.name == "trace":
            exits = self._exit("kernel", transition.reason, where, times=2)
            return (exits, native(self._costs, "pte_write", where))
        to = "fast" if transition.name in FAST else transition.to
        return (self._exit(to, transition.reason, where),)

    def _exit(self, to: Target, reason: str, where: str, times: int = 1) -> Step:
        ns, counts = self.exit_ns(to) * times, f"exits.{reason}"
        return work(where, ns, f"vcpu: exit {reason}", masked=True, counts=counts, times=times)

    def exit_ns(self, to: Target) -> float:
        """Return the time of an exit that travels as far as `to`.

        Without tags in the TLB (VPID, ASID) it is emptied on the way out and on the way in, and
        what each side needs is walked for again.
        """
        parts = ["exit_hardware", "exit_mitigations"]
        parts.append("exit_fast" if to == "fast" else "exit_kernel")
        if not self._costs.count("vpid"):
            parts.append("tlb_refill")
        ns = sum(map(self._costs.ns, parts))
        further = _FURTHER[to]
        return ns if further is None else ns + self._costs.ns(further)

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return the instructions as they are: user and kernel mode are both the guest's."""
        return plain_code(where, code.user_ns, code.kernel_ns)

    def operation(self, name: str, where: str) -> tuple[Step, ...]:
        """Return the exit of an operation that has one, else its native cost.

        A timer interrupt is an exit, its handler natively, the end-of-interrupt, and the exit of
        arming the next one. An interrupt that finds the guest's interrupts off waits in the
        hypervisor, which asks for an exit at the moment they are on: the interrupt window. Where
        the hardware posts interrupts, it also watches that moment itself.
        """
        if name in EXITS:
            reason, to = EXITS[name]
            return self.expand(leave(reason, to), where)
        alone = native(self._costs, name, where)
        if name == "halt":
            return (*self.expand(leave("hlt", "blocking"), where), alone)
        if name == "masked_interrupt":
            return () if self._posted else self.expand(leave("interrupt-window", "kernel"), where)
        if name != "timer":
            return (alone,)
        crossings = (leave("preemption-timer", "kernel"), *self.handled(), rearm())
        crossed = (self.expand(one, where) for one in crossings if isinstance(one, Transition))
        return (*chain.from_iterable(crossed), alone)

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
