"""Linux's scheduler since 6.6: the earliest eligible virtual deadline first.

The *average* of a pCPU is the mean, by weight, of the vruntimes there. A worker's *lag* is how far
it is behind; with a lag of 0 or more it is *eligible*: it has had no more than its share. Its
*deadline* is the vruntime at which it will have had ``base_slice``; there it gets a new one. Of the
eligible the one with the earliest deadline runs. Who that is is asked when a tick finds a slice
over, so that slices end at ticks, and when somebody wakes, who preempts if it is that one.

A lag is kept over a sleep, up to two slices or a tick. Who wakes is placed behind the average by
its lag times (W + w) / W, where W is the weight that is there and w its own: so much, as its coming
draws the average back, leaves it its lag. At a pCPU where nobody is a lag is lost.

Left out: RUN_TO_PARITY (a wake-up spares who is eligible), the short first slice of new threads,
groups of tasks. `fair` has the rest. (kernel/sched/fair.c, 6.6.)
"""

from typing import Any

from virtperf.rules import fair
from virtperf.rules.fair import (
    add,
    due,
    funded,
    give_back,
    home,
    idle_pcpu,
    movable,
    remove,
    replenish,
    reset,
    spend,
    throttle,
    unthrottle,
    virtual_time,
    vruntime_on,
    wanted,
    why_idle,
)

__all__ = [
    "account",
    "due",
    "enqueue",
    "home",
    "leaves",
    "pick",
    "place",
    "preempts",
    "refill",
    "reset",
    "tick",
    "wanted",
    "why_idle",
]

CONSTANTS = ("base_slice", *fair.CONSTANTS)
POOL_FIELDS = fair.POOL_FIELDS
PCPU_FIELDS = (*fair.PCPU_FIELDS, "average")
WORKER_FIELDS = (*fair.WORKER_FIELDS, "deadline", "lag")


# -- who waits ------------------------------------------------------------------------------------


def place(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the idle pCPU that a woken worker takes, or -1 if there is none or it is throttled."""
    if not funded(pool, workers, w):
        return -1
    p = idle_pcpu(pool, pcpus, workers, w)
    if p != -1:
        _join(pool, pcpus, workers, w, p, now)
    return p


def enqueue(pool: Any, pcpus: Any, workers: Any, w: int, woken: int, now: int) -> None:
    """Let `w` wait at the tail, with a new slice if it comes or its own is over; or throttle it."""
    p = workers[w].at
    if not funded(pool, workers, w):
        if not woken:
            _keep_lag(pool, pcpus, workers, w)
        throttle(pool, workers, w)
        return
    if woken:
        _join(pool, pcpus, workers, w, p, now)
    else:
        _renew(pool, workers, w)
    add(pool, pcpus, workers, pcpus[p].tail, w)


def _join(pool: Any, pcpus: Any, workers: Any, w: int, p: int, now: int) -> None:
    """Place `w` at `p` with the lag it has kept, which an empty queue ends, and a new slice."""
    load = _advance(pcpus, workers, p, now)
    workers[w].at = p
    workers[w].vruntime = pcpus[p].average
    if load:
        workers[w].vruntime -= workers[w].lag + workers[w].lag * workers[w].weight // load
    workers[w].deadline = workers[w].vruntime + virtual_time(pool.base_slice, workers[w].weight)


def _keep_lag(pool: Any, pcpus: Any, workers: Any, w: int) -> None:
    """Note the lag of `w`, which has been charged and goes from its pCPU, within its limits."""
    limit = virtual_time(max(2 * pool.base_slice, pool.tick), workers[w].weight)
    lag = pcpus[workers[w].at].average - workers[w].vruntime
    workers[w].lag = max(-limit, min(lag, limit))


def _advance(pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Move the average of `p` to now, rounded down; return the sum of the weights there.

    Distances are from where it was last, which is near: no product overflows.
    """
    row = pcpus[p]
    load, moved = 0, 0
    if row.worker != -1:
        load = workers[row.worker].weight
        moved = load * (vruntime_on(pcpus, workers, p, now) - row.average)
    w = row.head
    while w != -1:
        load += workers[w].weight
        moved += workers[w].weight * (workers[w].vruntime - row.average)
        w = workers[w].next
    if load:
        row.average += moved // load
    return load


def _renew(pool: Any, workers: Any, w: int) -> int:
    """Let `w` have a new slice if its slice is over; return whether it was."""
    if workers[w].vruntime < workers[w].deadline:
        return 0
    workers[w].deadline = workers[w].vruntime + virtual_time(pool.base_slice, workers[w].weight)
    return 1


def leaves(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Note the lag that `w` takes into its sleep, and let its domain have its runtime."""
    give_back(workers, w)
    _keep_lag(pool, pcpus, workers, w)


# -- who runs -------------------------------------------------------------------------------------


def pick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Take the eligible one with the earliest deadline, else one of the busiest queue; or -1."""
    if pcpus[p].head != -1:
        _advance(pcpus, workers, p, now)
        w = _earliest(pcpus[p], workers)
        remove(pool, pcpus, workers, w)
        return w
    w = movable(pool, pcpus, workers, p)
    if w != -1:
        remove(pool, pcpus, workers, w)
        _join(pool, pcpus, workers, w, p, now)
    return w


def _earliest(row: Any, workers: Any) -> int:
    """Return who of a queue is eligible and has the earliest deadline, the first of equals; or -1.

    Its average is that of now. Rounded down it is still no less than the least vruntime.
    """
    best = -1
    w = row.head
    while w != -1:
        earlier = best == -1 or workers[w].deadline < workers[best].deadline
        if earlier and workers[w].vruntime <= row.average:
            best = w
        w = workers[w].next
    return best


def preempts(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the pCPU of woken `w` if the slice there is over, or `w` is the one to run; or -1."""
    if workers[w].throttled:
        return -1
    p = workers[w].at
    running = pcpus[p].worker
    vruntime = vruntime_on(pcpus, workers, p, now)
    if vruntime >= workers[running].deadline:
        return p
    _advance(pcpus, workers, p, now)
    if _earliest(pcpus[p], workers) != w:
        return -1
    if vruntime <= pcpus[p].average and workers[running].deadline <= workers[w].deadline:
        return -1
    return p


def tick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if the slice of who runs on `p` is over and somebody waits there."""
    if _renew(pool, workers, pcpus[p].worker) and pcpus[p].waiting:
        return 1
    return 0


# -- accounting -----------------------------------------------------------------------------------


def account(pool: Any, pcpus: Any, workers: Any, w: int, ran: int, now: int) -> None:
    """Charge what ran to the vruntime and the runtime of `w`, and let the average follow."""
    workers[w].vruntime += virtual_time(ran, workers[w].weight)
    spend(workers, w, ran)
    _advance(pcpus, workers, workers[w].at, now)


def refill(pool: Any, pcpus: Any, workers: Any, now: int) -> None:
    """Begin a period of bandwidth control: who is throttled wakes while there is runtime."""
    replenish(pool, workers)
    w = unthrottle(pool, workers)
    while w != -1:
        enqueue(pool, pcpus, workers, w, 1, now)
        w = unthrottle(pool, workers)
