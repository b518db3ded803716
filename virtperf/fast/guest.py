"""The run queue of a vCPU's guest: which task goes on, and when its slice is over.

Mirrors `sim.guest`; a worker's row is the state of its run queue.
"""

from typing import Any

from virtperf.fast.calendar import alarm_of_task
from virtperf.fast.clocks import RUNNING
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.layout import NONE, inboxes, workers
from virtperf.fast.stretch import cut
from virtperf.rules import guest as rule

_enqueue, _pick, _over = compiled(rule.enqueue), compiled(rule.pick), compiled(rule.over)


@inlined
def add(s: Any, w: Any, inbox: Any) -> None:
    """Put a task at the tail."""
    inbox.runnable = 1
    _enqueue(w, inboxes(s), inbox.index)
    if w.slice and not w.expired:
        _arm(s, w)


@inlined
def next_task(s: Any, w: Any) -> int:
    """Take the next task that has work, whose slice begins."""
    i = _pick(w, inboxes(s))
    if w.slice:
        w.since, w.expired = s.now, 0
        _arm(s, w)
    return i


@compiled
def guest_tick(s: Any, w: Any) -> None:
    """Let the guest's timer tick look whether the slice is over."""
    w.expired = _over(w, s.now)


@inlined
def _arm(s: Any, w: Any) -> None:
    if not w.ticked and not w.armed and w.first != NONE:
        w.armed = 1
        alarm_of_task(s, w, max(0, w.since + w.slice - s.now))


@compiled
def task_slice_end(s: Any, number: int) -> None:
    """End the stretch of a task whose slice is over, if it can be put aside now."""
    w = workers(s)[number]
    w.armed = 0
    if not _over(w, s.now):
        _arm(s, w)
        return
    w.expired = 1
    if w.state == RUNNING and not w.masked:
        cut(s, w)
