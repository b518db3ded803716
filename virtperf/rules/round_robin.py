"""Round robin: one queue for all pCPUs, first in first out, no wake-up preemption.

A policy is a module of these functions; `sim.pool` says when each is called.
State: `pool` has ``count idle head tail`` (pCPUs, how many of them nobody runs on, the queue);
`pcpus[i]` has ``worker`` (who runs there, or -1); `workers[i]` has ``next`` (behind it in the
queue, or -1) and ``last`` (its last pCPU, or -1).
"""

from typing import Any


def place(pool: Any, pcpus: Any, workers: Any, w: int) -> int:
    """Return the idle pCPU a woken worker takes: its last one, else the lowest; -1 if none."""
    if pool.idle == 0:
        return -1
    last = workers[w].last
    if last >= 0 and pcpus[last].worker == -1:
        return last
    for p in range(pool.count):
        if pcpus[p].worker == -1:
            return p
    return -1


def enqueue(pool: Any, workers: Any, w: int, woken: int) -> None:
    """Put worker `w` at the tail of the queue, `woken` or (0) because it lost its pCPU."""
    workers[w].next = -1
    if pool.tail == -1:
        pool.head = w
    else:
        workers[pool.tail].next = w
    pool.tail = w


def pick(pool: Any, workers: Any, p: int) -> int:
    """Take the next worker for pCPU `p` off the queue; -1 if nobody waits."""
    w = pool.head
    if w != -1:
        pool.head = workers[w].next
        if pool.head == -1:
            pool.tail = -1
    return w


def wanted(pool: Any, workers: Any, p: int) -> int:
    """Return 1 if somebody waits who may run on pCPU `p`, so that a slice must end, else 0."""
    if pool.head == -1:
        return 0
    return 1


def slice_of(pool: Any, workers: Any, w: int) -> int:
    """Return how long worker `w` may run from its dispatch while others wait, in ticks."""
    return pool.slice
