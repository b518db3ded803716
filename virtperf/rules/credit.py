"""Xen's credit scheduler: weights and caps by credits, boost for who wakes, a ratelimit, stealing.

CPU time is paid with credits, which here are ticks of CPU time; every accounting period hands out
as many as there are pCPUs to use, by weight, to the workers that were seen running at a tick (the
*active* ones). Who has credits is UNDER, who has overdrawn is OVER, who wakes UNDER is on BOOST
until a tick sees it run. A pCPU has a queue, by priority and then first in first out; a worker that
goes back goes to the tail of its priority. A cap parks who has overdrawn by more than a period's
worth of it, until a later accounting has made that good: it acts in bursts of whole periods.

A wake-up preempts a lower priority, but not before the ratelimit of the one that runs. A pCPU that
would run nobody, or somebody OVER, steals a higher priority from another's queue. Neither a tick
nor the accounting preempts. (Xen, common/sched/credit.c.)

A wake-up looks for an idle pCPU, not for an idle core. A tick makes that good: who is active and
still runs goes where more of a core is idle (csched_res_pick, multi-core and multi-thread support).
All pCPUs are of one socket here.
"""

from typing import Any

from virtperf.rules.siblings import sibling
from virtperf.rules.waiting import insert, may_run, take, take_behind

CONSTANTS = ("ratelimit", "balance_every", "sampled")
POOL_FIELDS = ("balance", "turn", "waiting", "held")
PCPU_FIELDS = ("head", "tail", "tickled", "unsorted", "balanced", "looked", "sliced")
WORKER_FIELDS = ("priority", "credit", "active", "parked", "absent", "at", "began", "left", "ceded")

BOOST, UNDER, OVER, NOBODY = 0, -1, -2, -64  # priorities
NEVER = -1
CPU, AFFINITY, CAP = 0, 3, 1  # of `tables.Idle`


# -- who waits ----------------------------------------------------------------------------------


def reset(pool: Any, pcpus: Any, workers: Any) -> None:
    """Let all start UNDER, with no credits, each on the first pCPU that its affinity allows."""
    pool.turn = -1
    for p in range(pool.count):
        pcpus[p].head = pcpus[p].tail = -1
        pcpus[p].balanced = -pool.balance_every
        pcpus[p].looked = -1
    for w in range(pool.crew):
        workers[w].priority = UNDER
        workers[w].left = NEVER
        p = workers[w].pin
        while not may_run(workers, w, p):
            p = (p + 1) % pool.count
        workers[w].at = p


def home(pool: Any, pcpus: Any, workers: Any, w: int) -> int:
    """Return the pCPU in front of which `w` waits."""
    return workers[w].at


def place(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Boost a woken worker; return its own pCPU if idle, else one that is, in turn; -1 if none."""
    workers[w].left = NEVER
    if workers[w].parked:
        return -1
    if workers[w].priority == UNDER and now > 0:  # who is there from the start was never asleep
        workers[w].priority = BOOST
    at = workers[w].at
    if pcpus[at].worker == -1:
        return at
    if pool.idle == 0:
        return -1
    for i in range(1, pool.count + 1):
        p = (pool.turn + i) % pool.count
        if pcpus[p].worker == -1 and may_run(workers, w, p):
            pool.turn = p
            return p
    return -1


def enqueue(pool: Any, pcpus: Any, workers: Any, w: int, woken: int, now: int) -> None:
    """Let `w` wait at the tail of its priority, unless it is parked."""
    if not woken:
        workers[w].left = now
    if workers[w].parked:
        workers[w].absent = 1
        pool.held += 1
        return
    _insert(pool, pcpus, workers, w)
    p = workers[w].at
    running = pcpus[p].worker
    if woken and running != -1 and workers[w].priority > workers[running].priority:
        pcpus[p].tickled = 1


def _insert(pool: Any, pcpus: Any, workers: Any, w: int) -> None:
    row = pcpus[workers[w].at]
    before = -1
    i = row.head
    while i != -1 and workers[i].priority >= workers[w].priority:
        before = i
        i = workers[i].next
    if workers[w].ceded and i != -1:
        before = i
    insert(row, workers, before, w)
    pool.waiting += 1


def yields(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Let `w` wait behind one of a lower priority, if there is one, where none may steal it."""
    workers[w].ceded = 1
    enqueue(pool, pcpus, workers, w, 0, now)


def favour(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Put waiting worker `w` at the head of the queue it is in; return 0 if it is parked."""
    row = pcpus[workers[w].at]
    if not take(row, workers, w):
        return 0
    insert(row, workers, -1, w)
    return 1


def preempts(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the pCPU of woken `w` if a lower priority runs there, past its ratelimit; or -1."""
    p = workers[w].at
    running = pcpus[p].worker
    if workers[w].parked or running == -1:
        return -1
    if workers[w].priority <= workers[running].priority:
        return -1
    if now - workers[running].began < pool.ratelimit:
        return -1
    return p


# -- who runs -------------------------------------------------------------------------------------


def pick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Take the head of the queue of `p`, or a higher priority from another's; -1 if nobody."""
    own = pcpus[p].head
    priority = NOBODY
    if own != -1:
        priority = workers[own].priority
    if priority <= OVER:
        w = _steal(pool, pcpus, workers, p, priority, now)
        if w != -1:
            return w
    if own == -1:
        return -1
    pool.waiting -= 1
    return take_behind(pcpus[p], workers, -1)


def _steal(pool: Any, pcpus: Any, workers: Any, p: int, priority: int, now: int) -> int:
    """Take the first of a higher priority that waits behind somebody and may run on `p`; or -1."""
    if pool.waiting == 0:
        return -1
    if priority != NOBODY:
        if now - pcpus[p].balanced < pool.balance_every:
            return -1
        pcpus[p].balanced = now
    for i in range(1, pool.count):
        peer = pcpus[(p + i) % pool.count]
        if peer.worker != -1:
            before = -1
            w = peer.head
            while w != -1 and workers[w].priority > priority:
                if _may_be_stolen(workers, w, p):
                    pool.waiting -= 1
                    return take_behind(peer, workers, before)
                before = w
                w = workers[w].next
    return -1


def starts(pool: Any, pcpus: Any, workers: Any, p: int, w: int, now: int) -> None:
    """Note since when it runs: one that goes on at once after its slice is not a new one."""
    if workers[w].left != now or pcpus[p].last != w:
        workers[w].began = now
    workers[w].at = p
    workers[w].ceded = 0
    pcpus[p].tickled = 0
    pcpus[p].sliced = now


def due(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return the end of the ratelimit, or of the slice, whichever comes next; -1 if none waits."""
    if pool.waiting == 0:
        return -1
    running = pcpus[p].worker
    if pcpus[p].head == -1 and workers[running].priority != OVER:
        return -1
    after = now
    if pcpus[p].looked == now:
        after += 1
    limit = workers[running].began + pool.ratelimit
    if pool.ratelimit and limit >= after:
        return limit
    since = pcpus[p].sliced
    return since + max(1, (after - since + pool.slice - 1) // pool.slice) * pool.slice


def wanted(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if one of its own queue may replace who runs on `p`, or one that it could steal.

    At the end of a slice, or of a ratelimit that a wake-up has met, an equal may; else only one of
    a higher priority, where that has changed since.
    """
    running = pcpus[p].worker
    mine = workers[running].priority
    head = pcpus[p].head
    pcpus[p].looked = now
    over = (now - pcpus[p].sliced) % pool.slice == 0
    if over or pcpus[p].tickled:
        pcpus[p].tickled = 0
        pcpus[p].sliced = now  # who stays has a new slice
        if head != -1 and workers[head].priority >= mine:
            return 1
        if mine <= OVER:
            return _could_steal(pool, pcpus, workers, p, mine, now)
        return 0
    if head != -1 and workers[head].priority > mine:
        return 1
    return 0


def _could_steal(pool: Any, pcpus: Any, workers: Any, p: int, priority: int, now: int) -> int:
    if now - pcpus[p].balanced < pool.balance_every:
        return 0
    for i in range(pool.count):
        peer = pcpus[i]
        if i != p and peer.worker != -1:
            w = peer.head
            while w != -1 and workers[w].priority > priority:
                if _may_be_stolen(workers, w, p):
                    return 1
                w = workers[w].next
    return 0


def _may_be_stolen(workers: Any, w: int, p: int) -> int:
    if workers[w].ceded:
        return 0
    return may_run(workers, w, p)


# -- accounting -----------------------------------------------------------------------------------


def account(pool: Any, pcpus: Any, workers: Any, w: int, ran: int, now: int) -> None:
    """Debit what ran; where debits are sampled, a tick does that."""
    if not pool.sampled:
        workers[w].credit -= ran


def tick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """End the boost of who runs on `p`, let it be active, and sort the queue if credits moved."""
    w = pcpus[p].worker
    if workers[w].priority == BOOST:
        workers[w].priority = UNDER
    workers[w].active = 1
    if pool.sampled:
        workers[w].credit -= pool.tick
    if pcpus[p].unsorted:
        pcpus[p].unsorted = 0
        _sort(pcpus[p], workers)
    return 0


def moves(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return the idle pCPU whose core is idler than that of `p`, for who runs there; -1 if none.

    Who was not active before this tick stays. Its own pCPU counts as idle unless others wait there.
    """
    w = pcpus[p].worker
    if pool.idle == 0 or not workers[w].active:
        return -1
    own = pcpus[p].head == -1
    found, most = -1, 0
    if own:
        most = _idle_threads(pool, pcpus, p, p)
    for i in range(1, pool.count):
        q = (p + i) % pool.count
        if pcpus[q].worker == -1 and may_run(workers, w, q):
            threads = _idle_threads(pool, pcpus, q, p if own else -1)
            if threads > most:
                found, most = q, threads
    return found


def _idle_threads(pool: Any, pcpus: Any, q: int, own: int) -> int:
    """Return how many threads of the core of `q`, which is idle, are; `own` is taken for idle."""
    other = sibling(q)
    if pool.sharing and (pcpus[other].worker == -1 or other == own):
        return 2
    return 1


def _sort(row: Any, workers: Any) -> None:
    """Put those that are OVER behind all others, which keep their order."""
    last, before = -1, -1  # the last that is not OVER, and the one before the next
    i = row.head
    while i != -1:
        after = workers[i].next
        if workers[i].priority > OVER:
            if before != last:
                take_behind(row, workers, before)
                insert(row, workers, last, i)
            else:
                before = i
            last = i
        else:
            before = i
        i = after


def refill(pool: Any, pcpus: Any, workers: Any, now: int) -> None:
    """Hand out a period's credits by weight, and see who is UNDER, OVER, parked."""
    whole = 0
    for w in range(pool.crew):
        whole += workers[w].weight * workers[w].active
    if whole == 0:
        return
    debt = max(0, -pool.balance)
    total = pool.period * pool.count + debt
    rest = whole
    pool.balance = 0
    for leader in range(pool.crew):
        if workers[leader].leader == leader:
            count, weight = _active(workers, leader)
            if count:
                rest -= weight
                most = count * pool.period + _part(debt, weight, whole)
                if workers[leader].cap:
                    most = min(most, _part(pool.period, workers[leader].cap, 1000))
                fair = _part(total, weight, whole)
                if fair >= most:
                    if rest:
                        total += _part(fair - most, whole, rest)
                    fair = most
                _earn(pool, pcpus, workers, leader, count, fair)
    for p in range(pool.count):
        pcpus[p].unsorted = 1


def _active(workers: Any, leader: int) -> tuple[int, int]:
    """Return how many workers of a domain are active, and their weights in all."""
    count, weight = 0, 0
    w = leader
    while w != -1:
        if workers[w].active:
            count += 1
            weight += workers[w].weight
        w = workers[w].kin
    return count, weight


def _earn(pool: Any, pcpus: Any, workers: Any, leader: int, count: int, fair: int) -> None:
    """Let each active worker of a domain have its part of what the domain gets."""
    allowed = pool.period * workers[leader].cap // (1000 * count)
    w = leader
    while w != -1:
        if workers[w].active:
            workers[w].credit += _part(fair, 1, count)
            if workers[w].credit < 0:
                workers[w].priority = OVER
                if workers[leader].cap and workers[w].credit < -allowed:
                    _park(pool, pcpus, workers, w)
                workers[w].credit = max(workers[w].credit, -pool.period)
            else:
                workers[w].priority = UNDER
                _unpark(pool, pcpus, workers, w)
                if workers[w].credit > pool.period:
                    workers[w].active = 0
                    workers[w].credit //= 2
            pool.balance += workers[w].credit
        w = workers[w].kin


def _part(total: int, share: int, whole: int) -> int:
    """Return `share` of `whole` parts of a total, rounded up; no product overflows."""
    return total // whole * share + (total % whole * share + whole - 1) // whole


def _park(pool: Any, pcpus: Any, workers: Any, w: int) -> None:
    if not workers[w].parked:
        workers[w].parked = 1
        if take(pcpus[workers[w].at], workers, w):
            pool.waiting -= 1
            pool.held += 1
            workers[w].absent = 1


def _unpark(pool: Any, pcpus: Any, workers: Any, w: int) -> None:
    workers[w].parked = 0
    if workers[w].absent:
        workers[w].absent = 0
        pool.held -= 1
        _insert(pool, pcpus, workers, w)


def must_go(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if who runs on `p` has just been parked."""
    return workers[pcpus[p].worker].parked


def why_idle(pool: Any, pcpus: Any, workers: Any, p: int) -> int:
    """Return what keeps `p` idle: affinity if somebody waits, a cap if somebody is parked."""
    if pool.waiting:
        return AFFINITY
    if pool.held:
        return CAP
    return CPU
