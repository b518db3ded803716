"""Paravirtualization: the guest's kernel is ported, and calls the hypervisor where it must.

What would not trap, or would trap too often, is no longer in its source. Turning interrupts off is
a byte in shared memory; a page-table update waits in a queue for others, and one hypercall takes
all. A 32-bit kernel runs in ring 1 behind segment limits and takes its users' system calls itself;
a 64-bit one shares ring 3 with them, so each call goes through the hypervisor, which loads the
kernel's page tables and then the users' again. (Barham et al., SOSP 2003.)
"""

from collections.abc import Mapping
from functools import cache

from virtperf.mechanism.multicall import MulticallQueue
from virtperf.path import ConsumerState, Path, Ringing, Step, Transition, leave, work
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.code import Code
from virtperf.technique.cpu.native import (
    further,
    native,
    plain_code,
    process_switch,
    shares_ring,
)
from virtperf.technique.cpu.sequence import sequence_ns

HYPERVISOR, SHARED = "vcpu: hypercall", "vcpu: shared mask"

MASK = """
    mov  [shared.mask], OFF     ; and, where it is turned on again, a look at what is pending
    cmp  [shared.pending], 0
    jne  deliver
"""
CALLS: Mapping[str, str] = {
    "msr_write": "platform_op",
    "port_read": "physdev_op",
    "ipi": "event_channel_op",
    "masked_interrupt": "force_callback",
}
"""Operations the port replaced by a hypercall. The last is what a guest calls that turns events on
again and finds one pending: the hypervisor calls it back on the way out."""
MASKED = ("interrupt_flag", "popf")
UNTOUCHED = ("return", "rdtsc", "cr8_write")
BASE_POINTER = "new_baseptr"


UPDATE_BYTES = 16


@cache
def updates_per_hypercall(region: int) -> float:
    """Return how many page-table updates enter the hypervisor at once, on average.

    Parameters
    ----------
    region : int
        Updates of one lazy region, at least 1: they wait for each other, and for nobody else.

    Examples
    --------
    >>> updates_per_hypercall(1), updates_per_hypercall(8), updates_per_hypercall(120)
    (1.0, 8.0, 30.0)
    """
    queue = MulticallQueue()
    for _ in range(max(1, region)):
        queue.add(UPDATE_BYTES, "mmu_update")
    queue.flush()
    return queue.updates / queue.hypercalls


class Paravirtual:
    """Hypercalls of a ported guest (see `CpuTechnique`)."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def _call(self, where: str, call: str, ns: float, counts: str = "hypercalls") -> Step:
        return work(where, ns, f"{HYPERVISOR} {call}", masked=True, counts=f"{counts}.{call}")

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return the hypercall a crossing is; one that can wait pays its share of a batch."""
        costs, reason = self._costs, transition.reason
        if transition.name == "kernel":
            return (native(self._costs, transition.reason, where),)
        if transition.name == "switch":
            base = self.expand(Transition(name="hypercall", reason=BASE_POINTER), where)
            return (*base, process_switch(costs, where))
        if transition.name == "reflect":
            counts = f"reflected.{reason}"
            account = f"vcpu: reflected {reason}"
            return (work(where, costs.ns("trap_reflect"), account, counts=counts),)
        if transition.name == "multicall":
            entry = costs.ns("hypercall") - costs.ns("pt_update")
            share = entry / updates_per_hypercall(self._region())
            return (self._call(where, reason, costs.ns("pt_update") + share, "batched"),)
        ns = costs.ns("hypercall")
        if reason == BASE_POINTER:  # one multicall of two: the kernel's stack goes along
            ns += costs.ns("pt_update")
        return (self._call(where, reason, ns), *further(costs, transition, where, HYPERVISOR))

    def _region(self) -> int:
        """Return how many updates wait together: those of one lazy region of the guest."""
        own = "updates_per_region"
        return self._costs.count(own if own in self._costs else "lazy_updates")

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return the instructions as they are."""
        return plain_code(where, code.user_ns, code.kernel_ns)

    def operation(self, name: str, where: str) -> tuple[Step, ...]:
        """Return what the port made of it."""
        costs = self._costs
        if name in MASKED:
            return (work(where, sequence_ns(costs, MASK), SHARED),)
        if name in CALLS:
            return (self._call(where, CALLS[name], costs.ns("hypercall")),)
        if name == "cpuid":
            return (self._call(where, "emulated cpuid", costs.ns("trap")),)
        alone = native(costs, name, where)
        if name == "syscall":
            return (*self._system_call(where), alone)
        if name in UNTOUCHED:
            return (alone,)
        if name == "halt":
            return (*self.expand(leave("sched_op", "blocking"), where), alone)
        reflected = self.expand(Transition(name="reflect", reason=name), where)
        if name == "timer":
            return (*reflected, alone, self._call(where, "set_timer_op", costs.ns("hypercall")))
        return (*reflected, alone)

    def _system_call(self, where: str) -> tuple[Step, ...]:
        """Return what a system call costs on its way to the guest's kernel and back."""
        if not shares_ring(self._costs):
            return ()  # its users' gate leads straight to ring 1
        ns = self._costs.ns("trap_reflect") + 2 * self._costs.ns("native_cr3_load")
        return (self._call(where, "system call", ns, "bounced"),)

    def delivery(self) -> Mapping[ConsumerState, Ringing]:
        """Return what an event costs: it comes to the hypervisor, which calls the guest up."""
        return {
            "asleep": Ringing(delay=self._costs.ns("thread_wake_delay")),
            "other": Ringing(target=(Transition(name="reflect", reason="event"),)),
        }

    def expiry(self) -> Mapping[ConsumerState, Ringing]:
        """Return the same: a timer is an event."""
        return self.delivery()

    def halted(self) -> Path:
        """Return the hypercall that blocks."""
        return (leave("sched_op", "blocking"),)

    def handled(self) -> Path:
        """Return no steps: an event is handled by clearing its bit."""
        return ()
