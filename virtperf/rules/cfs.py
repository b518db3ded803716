"""Linux's completely fair scheduler, until 6.5: whoever has the least vruntime runs.

A pCPU's queue is in order of vruntime; its *min_vruntime* follows the least there and never goes
back. In a *period*, ``latency`` or a ``min_granularity`` for each if that is more, all there have a
*slice*, by weight. A tick ends a slice that has been exceeded, and one past ``min_granularity``
whose worker is ahead of the first that waits by more than a slice. Between ticks only wake-ups
preempt (no hrtick).

Who wakes is placed half a ``latency`` behind min_vruntime (GENTLE_FAIR_SLEEPERS), or where it was
if that is later. It preempts who is ahead of it by more than ``wakeup_granularity``, in the virtual
time of the one behind, and is then next (the *buddy*) unless it is ahead of the head by as much.
Times are those of a machine, scaled already by its number of CPUs.

Left out: other buddies, the debit of new threads, groups of tasks. `fair` has the rest.
(kernel/sched/fair.c, 5.7.)
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
    spend,
    throttle,
    unthrottle,
    virtual_time,
    vruntime_on,
    wanted,
    why_idle,
)
from virtperf.rules.fair import reset as reset_queues

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

CONSTANTS = ("latency", "min_granularity", "wakeup_granularity", *fair.CONSTANTS)
POOL_FIELDS = fair.POOL_FIELDS
PCPU_FIELDS = (*fair.PCPU_FIELDS, "min_vruntime", "buddy")
WORKER_FIELDS = fair.WORKER_FIELDS


# -- who waits ------------------------------------------------------------------------------------


def reset(pool: Any, pcpus: Any, workers: Any) -> None:
    """Let each start on the first pCPU that its affinity allows; nobody is a buddy."""
    reset_queues(pool, pcpus, workers)
    for p in range(pool.count):
        pcpus[p].buddy = -1


def place(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the idle pCPU that a woken worker takes, or -1 if there is none or it is throttled."""
    if not funded(pool, workers, w):
        return -1
    p = idle_pcpu(pool, pcpus, workers, w)
    if p != -1:
        _move(pcpus, workers, w, p)
        _wake(pool, pcpus, workers, w, now)
    return p


def enqueue(pool: Any, pcpus: Any, workers: Any, w: int, woken: int, now: int) -> None:
    """Let `w` wait in order of vruntime, behind equals; or throttle it."""
    if not funded(pool, workers, w):
        throttle(pool, workers, w)
        return
    if woken:
        _wake(pool, pcpus, workers, w, now)
    before = -1
    i = pcpus[workers[w].at].head
    while i != -1 and workers[i].vruntime <= workers[w].vruntime:
        before = i
        i = workers[i].next
    add(pool, pcpus, workers, before, w)


def _wake(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Place a sleeper half a latency behind the others, or where it was if that is later."""
    p = workers[w].at
    _advance(pcpus, workers, p, now)
    workers[w].vruntime = max(workers[w].vruntime, pcpus[p].min_vruntime - pool.latency // 2)


def _move(pcpus: Any, workers: Any, w: int, p: int) -> None:
    """Give `w` another pCPU, and the same place in relation to others there."""
    workers[w].vruntime += pcpus[p].min_vruntime - pcpus[workers[w].at].min_vruntime
    workers[w].at = p


def _advance(pcpus: Any, workers: Any, p: int, now: int) -> None:
    """Let min_vruntime follow the least vruntime at `p`."""
    row = pcpus[p]
    least = row.min_vruntime
    if row.worker != -1:
        least = vruntime_on(pcpus, workers, p, now)
        if row.head != -1:
            least = min(least, workers[row.head].vruntime)
    elif row.head != -1:
        least = workers[row.head].vruntime
    row.min_vruntime = max(row.min_vruntime, least)


def leaves(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Let the domain of `w` have the runtime that it has not spent."""
    give_back(workers, w)


# -- who runs -------------------------------------------------------------------------------------


def pick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Take the buddy, or who has the least vruntime, else one of the busiest queue; or -1."""
    w = _first(pool, pcpus[p], workers)
    if w == -1:
        w = movable(pool, pcpus, workers, p)
    if w != -1:
        _advance(pcpus, workers, workers[w].at, now)
        remove(pool, pcpus, workers, w)
        _move(pcpus, workers, w, p)
    return w


def _first(pool: Any, row: Any, workers: Any) -> int:
    """Return who of a queue is next: its buddy, unless that is ahead of the head; -1 if nobody."""
    first, buddy = row.head, row.buddy
    row.buddy = -1
    if buddy != -1 and not _ahead(pool, workers, workers[buddy].vruntime, first):
        return buddy
    return first


def _ahead(pool: Any, workers: Any, vruntime: int, w: int) -> int:
    """Return 1 if a vruntime is ahead of that of `w` by more than the granularity of a wake-up."""
    granularity = virtual_time(pool.wakeup_granularity, workers[w].weight)
    if vruntime - workers[w].vruntime > granularity:
        return 1
    return 0


def preempts(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the pCPU of woken `w` if who runs there is ahead by more than the granularity."""
    if workers[w].throttled:
        return -1
    p = workers[w].at
    if not _ahead(pool, workers, vruntime_on(pcpus, workers, p, now), w):
        return -1
    pcpus[p].buddy = w
    return p


def tick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if somebody waits at `p` and the slice there is over, or far ahead of the first."""
    first = pcpus[p].head
    if first == -1:
        return 0
    ran = now - pcpus[p].dispatched
    its_slice = _slice(pool, pcpus[p], workers)
    if ran > its_slice:
        return 1
    if ran < pool.min_granularity:
        return 0
    if workers[pcpus[p].worker].vruntime - workers[first].vruntime > its_slice:
        return 1
    return 0


def _slice(pool: Any, row: Any, workers: Any) -> int:
    """Return the slice of who runs at a pCPU: its part, by weight, of a period."""
    mine = workers[row.worker].weight
    load = mine
    w = row.head
    while w != -1:
        load += workers[w].weight
        w = workers[w].next
    return max(pool.latency, (row.waiting + 1) * pool.min_granularity) * mine // load


# -- accounting -----------------------------------------------------------------------------------


def account(pool: Any, pcpus: Any, workers: Any, w: int, ran: int, now: int) -> None:
    """Charge what ran to the vruntime and the runtime of `w`."""
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
