"""Full emulation: every register access of the driver is an exit to QEMU, guest stopped.

The vCPU thread leaves the guest and the kernel, takes the big QEMU lock, runs the device model,
and goes back in. The last access of a submission starts the host's I/O there and then. The
completion is the main loop's: it holds the same lock whenever it does not sleep, sets the status,
and raises the interrupt by an ioctl; the guest's handler then touches more registers. A driver
keeps at most as many commands under way as the device has slots: IDE one, AHCI 32.

NVMe's registers are two doorbells. The model posts all completions of a turn of the main loop and
interrupts once; the handler writes its doorbell when it has reaped all that it finds. A driver that
is given several requests at once (`commit_rqs`) writes the other one when the last is in the queue:
the device model takes them all in one exit, under the lock.

Data come by DMA, which is the host's copy into the guest's memory, or by programmed I/O through a
register of 16 bits: each word is then an access, or so many of them an exit as the hypervisor takes
of a string instruction at a time.
"""

from collections.abc import Mapping

from virtperf.path import (
    Once,
    Path,
    Rule,
    Step,
    gather,
    give,
    leave,
    lock,
    ring,
    take,
    unlock,
    work,
)
from virtperf.technique.costs import Costs
from virtperf.technique.io.nvme import COMMANDS, reaped
from virtperf.technique.io.plan import Guest, Plan, Slots, Thread
from virtperf.technique.io.threads import AIO, BIG_LOCK, IRQ, completion, irq_ioctl, main_loop


def ide(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of a PIIX3 IDE disk, with bus-master DMA or programmed I/O."""
    return _plan("ide", guest, costs)


def ahci(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of an AHCI disk with native command queuing."""
    return _plan("ahci", guest, costs)


def nvme(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of an NVMe disk whose doorbells trap."""
    thread = main_loop(costs)
    paths: dict[str, Path] = {
        kind: (
            *guest.issue(),
            take(COMMANDS),
            *_doorbell(guest, costs),
            *guest.device(kind),
            ring(AIO),
            work("main-loop", costs.ns("host_complete"), "main loop: host I/O"),
            work("main-loop", costs.ns("device_model"), "main loop: device model"),
            ring(IRQ, hold="defer"),
            *reaped(guest, _access(costs, "handler") * costs.count("nvme_interrupt_accesses")),
        )
        for kind in guest.service
    }
    return _served(paths, costs, thread, "batch", costs.count("nvme_commands"))


def _doorbell(guest: Guest, costs: Costs) -> Path:
    """Return the write of the submission doorbell: the device model takes what is in the queue."""
    writes = costs.count("nvme_accesses") - costs.count("nvme_interrupt_accesses")
    submit = work("vcpu", costs.ns("host_submit"), "vcpu: host I/O", masked=True)
    if not guest.batched:
        return (*_access(costs, "vcpu") * (writes - 1), *_access(costs, "vcpu", submit))
    before = (*_access(costs, "vcpu") * (writes - 1), leave("io", "user", where="vcpu"))
    model = work("vcpu", costs.ns("device_model"), "vcpu: device model", masked=True)
    return (
        gather(),
        Once(by="first", path=(*before, lock(BIG_LOCK))),
        model,
        submit,
        Once(by="last", path=(unlock(BIG_LOCK),)),
    )


def _plan(device: str, guest: Guest, costs: Costs) -> Plan:
    in_handler = costs.count(f"{device}_interrupt_accesses")
    before = costs.count(f"{device}_accesses") - in_handler
    if guest.words:  # nobody programs a bus master
        in_handler -= costs.count(f"{device}_bus_master_interrupt_accesses")
        before = costs.count(f"{device}_pio_accesses") - in_handler
    thread = main_loop(costs)
    submit = work("vcpu", costs.ns("host_submit"), "vcpu: host I/O", masked=True)
    paths: dict[str, Path] = {}
    for kind in guest.service:
        paths[kind] = (
            *guest.issue(),
            take(COMMANDS),
            *(_words(guest, costs, "vcpu") if kind == "write" else ()),
            *_access(costs, "vcpu") * (before - 1),
            *_access(costs, "vcpu", submit),
            *guest.device(kind),
            ring(AIO),
            work("main-loop", costs.ns("host_complete"), "main loop: host I/O"),
            work("main-loop", costs.ns("device_model"), "main loop: device model"),
            ring(IRQ),
            *_access(costs, "handler") * in_handler,
            *(_words(guest, costs, "handler") if kind == "read" else ()),
            give(COMMANDS),
            *guest.reap(),
        )
    return _served(paths, costs, thread, "always", costs.count(f"{device}_commands"))


def _served(
    paths: Mapping[str, Path], costs: Costs, thread: Thread, rule: Rule, commands: int
) -> Plan:
    return Plan(
        paths=paths,
        bells=(completion(costs, thread), irq_ioctl(costs, thread, rule=rule)),
        threads=(thread,),
        locks=(BIG_LOCK,),
        slots=Slots(name=COMMANDS, count=commands),
    )


def _access(costs: Costs, on: str, *more: Step) -> Path:
    """Return one register access; `more` is done by the device model under the lock."""
    model = work(on, costs.ns("device_model"), "vcpu: device model", masked=True)
    return (leave("io", "user", where=on), lock(BIG_LOCK), model, *more, unlock(BIG_LOCK))


def _words(guest: Guest, costs: Costs, on: str) -> Path:
    """Return the accesses of the data register, under the lock once for all that is one's own."""
    if not guest.words:
        return ()
    exits, each = guest.words, costs.ns("device_model")
    if guest.strings:
        exits = -(-2 * guest.words // costs.count("pio_string_bytes"))
        each += guest.words / exits * costs.ns("pio_word_model")
    model = work(on, exits * each, "vcpu: device model")
    words = work(on, 0.0, "vcpu: device model", counts="port_words", times=guest.words)
    return (
        leave("io", "user", where=on, times=exits),
        lock(BIG_LOCK),
        model,
        words,
        unlock(BIG_LOCK),
    )
