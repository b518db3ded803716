"""What a worker does with a request in hand: spend time on it, with all that may come between.

Mirrors the first half of `sim.hands` and the upper half of `sim.thread`, function by function;
each goes on at `f.at` of its frame, and calls others by frames of theirs.
"""

from typing import Any

from virtperf.fast.clocks import (
    INTERRUPT,
    READY,
    RUNNING,
    SWITCHING,
    book,
    enter,
    mark,
    settle,
)
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.fibre import (
    ASIDE,
    CHANGE,
    GOES_ON,
    NEST,
    PAY,
    REGAIN,
    SPEND,
    TURN,
    WAITS,
    call,
    end,
    switch,
)
from virtperf.fast.guest import add
from virtperf.fast.layout import (
    NONE,
    counters,
    inboxes,
    pcpus,
    pools,
    requests,
    steps,
)
from virtperf.fast.pieces import work, worked
from virtperf.fast.pool import request
from virtperf.fast.stretch import OPEN, told

# -- time on a CPU ----------------------------------------------------------------------------


@inlined
def begin_spend(s: Any, w: Any, step: int, r: int, ticks: int) -> int:
    """Begin to work `ticks` for a request."""
    f = call(s, w, SPEND)
    f.step, f.request, f.left = step, r, ticks
    return spend(s, w, f)


@inlined
def spend(s: Any, w: Any, f: Any) -> int:
    """Work for a request; interrupts nest inside, slices end, nothing is lost."""
    step = steps(s)[f.step]
    if f.at == 1:
        end_of_stretch(s, w, f, step.account)
        f.at = 0
    w.masked = step.masked
    if w.away and not _back(s, w):
        return call_regain(s, w, f.request)
    if w.level == 0 and not step.masked:
        if told(s, w):
            return call_nest(s, w, f.request)
        if w.expired and not w.holds:
            call(s, w, ASIDE).request = f.request
            return GOES_ON
    if f.left == 0:
        return end(s, w)
    f.start, f.at = s.now, 1
    work(s, w, f.left, step.account, 1)
    return WAITS


@inlined
def end_of_stretch(s: Any, w: Any, f: Any, account: int) -> None:
    """Book what ran of a stretch, and how long the thread stood still in it."""
    ticks = worked(s, w, f.start)
    r = requests(s)[f.request]
    book(s, r, account, ticks)
    f.left -= ticks
    book(s, r, pools(s)[0].sharing_account, w.slowed)
    book(s, r, w.waits[READY], w.stood)


@inlined
def call_pay(s: Any, w: Any, first: int, last: int, r: int) -> int:
    """Begin to carry out work, steps `first` to `last` - 1, in the name of a request."""
    f = call(s, w, PAY)
    f.step, f.count, f.request = first, last, r
    return GOES_ON


@inlined
def pay(s: Any, w: Any, f: Any) -> int:
    """Carry out work in the name of a request."""
    n = f.step
    if n == f.count:
        return end(s, w)
    f.step = n + 1
    step = steps(s)[n]
    if step.counter != NONE:
        counters(s)[step.counter] += step.times
    return begin_spend(s, w, n, f.request, step.ticks)


@inlined
def call_nest(s: Any, w: Any, r: int) -> int:
    """Begin to let interrupt turns run inside the ordinary work of a request, or of none."""
    call(s, w, NEST).request = r
    return GOES_ON


@compiled
def nest(s: Any, w: Any, f: Any) -> int:
    """Let interrupt turns run inside ordinary work."""
    if f.at == 0:
        f.at = 1
        if f.request != NONE:
            mark(s, requests(s)[f.request], w)
    if told(s, w):
        call(s, w, TURN).inbox = w.interrupt
        return GOES_ON
    if f.request != NONE:
        settle(s, requests(s)[f.request], w)
    enter_level(s, w, 0)
    return end(s, w)


@inlined
def enter_level(s: Any, w: Any, level: int) -> None:
    """Go on at a level, ordinary (0) or interrupt (1)."""
    w.level = level
    if w.pcpu != NONE:
        enter(s, w, INTERRUPT if level else RUNNING)


# -- without a pCPU ---------------------------------------------------------------------------


@inlined
def begin_regain(s: Any, w: Any, r: int) -> int:
    """Begin to wait for a pCPU, with a request in hand or none."""
    f = call(s, w, REGAIN)
    f.request = r
    return regain(s, w, f)


@inlined
def call_regain(s: Any, w: Any, r: int) -> int:
    """Begin to wait for a pCPU, with a request in hand or none."""
    call(s, w, REGAIN).request = r
    return GOES_ON


@inlined
def regain(s: Any, w: Any, f: Any) -> int:
    """Wait for a pCPU, and for host interrupts there, and pay the switch.

    Neither interrupts nor hand-overs shorten a switch; what stops it leaves a rest.
    """
    if f.at == 0:
        f.at = 1
        if f.request != NONE:
            mark(s, requests(s)[f.request], w)
        enter(s, w, READY)
        if w.pcpu == NONE and not w.queued:
            request(s, w)
    elif f.at == 2:
        end_of_switch(s, w, f)
        f.at = 1
    if w.pcpu == NONE or _overrun(s, w):
        w.alarm = OPEN
        return WAITS
    if w.switch_left:
        f.at, f.start, w.switches_anew = 2, s.now, 0
        enter(s, w, SWITCHING)
        ticks, account = w.switch_left - w.refill_left, pools(s)[0].switch_account
        if not ticks:
            ticks, account = w.refill_left, w.refill_account
        work(s, w, ticks, account, 0)
        return WAITS
    if f.request != NONE:
        settle(s, requests(s)[f.request], w)
    _go_on(s, w)
    return end(s, w)


@inlined
def end_of_switch(s: Any, w: Any, f: Any) -> None:
    """Keep what is left of a switch, which begins anew if others ran there meanwhile."""
    ticks = worked(s, w, f.start)
    if not w.switches_anew:
        w.switch_left -= ticks
        w.refill_left = min(w.refill_left, w.switch_left)
    enter(s, w, READY)


@inlined
def _back(s: Any, w: Any) -> int:
    """Return whether a thread that was stopped can simply go on; then it does."""
    if w.pcpu == NONE or w.switch_left or pcpus(s)[w.pcpu].intruder != NONE:
        return 0
    _go_on(s, w)
    return 1


@inlined
def _go_on(s: Any, w: Any) -> None:
    w.away = 0
    enter(s, w, INTERRUPT if w.level else RUNNING)


@inlined
def _overrun(s: Any, w: Any) -> bool:
    """Return whether host interrupt work stands above this thread on its pCPU."""
    intruder = pcpus(s)[w.pcpu].intruder
    return intruder != NONE and intruder != w.index


# -- guest tasks --------------------------------------------------------------------------------


@compiled
def aside(s: Any, w: Any, f: Any) -> int:
    """Let another task go on; the request in hand waits until this one's turn has come."""
    r = requests(s)[f.request]
    if f.at == 0:
        f.at, f.inbox = 1, w.task
        mark(s, r, w)
        add(s, w, inboxes(s)[w.task])
        w.expired = 0
        switch(s, w, w.index)
        return GOES_ON
    if f.at == 1:
        f.at = 2
        settle(s, r, w)
        w.task = f.inbox
        enter_level(s, w, 0)  # interrupts may have had their turn meanwhile
        return call_change(s, w, f.inbox, f.request)
    return end(s, w)


@inlined
def call_change(s: Any, w: Any, inbox: int, r: int) -> int:
    """Begin to switch to a task."""
    f = call(s, w, CHANGE)
    f.inbox, f.request = inbox, r
    return GOES_ON


@compiled
def change(s: Any, w: Any, f: Any) -> int:
    """Pay the process switch if another task ran before."""
    if f.at == 0:
        before, w.process_of = w.process_of, f.inbox
        if before == NONE or before == f.inbox:
            return end(s, w)
        f.at = 1
        w.holds += 1  # a kernel does not reschedule while it switches
        return call_pay(s, w, w.switch_first, w.switch_last, f.request)
    w.holds -= 1
    return end(s, w)
