"""What Linux's fair schedulers have in common: queues, wake-ups, idle balancing, bandwidth control.

A worker's *vruntime* is the CPU time it has had, in ticks, slower the more weight it has: weight
1024 (nice 0) has one tick a tick. Each pCPU has a queue, and a worker its pCPU: the one where it
ran last. Who wakes takes that if it is idle, else an idle one it may use, else waits there. A pCPU
that falls idle pulls from the queue with most waiting that may run on it.

A domain with a cap has, in each period, that part of it as *runtime* to spend; its workers draw
it in slices (``bandwidth_slice``). Who has spent its own and finds no more is throttled until a
period begins that has some for it, first who has waited longest. To its queue that is a sleep, as
in Linux.

Other than in Linux (kernel/sched/fair.c), runtime that was drawn is a worker's, not a pCPU's; all
of it goes back as the worker sleeps, yet wakes nobody before the next period; and no run that has
spent it goes on until a tick. There is no cache-hot rule (migration_cost). A pCPU pulls as it falls
idle, or if it is idle as a period begins; load is not balanced otherwise.
"""

from typing import Any

from virtperf.rules.siblings import whole
from virtperf.rules.waiting import insert, may_run, take

CONSTANTS = ("bandwidth_slice",)
POOL_FIELDS = ("waiting",)
PCPU_FIELDS = ("head", "tail", "waiting")
WORKER_FIELDS = ("at", "vruntime", "throttled", "runtime", "runtime_remaining")

NICE_0 = 1024  # weight
CPU, CAP, AFFINITY = 0, 1, 3  # of `tables.Idle`


def reset(pool: Any, pcpus: Any, workers: Any) -> None:
    """Let each start on the first pCPU that its affinity allows, and hand out runtime."""
    for p in range(pool.count):
        pcpus[p].head = pcpus[p].tail = -1
    for w in range(pool.crew):
        p = workers[w].pin
        while not may_run(workers, w, p):
            p = (p + 1) % pool.count
        workers[w].at = p
    replenish(pool, workers)


def home(pool: Any, pcpus: Any, workers: Any, w: int) -> int:
    """Return the pCPU in front of which `w` waits."""
    return workers[w].at


# -- virtual time ---------------------------------------------------------------------------------


def virtual_time(ticks: int, weight: int) -> int:
    """Return by how much CPU time moves the vruntime of such a weight; no product overflows."""
    return ticks // weight * NICE_0 + ticks % weight * NICE_0 // weight


def vruntime_on(pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return the vruntime of who runs on `p`, with what it has not been charged yet."""
    w = pcpus[p].worker
    return workers[w].vruntime + virtual_time(now - pcpus[p].charged, workers[w].weight)


# -- who waits where ------------------------------------------------------------------------------


def add(pool: Any, pcpus: Any, workers: Any, before: int, w: int) -> None:
    """Let `w` wait at its pCPU, behind `before`, or first if that is -1."""
    row = pcpus[workers[w].at]
    insert(row, workers, before, w)
    row.waiting += 1
    pool.waiting += 1


def remove(pool: Any, pcpus: Any, workers: Any, w: int) -> None:
    """Take `w` out of the queue at its pCPU."""
    row = pcpus[workers[w].at]
    take(row, workers, w)
    row.waiting -= 1
    pool.waiting -= 1


def idle_pcpu(pool: Any, pcpus: Any, workers: Any, w: int) -> int:
    """Return the pCPU of `w` if it is idle, else the next idle one it may use; -1 if none.

    Where two are threads of a core, the others are looked through for an idle core first. (Linux,
    select_idle_sibling.)
    """
    if pool.idle == 0:
        return -1
    found = -1
    for i in range(pool.count):
        p = (workers[w].at + i) % pool.count
        if pcpus[p].worker == -1 and may_run(workers, w, p):
            if i == 0 or whole(pool, pcpus, p):
                return p
            if found == -1:
                found = p
    return found


def movable(pool: Any, pcpus: Any, workers: Any, p: int) -> int:
    """Return the first that may go to `p`, of the queue with most of them; -1 if there is none."""
    if pool.waiting == 0:
        return -1
    most, found = 0, -1
    for i in range(1, pool.count):
        count, first = _movable_from(pcpus[(p + i) % pool.count], workers, p)
        if count > most:
            most, found = count, first
    return found


def _movable_from(row: Any, workers: Any, p: int) -> tuple[int, int]:
    """Return how many of those that wait at a pCPU may go to `p`, and the first of them, or -1.

    The first that waits at an idle pCPU may not: that is about to run it.
    """
    count, first = 0, -1
    w = row.head
    if w != -1 and row.worker == -1:
        w = workers[w].next
    while w != -1:
        if may_run(workers, w, p):
            if count == 0:
                first = w
            count += 1
        w = workers[w].next
    return count, first


def why_idle(pool: Any, pcpus: Any, workers: Any, p: int) -> int:
    """Return what keeps `p` idle: affinity if somebody waits, a cap if somebody is throttled."""
    if pool.waiting:
        return AFFINITY
    if pool.head != -1:
        return CAP
    return CPU


# -- bandwidth control ----------------------------------------------------------------------------


def replenish(pool: Any, workers: Any) -> None:
    """Let each domain with a cap have a period's runtime; what is left of the last is lost."""
    for w in range(pool.crew):
        cap = workers[w].cap
        if cap and workers[w].leader == w:
            workers[w].runtime = pool.period // 1000 * cap + pool.period % 1000 * cap // 1000


def funded(pool: Any, workers: Any, w: int) -> int:
    """Return 1 if `w` may run: without a cap, or with runtime, which it may have to draw."""
    leader = workers[w].leader
    if workers[leader].cap == 0:
        return 1
    if workers[w].runtime_remaining == 0:
        drawn = min(pool.bandwidth_slice, workers[leader].runtime)
        workers[leader].runtime -= drawn
        workers[w].runtime_remaining = drawn
    if workers[w].runtime_remaining:
        return 1
    return 0


def spend(workers: Any, w: int, ran: int) -> None:
    """Charge what ran to the runtime that `w` has drawn."""
    if workers[workers[w].leader].cap:
        workers[w].runtime_remaining -= ran


def give_back(workers: Any, w: int) -> None:
    """Return to the domain what `w`, who sleeps, has drawn and not spent."""
    workers[workers[w].leader].runtime += workers[w].runtime_remaining
    workers[w].runtime_remaining = 0


def throttle(pool: Any, workers: Any, w: int) -> None:
    """Let `w` stand aside until its domain has runtime."""
    workers[w].throttled = 1
    insert(pool, workers, pool.tail, w)


def unthrottle(pool: Any, workers: Any) -> int:
    """Take the first that is throttled and can draw runtime now; -1 if there is none."""
    w = pool.head
    while w != -1 and not funded(pool, workers, w):
        w = workers[w].next
    if w != -1:
        workers[w].throttled = 0
        take(pool, workers, w)
    return w


def due(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return when who runs on `p` has spent its runtime; -1 without a cap: the rest ticks see."""
    w = pcpus[p].worker
    if workers[workers[w].leader].cap == 0:
        return -1
    return pcpus[p].charged + workers[w].runtime_remaining


def wanted(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if who runs on `p` has spent its runtime and cannot draw more."""
    return 1 - funded(pool, workers, pcpus[p].worker)
