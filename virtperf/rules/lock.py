"""Who gets a lock, and what those who wait do meanwhile.

State: `lock` has ``holder`` (a worker, or -1), ``discipline``, and in ticks ``wake`` and ``spin``
(how late a sleeper learns of a release; how long a paravirtual waiter spins); a `waiter` has
``running`` (1 if it stands on a pCPU right now, so that it would see the lock free) and ``sleeps``.
The state of the holder is never looked at: a preempted holder still holds.

* *ticket*: first in first out, handed over directly, also to a waiter that was preempted; spins.
* *unfair*: test-and-set. A waiter that runs takes it; if none does it stays free for whoever runs
  first, a newcomer too; spins.
* *mutex-direct*: first in first out, handed over to a sleeper, who must first wake up and get a
  pCPU: a convoy.
* *mutex-barging*: released free, the first waiter is woken and tries again, and whoever comes by
  first takes it: what pthread mutexes and the big QEMU lock do.
* *paravirtual*: a ticket whose waiter spins for a while and then halts, so that its pCPU is free
  for the holder; who releases the lock to a sleeper kicks it, by a call of the hypervisor.
"""

from typing import Any

TICKET, UNFAIR, MUTEX_DIRECT, MUTEX_BARGING, PARAVIRTUAL = 0, 1, 2, 3, 4
FOREVER = -1


def spins(lock: Any) -> int:
    """Return 1 if waiters burn their pCPU, at least at first, 0 if they sleep at once."""
    if lock.discipline == MUTEX_DIRECT or lock.discipline == MUTEX_BARGING:
        return 0
    return 1


def patience(lock: Any) -> int:
    """Return for how many ticks of CPU time a waiter spins before it sleeps, -1 if for ever."""
    if lock.discipline == PARAVIRTUAL:
        return int(lock.spin)
    return FOREVER


def may_take(lock: Any) -> int:
    """Return 1 if a worker that asks now gets the lock, else 0 (it waits at the tail)."""
    if lock.holder == -1:
        return 1
    return 0


def inherits(lock: Any, waiter: Any) -> int:
    """Return 1 if `waiter` is handed the lock at its release; asked from the head of the queue."""
    if lock.discipline == UNFAIR:
        return int(waiter.running)
    if lock.discipline == MUTEX_BARGING:
        return 0
    return 1


def wakes(lock: Any) -> int:
    """Return how many waiters are woken to try again when nobody inherits the lock."""
    if lock.discipline == MUTEX_BARGING:
        return 1
    return 0


def kicks(lock: Any, waiter: Any) -> int:
    """Return 1 if who releases the lock to `waiter` must pay for waking it."""
    if lock.discipline == PARAVIRTUAL:
        return int(waiter.sleeps)
    return 0


def delay(lock: Any, waiter: Any) -> int:
    """Return how many ticks after it was called `waiter` has the lock, or tries again."""
    if lock.discipline == PARAVIRTUAL and not waiter.sleeps:
        return 0
    return int(lock.wake)
