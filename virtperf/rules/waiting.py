"""A queue of workers in front of one pCPU, or of several: a chain from ``head`` to ``tail``.

State: `row`, a pool or a pCPU, has ``head tail``; `workers[i]` has ``next``, -1 at the end.
"""

from typing import Any


def insert(row: Any, workers: Any, before: int, w: int) -> None:
    """Put worker `w` behind `before`, or at the head if that is -1."""
    if before == -1:
        workers[w].next = row.head
        row.head = w
    else:
        workers[w].next = workers[before].next
        workers[before].next = w
    if workers[w].next == -1:
        row.tail = w


def take_behind(row: Any, workers: Any, before: int) -> int:
    """Take the worker behind `before` out, or the head if that is -1; return it, or -1."""
    w = row.head
    if before != -1:
        w = workers[before].next
    if w == -1:
        return -1
    after = workers[w].next
    if before == -1:
        row.head = after
    else:
        workers[before].next = after
    if after == -1:
        row.tail = before
    workers[w].next = -1
    return w


def take(row: Any, workers: Any, w: int) -> int:
    """Take worker `w` out of the queue; return 1, or 0 if it was not in it."""
    before = -1
    i = row.head
    while i != -1 and i != w:
        before = i
        i = workers[i].next
    if i == -1:
        return 0
    take_behind(row, workers, before)
    return 1


def may_run(workers: Any, w: int, p: int) -> int:
    """Return 1 if the affinity of worker `w` lets it run on pCPU `p`, else 0."""
    return (workers[w].affinity[p // 60] >> (p % 60)) & 1
