"""Who gets a lock. `lock` has ``holder`` (a worker, or -1).

``mutex-barging``, what pthread mutexes and the big QEMU lock do: the lock is released free, the
first waiter is woken and tries again; whoever comes by first takes it. The state of the holder
is never looked at: a preempted holder still holds.
"""

from typing import Any


def may_take(lock: Any) -> int:
    """Return 1 if a worker that asks now gets the lock, else 0 (it waits at the tail)."""
    if lock.holder == -1:
        return 1
    return 0


def release(lock: Any) -> int:
    """Free the lock; return how many waiters are to be woken."""
    lock.holder = -1
    return 1
