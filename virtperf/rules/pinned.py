"""Pinned: every worker runs on its own pCPU only, first in first out there.

State as in `round_robin`; `workers[i]` also has ``pin``.
"""

from typing import Any

from virtperf.rules.round_robin import enqueue, favour
from virtperf.rules.waiting import take_behind

__all__ = ["due", "enqueue", "favour", "pick", "place", "wanted"]


def place(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the pCPU of worker `w` if it is idle, else -1."""
    pin = workers[w].pin
    if pcpus[pin].worker == -1:
        return pin
    return -1


def pick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Take the first worker that is pinned to pCPU `p` off the queue; -1 if there is none."""
    before = -1
    w = pool.head
    while w != -1 and workers[w].pin != p:
        before = w
        w = workers[w].next
    if w == -1:
        return -1
    return take_behind(pool, workers, before)


def due(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return when the slice of the worker on pCPU `p` ends, or -1 if nobody waits there."""
    if wanted(pool, pcpus, workers, p, now):
        return pcpus[p].dispatched + pool.slice
    return -1


def wanted(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if a worker that is pinned to pCPU `p` waits, else 0."""
    w = pool.head
    while w != -1:
        if workers[w].pin == p:
            return 1
        w = workers[w].next
    return 0
