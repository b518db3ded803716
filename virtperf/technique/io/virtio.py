"""virtio-blk: a ring in shared memory, doorbells only when they are needed; four back ends.

The guest's driver publishes a request and kicks only if it crosses the index the device side
asked for, once for all of a batch where it is told of one (`commit_rqs`); the kick is an exit that
ends in the kernel (ioeventfd). The back end takes all that
is in the ring, hands it to the host's block layer, and asks to be kicked again only when it is
about to sleep. Completions of one turn raise one interrupt (irqfd), again by index. A request
takes an entry of the ring until the guest has seen its completion; when none is left, others wait.

Who serves the ring is all that differs: an I/O thread of QEMU, its main loop, a worker of the
host's kernel (vhost), or a core that polls for ever (vhost-user).
"""

from typing import NamedTuple

from virtperf.path import Hold, Path, give, ring, take, work
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
    irqfd,
    main_loop,
    polling_core,
    vhost_worker,
)

RING = "ring entries"


class BackEnd(NamedTuple):
    """What a request costs its back end, as names of the platform's numbers, before and after."""

    pop: str = "virtio_pop"
    submit: str = "host_submit"
    reap: str = "host_complete"
    push: str = "virtio_complete"
    host: str = "host I/O"
    hands_over: Hold = "defer"


QEMU = BackEnd()
VHOST = BackEnd(pop="vhost_pop", push="vhost_complete", hands_over="async")
SPDK = BackEnd(
    pop="vhost_user_pop",
    submit="user_submit",
    reap="user_complete",
    push="vhost_user_complete",
    host="user-space I/O",
    hands_over="async",
)


def plan(guest: Guest, costs: Costs) -> Plan:
    """Return virtio-blk with I/O threads."""
    return _plan(guest, costs, iothread(guest, costs), QEMU)


def on_main_loop(guest: Guest, costs: Costs) -> Plan:
    """Return virtio-blk without an I/O thread: QEMU's main loop serves all of its queues."""
    return _plan(guest, costs, main_loop(costs), QEMU)


def vhost(guest: Guest, costs: Costs) -> Plan:
    """Return vhost-blk: workers of the host's kernel take requests and submit each at once."""
    return _plan(guest, costs, vhost_worker(guest, costs), VHOST)


def vhost_user(guest: Guest, costs: Costs) -> Plan:
    """Return vhost-user-blk: a core polls the rings and the device, which it drives itself."""
    return _plan(guest, costs, polling_core(guest, costs), SPDK)


def _plan(guest: Guest, costs: Costs, thread: Thread, end: BackEnd) -> Plan:
    return Plan(
        paths={kind: _path(guest, costs, kind, thread, end) for kind in guest.service},
        bells=(ioeventfd(costs, thread), completion(costs, thread), irqfd(costs, thread)),
        threads=(thread,),
        locks=(BIG_LOCK,) if thread.lock else (),
        slots=Slots(name=RING, count=costs.count("virtio_ring")),
    )


def _path(guest: Guest, costs: Costs, kind: str, thread: Thread, end: BackEnd) -> Path:
    host, virtio = f"{thread.role}: {end.host}", f"{thread.role}: virtio"
    return (
        *guest.issue(),
        take(RING),
        ring(KICK, hold=guest.tells),
        work(thread.name, costs.ns(end.pop), virtio),
        work(thread.name, costs.ns(end.submit), host),
        *guest.device(kind, hold=end.hands_over),
        ring(AIO),
        work(thread.name, costs.ns(end.reap), host),
        work(thread.name, costs.ns(end.push), virtio),
        ring(IRQ, hold="defer"),
        give(RING),
        *guest.reap(),
    )
