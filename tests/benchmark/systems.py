"""The scenario of ``textbook_simpy.py`` in virtperf's tables: all features on, and all off."""

from tests.benchmark.textbook_simpy import (
    CHANNELS,
    COMPLETE,
    DEPTH,
    DEVICE,
    INTERRUPT,
    PCPUS,
    POP,
    SUBMIT,
    VMS,
)
from virtperf.assembly import Assembly
from virtperf.dist import Exponential
from virtperf.path import CONSUMER_STATES, Bell, Ringing, end, ring, serve, work
from virtperf.tables import System

KICK, EVENTFD, WAKE, SWITCH, SLICE = 1_500.0, 300.0, 2_000.0, 1_500.0, 3e6  # ns
EVENT_INDEX = "event-index"


def full() -> System:
    """Return it with what the textbook leaves out.

    Ledger, 3 ms slices, switches, wake-ups, interrupts that preempt, doorbells by event index,
    and hand-overs in batches.
    """
    assembly = Assembly("full", pcpus=PCPUS, slice_ns=SLICE, switch_ns=SWITCH)
    assembly.station("device", CHANNELS)
    for number in range(VMS):
        vcpu, iothread = f"vm{number}.vcpu", f"vm{number}.iothread"
        assembly.worker(vcpu, "vcpu", wake=(work(vcpu, WAKE, "vcpu: wake-up"),))
        assembly.interrupt_level(vcpu)
        assembly.worker(iothread, "iothread", wake=(work(iothread, WAKE, "iothread: wake-up"),))
        asleep = Ringing(delay=WAKE)
        kick = Ringing(sender=(work(vcpu, KICK, "vcpu: kick", masked=True),), delay=WAKE)
        signal = Ringing(sender=(work(iothread, EVENTFD, "iothread: eventfd", masked=True),))
        _bell(assembly, f"{vcpu}.kick", EVENT_INDEX, iothread, vcpu, kick)
        _bell(assembly, f"{vcpu}.aio", "always", iothread, "", asleep, only="asleep")
        _bell(assembly, f"{vcpu}.irq", EVENT_INDEX, f"{vcpu}.interrupt", iothread, signal)
        _source(assembly, vcpu, iothread, batches=True)
    return assembly.system()


def bare() -> System:
    """Return it with as little as the textbook has: four stretches of work, one at a time.

    No overhead costs anything, nothing is batched, no work interrupts other work, and no slice
    ends. What differs is that a thread here keeps its pCPU while it has work.
    """
    assembly = Assembly("bare", pcpus=PCPUS, slice_ns=1e12)
    assembly.station("device", CHANNELS)
    for number in range(VMS):
        vcpu, iothread = f"vm{number}.vcpu", f"vm{number}.iothread"
        assembly.worker(vcpu, "vcpu", batch=1)
        assembly.worker(iothread, "iothread", batch=1)
        _bell(assembly, f"{vcpu}.kick", "always", iothread, vcpu, Ringing())
        _bell(assembly, f"{vcpu}.aio", "always", iothread, "", Ringing())
        _bell(assembly, f"{vcpu}.irq", "always", vcpu, iothread, Ringing())
        _source(assembly, vcpu, iothread, batches=False)
    return assembly.system()


def _bell(
    assembly: Assembly, name: str, rule: str, to: str, sender: str, cost: Ringing, only: str = ""
) -> None:
    states = [state for state in CONSUMER_STATES if only in ("", state)]
    costs = dict.fromkeys(states, cost)
    assembly.bell(name, Bell(name=name, to=to, rule=rule, costs=costs), to=to, sender=sender)


def _source(assembly: Assembly, vcpu: str, iothread: str, *, batches: bool) -> None:
    hold = "defer" if batches else "async"
    path = (
        work(vcpu, SUBMIT, "vcpu: submit"),
        ring(f"{vcpu}.kick"),
        work(iothread, POP, "iothread: pop"),
        serve("device", Exponential(DEVICE), "device", purpose="service", hold=hold),
        ring(f"{vcpu}.aio"),
        work(iothread, COMPLETE, "iothread: complete"),
        ring(f"{vcpu}.irq", hold=hold),
        work(vcpu, INTERRUPT, "vcpu: interrupt"),
        end(),
    )
    assembly.source(f"{vcpu}.job", {"read": (1.0, path)}, to=vcpu, outstanding=DEPTH)
