"""Emulated NVMe whose doorbells do not stop the guest: the device model runs on another thread.

A submission is an entry of a queue in memory, and a write of its doorbell. With ioeventfd that
write is an exit matched in the kernel, each time; the device model reads the doorbell's value from
memory, on QEMU's main loop or on an I/O thread. Completions of one turn raise one interrupt, for
each such turn: nothing a guest writes asks the device not to. When the handler has reaped all it
finds, it writes the completion doorbell, which exits and wakes the thread too, to learn a number.
A driver that is given several requests at once (`commit_rqs`) rings when the last is in the queue.

With shadow doorbells the guest writes both values to memory, and exits only if the submission
crosses the index the device asked for. The I/O thread can then poll its queues before it sleeps.
"""

from collections.abc import Mapping
from dataclasses import replace

from virtperf.path import (
    Bell,
    Once,
    Path,
    Rule,
    Spawn,
    Step,
    end,
    give,
    leave,
    ring,
    take,
    work,
)
from virtperf.technique.costs import Costs
from virtperf.technique.io.plan import Guest, Plan, Slots, Thread
from virtperf.technique.io.threads import (
    AIO,
    BIG_LOCK,
    IRQ,
    KICK,
    completion,
    ioeventfd,
    iothread,
    irq_ioctl,
    irqfd,
    main_loop,
)

COMMANDS = "command slots"
HEAD = "completion doorbell"


def on_main_loop(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of doorbells by ioeventfd, served by QEMU's main loop."""
    thread = main_loop(costs)
    return _plan(guest, costs, thread, irq_ioctl(costs, thread, rule="batch"), shadow=False)


def on_iothread(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of doorbells by ioeventfd, served by I/O threads that cannot poll."""
    thread = iothread(guest, costs, polls=False)
    return _plan(guest, costs, thread, irqfd(costs, thread, rule="batch"), shadow=False)


def shadowed(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of shadow doorbells, served by I/O threads that poll before they sleep."""
    thread = iothread(guest, costs)
    return _plan(guest, costs, thread, irqfd(costs, thread, rule="batch"), shadow=True)


def _plan(guest: Guest, costs: Costs, thread: Thread, irq: Bell, *, shadow: bool) -> Plan:
    rings: Rule = "batch" if guest.batched else "always"
    tail = ioeventfd(costs, thread, rule="event-index" if shadow else rings)
    head = () if shadow else (_learns(costs, thread),)
    return Plan(
        paths=_paths(guest, costs, thread, () if shadow else _writes_head(costs, thread)),
        bells=(tail, completion(costs, thread), irq, *head),
        threads=(thread,),
        locks=(BIG_LOCK,) if thread.lock else (),
        slots=Slots(name=COMMANDS, count=costs.count("nvme_commands")),
    )


def _paths(guest: Guest, costs: Costs, thread: Thread, head: Path) -> Mapping[str, Path]:
    host, model = f"{thread.role}: host I/O", _model(costs, thread)
    return {
        kind: (
            *guest.issue(),
            take(COMMANDS),
            ring(KICK, hold=guest.tells),
            model,
            work(thread.name, costs.ns("host_submit"), host),
            *guest.device(kind, hold="defer"),
            ring(AIO),
            work(thread.name, costs.ns("host_complete"), host),
            model,
            ring(IRQ, hold="defer"),
            *reaped(guest, head),
        )
        for kind in guest.service
    }


def reaped(guest: Guest, head: Path) -> Path:
    """Return the handler: it reaps what is done, and writes the completion doorbell once a turn.

    Linux writes it behind the last one that it reaps. Here the first one's hold has it, so that
    none waits for those reaped after it, as natively.
    """
    done, over = guest.reap()
    return (done, *((Once(by="first", path=head),) if head else ()), give(COMMANDS), over)


def _model(costs: Costs, thread: Thread) -> Step:
    return work(thread.name, costs.ns("device_model"), f"{thread.role}: device model")


def _writes_head(costs: Costs, thread: Thread) -> Path:
    """Return the handler's write of the completion doorbell, and what the thread does about it."""
    signal = work("handler", costs.ns("eventfd_signal"), "vcpu: eventfd", masked=True)
    learns = Spawn(name=HEAD, path=(ring(HEAD), _model(costs, thread), end()))
    return (leave("kick", "kernel", where="handler"), signal, learns)


def _learns(costs: Costs, thread: Thread) -> Bell:
    """Return the eventfd behind the completion doorbell; its sender has paid on the way."""
    return replace(completion(costs, thread), name=HEAD)
