"""Xen's credit2 scheduler: run queues by credit, resets, sleepers that keep theirs, caps by budget.

Up to ``per_queue`` pCPUs share a run queue, ordered by credit. The heaviest worker of a queue burns
one tick of credit per tick of CPU time, a lighter one more in inverse proportion. Who is chosen
runs until its credit is used up, or is down to that of the first who waits; not for less than
``min_runtime`` and what is left of its ratelimit, nor for longer than ``max_runtime``. When neither
it nor the first who waits has any credit left, all of the queue get ``credit_init`` more. A sleeper
keeps its credit, and preempts as it wakes if it has more than who runs. On another pCPU than its
own it needs ``migration_resistance`` more for that.

A capped domain gets a budget of CPU time each period. Its workers draw on that in parts, give back
what is left as they stop, and are parked if there is none, until the next period or until a part
comes back. A shortest run may overdraw; the domain's budget makes it good.

A pCPU that is to choose anew is *tickled*: its look is moved to now. Engines ask an idle one when
its worker left, when one wakes, and after a refill; so somebody who was displaced, or whose budget
came back, moves to another idle pCPU at the next refill and not at once. Queues are balanced in
the simplest form: an idle pCPU takes who has none in its own queue. (Xen, common/sched/credit2.c.)
"""

from typing import Any

from virtperf.rules.siblings import whole
from virtperf.rules.waiting import insert, may_run, take

CONSTANTS = (
    "credit_init",
    "credit_carryover",
    "min_runtime",
    "max_runtime",
    "ratelimit",
    "ratelimit_tolerance",
    "migration_resistance",
    "migration_compensation",
    "per_queue",
)
POOL_FIELDS = ("waiting", "held")
PCPU_FIELDS = ("head", "tail", "max_weight", "tickled", "heir", "until")
WORKER_FIELDS = (
    "credit",
    "residue",  # of what it owes, as that was divided by its weight
    "dealt",  # when it was charged last
    "began",
    "at",
    "tickled",
    "parked",
    "budget",  # its part of what its domain has
    "quota",  # the part it draws
    "purse",  # of a domain's first worker: what nobody has drawn
)

NOBODY, CAP, AFFINITY = 0, 1, 3  # of `tables.Idle`


# -- who waits ------------------------------------------------------------------------------------


def reset(pool: Any, pcpus: Any, workers: Any) -> None:
    """Let all start with all they can have, each on the first pCPU that its affinity allows."""
    for p in range(pool.count):
        pcpus[p].head = pcpus[p].tail = -1
        pcpus[p].heir = -1
    for w in range(pool.crew):
        workers[w].credit = pool.credit_init
        workers[w].tickled = -1
        p = workers[w].pin
        while not may_run(workers, w, p):
            p = (p + 1) % pool.count
        workers[w].at = p
        if workers[w].leader == w:
            _fill_purse(pool, workers, w)
    for first in range(0, pool.count, pool.per_queue):
        _weigh(pool, pcpus, workers, first)


def _fill_purse(pool: Any, workers: Any, leader: int) -> None:
    """Give a domain its first budget, and each of its workers an equal part to draw."""
    count = 0
    w = leader
    while w != -1:
        count += 1
        w = workers[w].kin
    workers[leader].purse = _allowance(pool, workers, leader)
    w = leader
    while w != -1:
        workers[w].quota = max(workers[leader].purse // count, pool.min_runtime)
        w = workers[w].kin


def _first(pool: Any, p: int) -> int:
    """Return the first pCPU of the run queue of `p`, whose row holds the queue."""
    return p - p % pool.per_queue


def _behind_last(pool: Any, first: int) -> int:
    return min(first + pool.per_queue, pool.count)


def _weigh(pool: Any, pcpus: Any, workers: Any, first: int) -> None:
    """Find the heaviest worker of a run queue, awake or not."""
    heaviest = 1
    for w in range(pool.crew):
        if _first(pool, workers[w].at) == first:
            heaviest = max(heaviest, workers[w].weight)
    pcpus[first].max_weight = heaviest


def home(pool: Any, pcpus: Any, workers: Any, w: int) -> int:
    """Return the pCPU that `w` has tickled, or -1."""
    return workers[w].tickled


def place(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return an idle pCPU for `w` if it has, or gets, a budget; -1 if not, which parks it."""
    p = _idle_for(pool, pcpus, workers, w)
    if p != -1 and not _affords(workers, w):
        return -1
    return p


def _idle_for(pool: Any, pcpus: Any, workers: Any, w: int) -> int:
    """Return the pCPU of `w` if it is idle, or the next such of its queue, or of another; or -1.

    Where two are threads of a core, those of an idle core come first.
    """
    if pool.idle == 0:
        return -1
    at, found = workers[w].at, -1
    first = _first(pool, at)
    size = _behind_last(pool, first) - first
    for i in range(size + pool.count):
        p = i - size
        if i < size:
            p = first + (at - first + i) % size
        if _is_free_for(pcpus, workers, w, p):
            if whole(pool, pcpus, p):
                return p
            if found == -1:
                found = p
    return found


def _is_free_for(pcpus: Any, workers: Any, w: int, p: int) -> int:
    if pcpus[p].worker == -1 and not pcpus[p].tickled and may_run(workers, w, p):
        return 1
    return 0


def enqueue(pool: Any, pcpus: Any, workers: Any, w: int, woken: int, now: int) -> None:
    """Let `w` wait at its place by credit and tickle whom it may preempt, unless it is parked."""
    workers[w].tickled = -1
    if not woken:
        _give_back(pool, pcpus, workers, w)
    if workers[w].parked:
        pool.held += 1
        return
    _insert(pool, pcpus, workers, w)
    p = _inferior_to(pool, pcpus, workers, w, now)
    if p != -1:
        _tickle(pcpus, workers, w, p, now)


def _insert(pool: Any, pcpus: Any, workers: Any, w: int) -> None:
    row = pcpus[_first(pool, workers[w].at)]
    before = -1
    i = row.head
    while i != -1 and workers[i].credit >= workers[w].credit:
        before = i
        i = workers[i].next
    insert(row, workers, before, w)
    pool.waiting += 1


def _tickle(pcpus: Any, workers: Any, w: int, p: int, now: int) -> None:
    """Let `p` choose anew at once; until it has, others leave `w` to it."""
    pcpus[p].tickled = 1
    pcpus[p].until = now
    workers[w].tickled = p


def _inferior_to(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the pCPU of `w` if less credit runs there, else that of least in its queue; or -1."""
    at = workers[w].at
    if _surplus(pool, pcpus, workers, w, at, now) > 0:
        return at
    most, found = 0, -1
    first = _first(pool, at)
    for p in range(first, _behind_last(pool, first)):
        surplus = _surplus(pool, pcpus, workers, w, p, now)
        if surplus > most:
            most, found = surplus, p
    return found


def _surplus(pool: Any, pcpus: Any, workers: Any, w: int, p: int, now: int) -> int:
    """Return how much more credit `w` has than preempting on `p` takes; it may if that is > 0."""
    running = pcpus[p].worker
    if running == -1 or pcpus[p].tickled or not may_run(workers, w, p):
        return 0
    fresh = pool.ratelimit - pool.ratelimit_tolerance
    if fresh > 0 and now - workers[running].began <= fresh:
        return 0
    _burn(pool, pcpus, workers, running, now)
    surplus = workers[w].credit - workers[running].credit
    if workers[w].at != p:
        surplus -= pool.migration_resistance
    return surplus


# -- who runs -------------------------------------------------------------------------------------


def pick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Take the one for whom the last worker of `p` had to go, else the best that waits; or -1."""
    pcpus[p].tickled = 0
    w = pcpus[p].heir
    pcpus[p].heir = -1
    if w == -1:
        w = _best(pool, pcpus, workers, p, -1, _first(pool, p))
    first = 0
    while w == -1 and first < pool.count:
        w = _best(pool, pcpus, workers, p, -1, first)
        first += pool.per_queue
    if w != -1:
        _take(pool, pcpus, workers, w)
    return w


def _take(pool: Any, pcpus: Any, workers: Any, w: int) -> None:
    take(pcpus[_first(pool, workers[w].at)], workers, w)
    pool.waiting -= 1


def _best(pool: Any, pcpus: Any, workers: Any, p: int, running: int, first: int) -> int:
    """Return the first of a queue that may replace who runs on `p` (-1: nobody), or that one."""
    w = pcpus[first].head
    while w != -1 and (running == -1 or workers[w].credit > workers[running].credit):
        after = workers[w].next
        if _may_replace(pool, pcpus, workers, w, p, running):
            if _affords(workers, w):
                return w
            _take(pool, pcpus, workers, w)
            pool.held += 1
        w = after
    return running


def _may_replace(pool: Any, pcpus: Any, workers: Any, w: int, p: int, running: int) -> int:
    """Return 0 if its affinity, another pCPU that it tickled, or resistance keeps `w` from `p`.

    An empty pCPU leaves it only to an idle one: one that is busy would displace somebody for it.
    """
    if not may_run(workers, w, p):
        return 0
    other = workers[w].tickled
    promised = other not in (-1, p) and pcpus[other].tickled
    if promised and (running != -1 or pcpus[other].worker == -1):
        return 0
    if running == -1 or workers[w].at == p:
        return 1
    if workers[w].credit < workers[running].credit + pool.migration_resistance:
        return 0
    return 1


def starts(pool: Any, pcpus: Any, workers: Any, p: int, w: int, now: int) -> None:
    """Count its ratelimit from now on; let it be of the queue of `p`, and pay it for a move."""
    before = workers[w].at
    workers[w].began = workers[w].dealt = now
    workers[w].tickled = -1
    workers[w].at = p
    if _first(pool, before) != _first(pool, p):
        _weigh(pool, pcpus, workers, _first(pool, before))
        _weigh(pool, pcpus, workers, _first(pool, p))
    _renew(pool, pcpus, workers, p, w, now)
    if before != p:
        workers[w].credit += pool.migration_compensation
    pcpus[p].until = now + _runtime(pool, pcpus, workers, p, w, now)


def due(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return the end of the runtime, also of one that is alone: credits are renewed at looks."""
    return pcpus[p].until


def wanted(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if who runs on `p` has no budget or another is to run; else give it more runtime."""
    w = pcpus[p].worker
    pcpus[p].tickled = 0
    if not _affords(workers, w):
        return 1
    if now - workers[w].began >= pool.ratelimit:
        best = _best(pool, pcpus, workers, p, w, _first(pool, p))
        if best != w:
            pcpus[p].heir = best
            return 1
    _renew(pool, pcpus, workers, p, w, now)
    pcpus[p].until = now + _runtime(pool, pcpus, workers, p, w, now)
    return 0


def _runtime(pool: Any, pcpus: Any, workers: Any, p: int, w: int, now: int) -> int:
    """Return for how long `w` may run before the next look."""
    row = pcpus[_first(pool, p)]
    credit = workers[w].credit
    if row.head != -1 and workers[row.head].credit > 0:
        credit -= workers[row.head].credit
    runtime = credit * workers[w].weight // row.max_weight
    if workers[workers[w].leader].cap:
        runtime = min(runtime, workers[w].budget)
    ratelimit = workers[w].began + pool.ratelimit - now
    if runtime < max(pool.min_runtime, ratelimit):
        return max(pool.min_runtime, ratelimit, 1)
    return min(runtime, pool.max_runtime)


# -- credit ---------------------------------------------------------------------------------------


def account(pool: Any, pcpus: Any, workers: Any, w: int, ran: int, now: int) -> None:
    """Charge what `w` ran; part of that may have been charged when another tickled."""
    _burn(pool, pcpus, workers, w, now)


def _burn(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Charge `w` what it ran since it was last charged; what does not divide is kept."""
    ran = now - workers[w].dealt
    workers[w].dealt = now
    owed = ran * pcpus[_first(pool, workers[w].at)].max_weight + workers[w].residue
    workers[w].residue = owed % workers[w].weight
    workers[w].credit = max(workers[w].credit - owed // workers[w].weight, -pool.credit_init)
    if workers[workers[w].leader].cap:
        workers[w].budget -= ran


def _renew(pool: Any, pcpus: Any, workers: Any, p: int, w: int, now: int) -> None:
    """Raise the credit of all in the queue of `p` if the next, `w`, and the first have none."""
    first = _first(pool, p)
    head = pcpus[first].head
    if workers[w].credit > 0 or (head != -1 and workers[head].credit > 0):
        return
    raised = pool.credit_init
    if workers[w].credit <= -pool.credit_init:  # one that much in debt would still have none
        raised *= 2
    most = pool.credit_init + pool.credit_carryover
    for i in range(pool.crew):
        at = workers[i].at
        if _first(pool, at) == first:
            if pcpus[at].worker == i:
                _burn(pool, pcpus, workers, i, now)
            workers[i].credit = min(workers[i].credit + raised, most)


# -- budgets of capped domains --------------------------------------------------------------------


def _allowance(pool: Any, workers: Any, leader: int) -> int:
    """Return the CPU time that a domain may use in a period."""
    allowance: int = pool.period * workers[leader].cap // 1000
    return allowance


def _affords(workers: Any, w: int) -> int:
    """Return 1 if `w` has no cap or a budget, or can draw one; else park it and return 0."""
    leader = workers[w].leader
    if not workers[leader].cap or workers[w].budget > 0:
        return 1
    workers[leader].purse += workers[w].budget  # at most 0: what it has overdrawn
    workers[w].budget = max(0, min(workers[w].quota, workers[leader].purse))
    workers[leader].purse -= workers[w].budget
    if workers[w].budget > 0:
        return 1
    workers[w].parked = 1
    return 0


def leaves(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Let a sleeper give back what is left of its budget."""
    _give_back(pool, pcpus, workers, w)


def _give_back(pool: Any, pcpus: Any, workers: Any, w: int) -> None:
    """Return what `w` has not used to its domain, and let those wait again who were parked."""
    leader = workers[w].leader
    if not workers[leader].cap or workers[w].budget <= 0:
        return
    workers[leader].purse += workers[w].budget
    workers[w].budget = 0
    if workers[leader].purse > 0:
        i = leader
        while i != -1:
            _unpark(pool, pcpus, workers, i)
            i = workers[i].kin


def _unpark(pool: Any, pcpus: Any, workers: Any, w: int) -> int:
    """Let a parked worker wait in its queue; return whether it was parked."""
    if not workers[w].parked:
        return 0
    workers[w].parked = 0
    pool.held -= 1
    _insert(pool, pcpus, workers, w)
    return 1


def refill(pool: Any, pcpus: Any, workers: Any, now: int) -> None:
    """Add to the budgets of capped domains, not to more than a period's, and unpark."""
    for leader in range(pool.crew):
        if workers[leader].leader == leader and workers[leader].cap:
            allowance = _allowance(pool, workers, leader)
            workers[leader].purse = min(workers[leader].purse + allowance, allowance)
            if workers[leader].purse > 0:
                w = leader
                while w != -1:
                    if _unpark(pool, pcpus, workers, w):
                        _call_for(pool, pcpus, workers, w, now)
                    w = workers[w].kin


def _call_for(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Tickle an idle pCPU for `w`, else one where it may preempt."""
    p = _idle_for(pool, pcpus, workers, w)
    if p == -1:
        p = _inferior_to(pool, pcpus, workers, w, now)
    if p != -1:
        _tickle(pcpus, workers, w, p, now)


def why_idle(pool: Any, pcpus: Any, workers: Any, p: int) -> int:
    """Return what keeps `p` idle: a cap if somebody is or was parked, affinity if others wait."""
    if pool.held:
        return CAP
    if pool.waiting == 0:
        return NOBODY
    for first in range(0, pool.count, pool.per_queue):
        w = pcpus[first].head
        while w != -1:
            if workers[workers[w].leader].cap and may_run(workers, w, p):
                return CAP  # what its domain has came back, but not in time for `p`
            w = workers[w].next
    return AFFINITY
