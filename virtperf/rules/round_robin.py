"""Round robin: one queue for all pCPUs, first in first out, no wake-up preemption.

`policies` says when each function is called. State: `pool` has ``count idle head tail`` (pCPUs,
how many of them nobody runs on, the queue) and ``slice``; `pcpus[i]` has ``worker`` (who runs
there, or -1) and ``dispatched`` (since when); `workers[i]` has ``next`` (behind it in the queue, or
-1) and ``last`` (its last pCPU, or -1).
"""

from typing import Any

from virtperf.rules.siblings import whole
from virtperf.rules.waiting import insert, take


def place(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the idle pCPU a woken worker takes: its last one, else the lowest; -1 if none.

    Where two are threads of a core, those of an idle core come first.
    """
    if pool.idle == 0:
        return -1
    found, last = -1, workers[w].last
    if last >= 0 and pcpus[last].worker == -1:
        if whole(pool, pcpus, last):
            return last
        found = last
    for p in range(pool.count):
        if pcpus[p].worker == -1:
            if whole(pool, pcpus, p):
                return p
            if found == -1:
                found = p
    return found


def enqueue(pool: Any, pcpus: Any, workers: Any, w: int, woken: int, now: int) -> None:
    """Put worker `w` at the tail of the queue, `woken` or (0) because it lost its pCPU."""
    workers[w].next = -1
    if pool.tail == -1:
        pool.head = w
    else:
        workers[pool.tail].next = w
    pool.tail = w


def favour(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Put waiting worker `w` at the head of the queue; return 1."""
    take(pool, workers, w)
    insert(pool, workers, -1, w)
    return 1


def pick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Take the next worker for pCPU `p` off the queue; -1 if nobody waits."""
    w = pool.head
    if w != -1:
        pool.head = workers[w].next
        if pool.head == -1:
            pool.tail = -1
    return w


def due(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return when the slice of the worker on pCPU `p` ends, or -1 if nobody waits."""
    if pool.head == -1:
        return -1
    return pcpus[p].dispatched + pool.slice


def wanted(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if somebody waits still, else 0."""
    if pool.head == -1:
        return 0
    return 1
