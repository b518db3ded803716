"""Trap and emulate: the guest's kernel runs without privilege, and the hypervisor does the rest.

Every privileged instruction faults; the hypervisor, in ring 0, does what it would have done, and
goes on behind it. System calls and faults of the guest's users come to the hypervisor too, which
hands them on. What does not trap is the hole: POPF leaves the interrupt flag as it was, without a
word, and the guest believes otherwise (see `mechanism.interrupts`).
"""

from virtperf.path import Step, Transition, leave, work
from virtperf.technique.cpu.code import Code
from virtperf.technique.cpu.handed_on import HandedOn
from virtperf.technique.cpu.native import (
    further,
    native,
    plain_code,
    process_switch,
    shares_ring,
)

HOLES = ("popf",)  # executed without a trap, and differently
UNTOUCHED = ("return", "rdtsc", "cpuid")  # innocuous, or allowed to user code
IN_PASSING = ("masked_interrupt",)  # STI traps anyhow, and the hypervisor sees what is pending
REFLECTED = ("syscall", "exception")


class TrapEmulate(HandedOn):
    """Trap and emulate (see `CpuTechnique`)."""

    def _trap(self, where: str, reason: str, times: int = 1) -> Step:
        ns, counts = self._costs.ns("trap") * times, f"exits.{reason}"
        return work(where, ns, f"vcpu: trap {reason}", masked=True, counts=counts, times=times)

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return the trap a transition is; a fault handed on ends with an IRET, which traps."""
        if transition.name == "kernel":
            return (native(self._costs, transition.reason, where),)
        if transition.name == "switch":
            return (self._trap(where, "cr3-load"), process_switch(self._costs, where))
        if transition.name == "reflect":  # it is in the hypervisor already; the way back traps
            return (self._trap(where, "iret"),)
        if transition.name == "trace":
            return (self._trap(where, transition.reason), native(self._costs, "pte_write", where))
        return (
            self._trap(where, transition.reason),
            *further(self._costs, transition, where, "vcpu: trap"),
        )

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return the instructions as they are, in ring 3 and, for the kernel, in ring 1."""
        return plain_code(where, code.user_ns, code.kernel_ns)

    def operation(self, name: str, where: str) -> tuple[Step, ...]:
        """Return the trap, unless the operation needs no privilege, or wrongly seems not to.

        A system call or fault goes to the hypervisor, on to the guest's kernel, and traps once
        more on its way back: IRET is privileged. A 64-bit kernel has page tables of its own, which
        its users' ring must not see: they are loaded for each call, and theirs again behind it.
        """
        alone = native(self._costs, name, where)
        if name in HOLES:
            step = work(where, alone.cost.mean, alone.account, counts=f"violations.{name}")
            return (step,)
        if name in UNTOUCHED or name in IN_PASSING:
            return (alone,)
        if name == "halt":
            return (*self.expand(leave("hlt", "blocking"), where), alone)
        if name in REFLECTED:
            ns, reason = self._costs.ns("trap_reflect"), f"exits.{name}"
            if name == "syscall" and shares_ring(self._costs):
                ns += 2 * self._costs.ns("native_cr3_load")
            reflected = work(where, ns, f"vcpu: trap {name}", masked=True, counts=reason)
            return (reflected, alone, self._trap(where, "iret"))
        if name == "timer":
            return (self._trap(where, "timer"), alone, self._trap(where, "iret"))
        return (self._trap(where, name.replace("_", "-")),)
