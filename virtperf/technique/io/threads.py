"""Host threads that serve a disk, and how they are told and tell: what all back ends share.

QEMU's main loop holds the big QEMU lock whenever it does not sleep, and never polls. An I/O thread
has no lock; it may poll for a window that adapts itself. A vhost worker is a thread of the host's
kernel. A polling core never sleeps: nobody need tell it anything.
"""

from virtperf.path import CONSUMER_STATES, Bell, Path, Ringing, Rule, Step, leave, work
from virtperf.technique.costs import Costs
from virtperf.technique.io.plan import Guest, Thread

BIG_LOCK = "big QEMU lock"
KICK, AIO, IRQ = "kick", "aio", "irq"


def main_loop(costs: Costs) -> Thread:
    """Return QEMU's main loop: there is one, whatever a disk has of queues."""
    wake = work("main-loop", costs.ns("thread_wake_cpu"), "main loop: wake-up")
    return Thread(name="main-loop", role="main loop", wake=(wake,), lock=BIG_LOCK)


def iothread(guest: Guest, costs: Costs, *, polls: bool = True) -> Thread:
    """Return QEMU's I/O threads; before they sleep they poll their rings, if these can be read."""
    poll = costs.ns("iothread_poll") if guest.poll is None else guest.poll
    wake = work("iothread", costs.ns("thread_wake_cpu"), "iothread: wake-up")
    pickup = work("iothread", costs.ns("poll_pickup"), "iothread: poll pick-up")
    return Thread(
        name="iothread",
        role="iothread",
        count=guest.threads,
        wake=(wake,),
        pickup=(pickup,) if polls else (),
        batch=costs.count("iothread_batch"),
        poll=poll if polls else 0.0,
        poll_start=costs.ns("iothread_poll_start") if polls else 0.0,
    )


def vhost_worker(guest: Guest, costs: Costs) -> Thread:
    """Return the workers of a vhost device, which take a weight of requests per turn."""
    wake = work("vhost-worker", costs.ns("kthread_wake_cpu"), "vhost worker: wake-up")
    return Thread(
        name="vhost-worker",
        role="vhost worker",
        count=guest.threads,
        wake=(wake,),
        batch=costs.count("vhost_weight"),
    )


def polling_core(guest: Guest, costs: Costs) -> Thread:
    """Return a thread that looks at its rings for ever, the device's completions being one more.

    What comes while it looks elsewhere is found after half a round on average.
    """
    half = costs.ns("ring_poll") * (guest.queues + 1) / 2
    pickup = work("polling-core", half, "polling core: poll pick-up")
    return Thread(name="polling-core", role="polling core", pickup=(pickup,), endless=True)


def ioeventfd(costs: Costs, to: Thread, *, rule: Rule = "event-index") -> Bell:
    """Return a doorbell write that the host's kernel matches and turns into an eventfd signal."""
    signal = work("vcpu", costs.ns("eventfd_signal"), "vcpu: eventfd", masked=True)
    sender: Path = (leave("kick", "kernel"), signal)
    delay = costs.ns("thread_wake_delay")
    costs_by_state = {
        state: Ringing(sender=sender, delay=delay if state == "asleep" else 0.0)
        for state in CONSUMER_STATES
    }
    return Bell(name=KICK, to=to.name, rule=rule, costs=costs_by_state, counts="kicks")


def completion(costs: Costs, to: Thread) -> Bell:
    """Return the host's completion, seen without a wake-up by a thread that polls."""
    asleep = Ringing(delay=costs.ns("thread_wake_delay"))
    return Bell(name=AIO, to=to.name, rule="always", costs={"asleep": asleep})


def irqfd(costs: Costs, sender: Thread, *, rule: Rule = "event-index") -> Bell:
    """Return the completion interrupt: an eventfd that the kernel turns into an injection."""
    account = f"{sender.role}: eventfd"
    return _interrupt(work(sender.name, costs.ns("eventfd_signal"), account, masked=True), rule)


def irq_ioctl(costs: Costs, sender: Thread, *, rule: Rule = "always") -> Bell:
    """Return the interrupt that QEMU raises by a call of KVM."""
    account = f"{sender.role}: interrupt ioctl"
    return _interrupt(work(sender.name, costs.ns("irq_ioctl"), account, masked=True), rule)


def _interrupt(pays: Step, rule: Rule) -> Bell:
    return Bell(
        name=IRQ,
        to="handler.interrupt",
        rule=rule,
        costs={state: Ringing(sender=(pays,)) for state in CONSUMER_STATES},
        counts="interrupts",
    )
