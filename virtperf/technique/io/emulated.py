"""Full emulation: every register access of the driver is an exit to QEMU, guest stopped.

The vCPU thread leaves the guest and the kernel, takes the big QEMU lock, runs the device model,
and goes back in. The last access of a submission starts the host's I/O there and then. The
completion is the main loop's: it holds the same lock whenever it does not sleep, sets the status,
and raises the interrupt by an ioctl; the guest's handler then touches more registers. A driver
keeps at most as many commands under way as the device has slots: IDE one, AHCI 32.

Data come by DMA, which is the host's copy into the guest's memory, or by programmed I/O through a
register of 16 bits: each word is then an access, or so many of them an exit as the hypervisor takes
of a string instruction at a time.
"""

from virtperf.path import Path, Step, give, leave, lock, ring, take, unlock, work
from virtperf.technique.costs import Costs
from virtperf.technique.io.plan import Guest, Plan, Slots
from virtperf.technique.io.threads import AIO, BIG_LOCK, IRQ, completion, irq_ioctl, main_loop

COMMANDS = "command slots"


def ide(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of a PIIX3 IDE disk, with bus-master DMA or programmed I/O."""
    return _plan("ide", guest, costs)


def ahci(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of an AHCI disk with native command queuing."""
    return _plan("ahci", guest, costs)


def nvme(guest: Guest, costs: Costs) -> Plan:
    """Return the plan of an NVMe disk whose doorbells trap."""
    return _plan("nvme", guest, costs)


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
    return Plan(
        paths=paths,
        bells=(completion(costs, thread), irq_ioctl(costs, thread)),
        threads=(thread,),
        locks=(BIG_LOCK,),
        slots=Slots(name=COMMANDS, count=costs.count(f"{device}_commands")),
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
