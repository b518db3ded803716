"""Locks that workers hold; who gets one is a rule, waiting is done by the worker.

Mirrors `sim.lock`. A waiter is a worker at one of its levels.
"""

from typing import Any

from virtperf.fast.calendar import LOCK, alarm
from virtperf.fast.clocks import more_busy, more_queued
from virtperf.fast.compiling import compiled
from virtperf.fast.deadlock import refuse_cycle
from virtperf.fast.layout import NONE, stations, waiters, workers
from virtperf.fast.waits import lock_answer
from virtperf.rules import lock as rule

_may_take, _inherits, _wakes = (
    compiled(rule.may_take),
    compiled(rule.inherits),
    compiled(rule.wakes),
)
_patience, _kicks, _delay = compiled(rule.patience), compiled(rule.kicks), compiled(rule.delay)
spins = compiled(rule.spins)


@compiled
def try_lock(s: Any, lock: Any, worker: int, level: int) -> int:
    """Take the lock, if the rule allows it now."""
    if not _may_take(lock):
        return 0
    lock.holder, lock.level = worker, level
    more_busy(s, lock, 1)
    return 1


@compiled
def join_queue(s: Any, lock: Any, w: Any) -> int:
    """Queue up, until `w` has the lock or it is time to try again; return the waiter."""
    n = 2 * w.index + w.level
    waiter = waiters(s)[n]
    waiter.lock, waiter.sleeps, waiter.patience = lock.index, 1 - spins(lock), _patience(lock)
    waiter.over = waiter.owns = 0
    waiter.behind = NONE
    if lock.final == NONE:
        lock.first = n
    else:
        waiters(s)[lock.final].behind = n
    lock.final = n
    more_queued(s, lock, 1)
    return n


@compiled
def _leave_queue(s: Any, lock: Any, n: int) -> None:
    before, i = NONE, lock.first
    while i != n and i != NONE:
        before, i = i, waiters(s)[i].behind
    after = waiters(s)[n].behind
    if before == NONE:
        lock.first = after
    else:
        waiters(s)[before].behind = after
    if after == NONE:
        lock.final = before
    more_queued(s, lock, -1)


@compiled
def lock_seen(s: Any, n: int) -> int:
    """Return whether the wait of a waiter that runs is over, also because it is left free."""
    waiter = waiters(s)[n]
    if waiter.over:
        return 1
    lock = stations(s)[waiter.lock]
    if not try_lock(s, lock, waiter.index, waiter.level):
        return 0
    _leave_queue(s, lock, n)
    waiter.over = waiter.owns = 1
    return 1


@compiled
def release_lock(s: Any, lock: Any) -> int:
    """Free the lock: hand it over, or wake as many as the rule says, after the delay.

    Return the waiter that has it and must be called by the one that releases it, or NONE.
    """
    lock.holder = NONE
    more_busy(s, lock, -1)
    n = lock.first
    while n != NONE:
        waiter = waiters(s)[n]
        w = workers(s)[waiter.index]
        waiter.running = w.spinning and not w.away and w.level == waiter.level
        if _inherits(lock, waiter):
            waiter.owns = try_lock(s, lock, waiter.index, waiter.level)
            refuse_cycle(s, w)  # its interrupt level may be waiting
            _leave_queue(s, lock, n)
            if _kicks(lock, waiter):
                return n
            call_waiter(s, lock, n)
            return NONE
        n = waiter.behind
    left = min(_wakes(lock), lock.queued)
    while left:
        n = lock.first
        _leave_queue(s, lock, n)
        call_waiter(s, lock, n)
        left -= 1
    return NONE


@compiled
def call_waiter(s: Any, lock: Any, n: int) -> None:
    """Let a waiter know, after the delay, that it has the lock or may try again."""
    delay = _delay(lock, waiters(s)[n])
    if delay:
        alarm(s, LOCK, lock, delay, n)
    else:
        lock_answer(s, waiters(s)[n], n)
