"""What a guest does that virtualization may have to notice: the operations a workload counts.

Each has a native cost, the platform's ``native_<name>``; a CPU technique says what it costs under
it. What a page fault, a page-table write and a load of another address space cost besides is the
memory technique's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One kind of operation.

    Attributes
    ----------
    name : str
        Its native cost is the platform's ``native_<name>``.
    events : str
        How many there are per unit of a workload, by the workload's own name for it.
    says : str
        What the guest does, in words.
    memory : bool
        Whether the memory technique answers.
    free : bool
        Whether it costs the bare machine nothing, so that no platform has a number for it.
    """

    name: str
    events: str
    says: str
    memory: bool = False
    free: bool = False


_ALL = (
    Operation(name="syscall", events="syscalls", says="a system call, and back"),
    Operation(name="exception", events="exceptions", says="a fault without memory"),
    Operation(name="interrupt_flag", events="interrupt_flag_changes", says="CLI or STI"),
    Operation(name="popf", events="popfs", says="POPF that restores the interrupt flag"),
    Operation(name="return", events="returns", says="a call and its return"),
    Operation(name="cr8_write", events="cr8_writes", says="a new task priority"),
    Operation(name="rdtsc", events="rdtscs", says="a look at the time-stamp counter"),
    Operation(name="cpuid", events="cpuids", says="a CPUID instruction"),
    Operation(name="msr_write", events="msr_writes", says="a write of a model-specific register"),
    Operation(name="port_read", events="port_reads", says="a read of an I/O port"),
    Operation(name="timer", events="timer_interrupts", says="a timer interrupt, and its next one"),
    Operation(name="ipi", events="ipis", says="an inter-processor interrupt to another vCPU"),
    Operation(
        name="masked_interrupt",
        events="masked_interrupts",
        says="an interrupt that waits until the guest lets interrupts in again: its waiting alone",
        free=True,
    ),
    Operation(name="halt", events="halts", says="an idle vCPU that sleeps, and is woken"),
    Operation(name="page_fault", events="page_faults", says="a true page fault", memory=True),
    Operation(
        name="first_touch",
        events="first_touches",
        says="an access to a page that is mapped, the first in its address space",
        memory=True,
    ),
    Operation(name="pte_write", events="pte_writes", says="a page-table update", memory=True),
    Operation(
        name="tlb_flush",
        events="tlb_flushes",
        says="a page's translation dropped, on each vCPU that runs a thread of the process",
        memory=True,
    ),
    Operation(
        name="fresh_page",
        events="fresh_pages",
        says="the first use of a page of 4 KiB that the host has not given yet: its giving alone",
        memory=True,
        free=True,
    ),
    Operation(
        name="address_space",
        events="address_space_switches",
        says="another process goes on",
        memory=True,
    ),
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType({one.name: one for one in _ALL})
"""Every operation, by name."""
