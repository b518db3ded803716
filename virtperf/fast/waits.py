"""Something that a worker, or a request, waits for, and how it is answered; mirrors `sim.wait`.

Who keeps a request while it waits is blocked by it, or spins; what blocks a worker has a number.
"""

from typing import Any

from virtperf.fast.calendar import NOTHING, RESUME, cause
from virtperf.fast.compiling import compiled
from virtperf.fast.guest import guest_tick
from virtperf.fast.layout import NONE, inboxes, requests, timers, workers
from virtperf.fast.station import take_up
from virtperf.fast.stretch import cut

SPINS, SLEEPS, LEAVES = 0, 1, 2  # what the worker does meanwhile; the last: goes on with others


@compiled
def of_request(i: int) -> int:
    """Return the number of the wait for the answers, or the service, of a request."""
    return i + 1


@compiled
def of_waiter(n: int) -> int:
    """Return the number of the wait of a waiter for a lock."""
    return -(n + 1)


@compiled
def of_timer(t: int) -> int:
    """Return what a side path that a timer started is an answer to."""
    return -(t + 2)


@compiled
def lock_answer(s: Any, waiter: Any, n: int) -> None:
    """Let a waiter know that it has the lock, or may try again."""
    waiter.over = 1
    _rouse(s, workers(s)[waiter.index], waiter.sleeps, of_waiter(n))


@compiled
def answer(s: Any, to: int) -> None:
    """Count one answer to a request, or to a timer, that waits."""
    if to < NONE:
        timer = timers(s)[-to - 2]
        timer.pending = 0
        guest_tick(s, workers(s)[timer.worker])
        return
    r = requests(s)[to]
    r.left -= 1
    if r.left:
        return
    r.over = 1
    if r.sleeps == LEAVES:
        take_up(s, r)
    else:
        _rouse(s, workers(s)[inboxes(s)[r.home].worker], r.sleeps, of_request(to))


@compiled
def _rouse(s: Any, w: Any, sleeps: int, wait: int) -> None:
    if not sleeps:
        if w.spinning:
            cut(s, w)
    elif w.blocked == wait:
        cause(s, RESUME, w.index)
    else:
        cause(s, NOTHING, NONE)  # it has not gone to sleep yet, and will see
