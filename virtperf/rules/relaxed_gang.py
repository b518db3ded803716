"""Relaxed co-scheduling: vCPUs run one by one, but those of a VM may not drift far apart.

Every period a worker that waits while one of its VM runs falls *behind* by that much; one that runs
or sleeps makes it good again (who sleeps wants nothing, and is no reason to stop others). If one is
behind by more than the skew, those of its VM that are not are stopped until it no longer is, and it
comes first. Otherwise who had least CPU time by weight is next, a slice at a time. (VMware ESX 3.)

A worker that belongs to no VM is a VM of its own.
"""

from typing import Any

from virtperf.rules.siblings import whole
from virtperf.rules.waiting import may_run

CONSTANTS = ("skew",)
POOL_FIELDS = ("waiting", "least")
WORKER_FIELDS = ("ready", "in_line", "had", "behind", "stopped_by_skew")

NOBODY, GANG, AFFINITY = 0, 2, 3  # of `tables.Idle`
STANDARD = 1024  # weight for which time counts once


def place(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return its last pCPU if that is idle, else the lowest that is; -1 if none, or if stopped.

    Where two are threads of a core, those of an idle core come first.
    """
    workers[w].ready = 1
    workers[w].had = max(workers[w].had, pool.least)  # who slept is not paid for it
    if workers[w].stopped_by_skew or pool.idle == 0:
        return -1
    found, last = -1, workers[w].last
    if last >= 0 and pcpus[last].worker == -1 and may_run(workers, w, last):
        if whole(pool, pcpus, last):
            return last
        found = last
    for p in range(pool.count):
        if pcpus[p].worker == -1 and may_run(workers, w, p):
            if whole(pool, pcpus, p):
                return p
            if found == -1:
                found = p
    return found


def enqueue(pool: Any, pcpus: Any, workers: Any, w: int, woken: int, now: int) -> None:
    """Let it wait; there is no order but that of `pick`."""
    workers[w].in_line = 1
    pool.waiting += 1


def pick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Take who is behind by more than the skew, else who had least; -1 if nobody may."""
    w = _first(pool, workers, p)
    if w != -1:
        workers[w].in_line = 0
        pool.waiting -= 1
        pool.least = max(pool.least, workers[w].had)
    return w


def _first(pool: Any, workers: Any, p: int) -> int:
    best = -1
    for w in range(pool.crew):
        may = workers[w].in_line and not workers[w].stopped_by_skew and may_run(workers, w, p)
        if may and (best == -1 or _before(pool, workers, w, best)):
            best = w
    return best


def _before(pool: Any, workers: Any, w: int, other: int) -> int:
    mine, its = workers[w].behind > pool.skew, workers[other].behind > pool.skew
    if mine != its:
        return int(mine)
    return int(workers[w].had < workers[other].had)


def due(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return the end of the slice, or -1 if nobody waits."""
    if pool.waiting == 0:
        return -1
    since = pcpus[p].dispatched
    return since + max(1, (now - since + pool.slice - 1) // pool.slice) * pool.slice


def wanted(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if somebody may run there who comes before the one that does."""
    w = _first(pool, workers, p)
    if w == -1:
        return 0
    return _before(pool, workers, w, pcpus[p].worker)


def account(pool: Any, pcpus: Any, workers: Any, w: int, ran: int, now: int) -> None:
    """Count what it had, by weight."""
    workers[w].had += ran * STANDARD // workers[w].weight


def leaves(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Note that it sleeps."""
    workers[w].ready = 0


def refill(pool: Any, pcpus: Any, workers: Any, now: int) -> None:
    """See who has fallen behind, and stop or release the others of its VM."""
    for leader in range(pool.crew):
        if workers[leader].leader == leader and workers[leader].kin != -1:
            _measure(pool, workers, leader)


def _measure(pool: Any, workers: Any, leader: int) -> None:
    runs, w = 0, leader
    while w != -1:
        if workers[w].ready and not workers[w].in_line:
            runs = 1
        w = workers[w].kin
    late, w = 0, leader
    while w != -1:
        if workers[w].in_line and not workers[w].stopped_by_skew:
            workers[w].behind += pool.period * runs
        else:
            workers[w].behind = max(0, workers[w].behind - pool.period)
        if workers[w].ready and workers[w].behind > pool.skew:
            late = 1
        w = workers[w].kin
    w = leader
    while w != -1:
        workers[w].stopped_by_skew = int(late and workers[w].behind <= pool.skew)
        w = workers[w].kin


def must_go(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if who runs is stopped, or somebody waits who is far behind and may run there."""
    running = pcpus[p].worker
    if workers[running].stopped_by_skew:
        return 1
    w = _first(pool, workers, p)
    if w == -1 or workers[w].behind <= pool.skew:
        return 0
    return int(workers[running].behind <= pool.skew)


def why_idle(pool: Any, pcpus: Any, workers: Any, p: int) -> int:
    """Return GANG if somebody waits who is stopped, AFFINITY if somebody else does."""
    found = NOBODY
    for w in range(pool.crew):
        if workers[w].in_line:
            if workers[w].stopped_by_skew:
                found = GANG
            elif found == NOBODY:
                found = AFFINITY
    return found
