"""Strict co-scheduling: all vCPUs of a VM are on pCPUs together, or none is.

Time goes in slots of a slice. For each, VMs that want to run are seated in the order of the time
they had, by weight, as long as there are pCPUs for all of a VM's workers; each has its pCPU for the
slot, also while it sleeps. A VM of which nobody wants to run gives its pCPUs up at once, and others
are seated there. So pCPUs stay idle where a VM does not fit, or part of one sleeps. (Ousterhout
1982; strict co-scheduling of VMware ESX 2.)

A worker that belongs to no VM is a VM of its own.
"""

from typing import Any

CONSTANTS = ()
POOL_FIELDS = ("waiting", "changed")
PCPU_FIELDS = ("seated",)
WORKER_FIELDS = ("seat", "ready", "in_line", "had", "sat_down")

NOBODY, GANG = 0, 2  # of `tables.Idle`
STANDARD = 1024  # weight for which time counts once


def reset(pool: Any, pcpus: Any, workers: Any) -> None:
    """Let nobody have a seat."""
    for p in range(pool.count):
        pcpus[p].seated = -1
    for w in range(pool.crew):
        workers[w].seat = -1


def place(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> int:
    """Return the pCPU of a worker whose VM is seated, or -1."""
    workers[w].ready = 1
    return workers[w].seat


def enqueue(pool: Any, pcpus: Any, workers: Any, w: int, woken: int, now: int) -> None:
    """Let it wait until its VM is seated."""
    workers[w].in_line = 1
    pool.waiting += 1
    pool.changed = 1


def pick(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return who has the seat, if it wants to run; else -1."""
    w = pcpus[p].seated
    if w == -1 or not workers[w].in_line:
        return -1
    workers[w].in_line = 0
    pool.waiting -= 1
    return w


def due(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return -1: a slot ends for all at once."""
    return -1


def wanted(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 0: see `due`."""
    return 0


def leaves(pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    """Note that it sleeps."""
    workers[w].ready = 0
    pool.changed = 1


# -- who is seated --------------------------------------------------------------------------------


def regroups(pool: Any, pcpus: Any, workers: Any, now: int) -> int:
    """Free the seats of VMs of which nobody wants to run, and seat who fits now."""
    if not pool.changed:
        return 0
    pool.changed = 0
    for w in range(pool.crew):
        if workers[w].leader == w and workers[w].seat != -1 and not _wants(workers, w):
            _stand_up(pcpus, workers, w, now)
    return _seat_all(pool, pcpus, workers, now)


def refill(pool: Any, pcpus: Any, workers: Any, now: int) -> None:
    """End the slot: all stand up, and those who had least are seated."""
    for w in range(pool.crew):
        if workers[w].leader == w and workers[w].seat != -1:
            _stand_up(pcpus, workers, w, now)
    _seat_all(pool, pcpus, workers, now)


def must_go(pool: Any, pcpus: Any, workers: Any, p: int, now: int) -> int:
    """Return 1 if another one has the seat now."""
    return int(pcpus[p].seated != pcpus[p].worker)


def _wants(workers: Any, leader: int) -> int:
    """Return whether anybody of a VM wants to run."""
    w = leader
    while w != -1:
        if workers[w].ready:
            return 1
        w = workers[w].kin
    return 0


def _width(workers: Any, leader: int) -> int:
    count, w = 0, leader
    while w != -1:
        count += 1
        w = workers[w].kin
    return count


def _stand_up(pcpus: Any, workers: Any, leader: int, now: int) -> None:
    """Free the seats of a VM, and count the time it had them."""
    workers[leader].had += (now - workers[leader].sat_down) * STANDARD // workers[leader].weight
    w = leader
    while w != -1:
        pcpus[workers[w].seat].seated = -1
        workers[w].seat = -1
        w = workers[w].kin


def _seat_all(pool: Any, pcpus: Any, workers: Any, now: int) -> int:
    """Seat VMs in the order of what they had, each that fits; return whether there was one."""
    free = 0
    for p in range(pool.count):
        if pcpus[p].seated == -1:
            free += 1
    seated, least, after = 0, -1, -1
    while free:
        least = _next_in_line(pool, workers, least, after)
        if least == -1:
            return seated
        after = workers[least].had
        width = _width(workers, least)
        if width <= free:
            _sit_down(pool, pcpus, workers, least, now)
            free -= width
            seated = 1
    return seated


def _next_in_line(pool: Any, workers: Any, last: int, had: int) -> int:
    """Return the VM that had least of those that stand, want to run and follow `last`; or -1."""
    best = -1
    for w in range(pool.crew):
        if workers[w].leader == w and workers[w].seat == -1 and _wants(workers, w):
            later = workers[w].had > had or (workers[w].had == had and w > last)
            if later and (best == -1 or workers[w].had < workers[best].had):
                best = w
    return best


def _sit_down(pool: Any, pcpus: Any, workers: Any, leader: int, now: int) -> None:
    """Give each worker of a VM a pCPU: its last one if that is free, else the lowest."""
    workers[leader].sat_down = now
    workers[leader].had = max(workers[leader].had, _least(pool, workers, leader))
    w = leader
    while w != -1:
        p = workers[w].last
        if p == -1 or pcpus[p].seated != -1:
            p = 0
            while pcpus[p].seated != -1:
                p += 1
        pcpus[p].seated = w
        workers[w].seat = p
        w = workers[w].kin


def _least(pool: Any, workers: Any, leader: int) -> int:
    """Return the least that a VM had that is seated: who slept is not paid for it; 0 if none is."""
    least = -1
    for w in range(pool.crew):
        sits = w != leader and workers[w].leader == w and workers[w].seat != -1
        if sits and (least == -1 or workers[w].had < least):
            least = workers[w].had
    return max(0, least)


def why_idle(pool: Any, pcpus: Any, workers: Any, p: int) -> int:
    """Return GANG if somebody waits: its VM has no room, or `p` is kept for one that sleeps."""
    if pool.waiting:
        return GANG
    return NOBODY
