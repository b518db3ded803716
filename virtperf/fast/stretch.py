"""A stretch of CPU time: it begins, it is cut, it ends, and is as long as the thread ran in it.

The end of a stretch, the wait for a pCPU and sleep are all one `alarm` of the worker: what will let
its fibre go on. Mirrors the lower half of `sim.thread`.
"""

from typing import Any

from virtperf.fast.calendar import RESUME, WORKER, cause, next_key
from virtperf.fast.clocks import enter_account
from virtperf.fast.compiling import inlined
from virtperf.fast.layout import NONE, inboxes, pcpus
from virtperf.fast.race import FOREVER, touch
from virtperf.fast.status import BROKEN, fail

NEVER = -1
GONE, OPEN, SET, CALLED = 0, 1, 2, 3  # an alarm: was; may happen; has its instant; has happened


@inlined
def happen(s: Any, w: Any) -> None:
    """Let the alarm of `w` happen, unless it has, or has its instant."""
    if w.alarm == OPEN:
        w.alarm = CALLED
        cause(s, RESUME, w.index)


@inlined
def unset(s: Any, w: Any) -> None:
    """Let the alarm have no instant any more."""
    if w.alarm == SET:
        w.alarm = OPEN
        p = w.pcpu if w.pcpu != NONE else w.last
        pcpus(s)[p].work = FOREVER
        touch(s, p)


@inlined
def cut(s: Any, w: Any) -> None:
    """End the stretch, or the wait for a pCPU, that `w` is in."""
    unset(s, w)
    happen(s, w)


@inlined
def stretch(s: Any, w: Any, ticks: int, account: int, plain: int) -> None:
    """Hold the pCPU for `ticks`, or until cut (NEVER: only until cut).

    A slice's timer that goes off earlier stops the thread or lets it `carry_on`, so that a stretch
    of many slices sets one alarm.
    """
    pcpu = pcpus(s)[w.pcpu]
    enter_account(s, pcpu, account)
    w.account, w.plain, w.stood, w.end = account, plain, 0, NEVER
    w.alarm = OPEN
    if ticks != NEVER:
        end = s.now + ticks
        w.end = end
        if pcpu.timer >= end or pcpu.worker != w.index:
            _set(s, w, ticks)


@inlined
def carry_on(s: Any, w: Any) -> None:
    """Set the alarm for the end of a stretch, unless a slice's timer goes off before it."""
    end = w.end
    if end == NEVER or w.pcpu == NONE or w.alarm == SET or w.stopped != NEVER:
        return
    pcpu = pcpus(s)[w.pcpu]
    if pcpu.timer >= end or pcpu.worker != w.index:
        if w.alarm != OPEN:
            fail(s, BROKEN, w.index)
        _set(s, w, end - s.now)


@inlined
def _set(s: Any, w: Any, delay: int) -> None:
    w.alarm = SET
    pcpu = pcpus(s)[w.pcpu]
    pcpu.work, pcpu.work_key = s.now + delay, next_key(s, WORKER, w)
    touch(s, pcpu.index)


@inlined
def ran(s: Any, w: Any, start: int) -> int:
    """Return how long a stretch since `start` ran; `w.stood` is how long it stood still."""
    if w.stopped != NEVER:
        w.stood += s.now - w.stopped
        w.stopped = NEVER
    w.end, w.plain = NEVER, 0
    return s.now - start - w.stood


@inlined
def told(s: Any, w: Any) -> int:
    """Return whether the interrupt level of `w`, if there is one, has been told of work."""
    if w.interrupt == NONE:
        return 0
    return inboxes(s)[w.interrupt].told


@inlined
def urgent(s: Any, w: Any) -> int:
    """Return whether an interrupt, or another task, comes before the ordinary work in hand."""
    if w.level or w.masked:
        return 0
    if told(s, w):
        return 1
    return w.expired and not w.holds
