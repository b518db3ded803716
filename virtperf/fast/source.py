"""Sources of load, and timers; mirrors `sim.source` and `sim.timer`.

Where a request that is made begins at a station, the function returns it, and its caller lets it
go on: so what ends one request and makes the next does not call itself.
"""

from typing import Any

from virtperf.fast.calendar import SOURCE, TIMER, alarm
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.doorbell import arrive
from virtperf.fast.layout import NONE, classes, drawn, feed, inboxes, timers, workers
from virtperf.fast.request import admit, child, make
from virtperf.fast.status import FULL, IDLE, fail
from virtperf.fast.waits import of_timer
from virtperf.rules import poll as poll_rule

_halted = compiled(poll_rule.halted)
ARRIVES, THINKS = 0, 1  # what an alarm of a source means
LOW = 64  # numbers left in a source's feed that are a wish for more
IDLE_TICKS = 1_000_000


@inlined
def begin(s: Any, r: Any, inbox: int) -> int:
    """Let a request live; return it if it begins at a station, else NONE."""
    admit(s, r)
    if inbox == NONE:
        return r.index
    arrive(s, r, inboxes(s)[inbox])
    return NONE


@inlined
def create(s: Any, source: Any) -> int:
    """Make the next request of a source, with the next number of each of its streams."""
    k = source.made_at
    left = source.made_end - k
    if left < LOW:
        s.wish = 1
        if not left:
            fail(s, FULL, 4)
            return NONE
    source.made_at = k + 1
    choice, draws, numbers, times = source.choice, source.draws, feed(s), drawn(s)
    row = source.made + k * (choice + draws)
    r = make(s, source.index, source.classes + (numbers[row] if choice else 0))
    to = r.index * s.width
    for i in range(draws):
        times[to + i] = numbers[row + choice + i]
    return begin(s, r, source.inbox)


@inlined
def finished(s: Any, source: Any) -> int:
    """Let a closed source think and make the next request."""
    if source.open:
        return NONE
    if source.think:
        left = source.thinks_end - source.thinks_at
        if left < LOW:
            s.wish = 1
            if not left:
                fail(s, FULL, 4)
                return NONE
        delay = feed(s)[source.thinks + source.thinks_at]
        source.thinks_at += 1
        if delay:
            alarm(s, SOURCE, source, delay, THINKS)
            return NONE
    return create(s, source)


@inlined
def next_gap(s: Any, source: Any) -> int:
    """Return the time until the next arrival of an open source."""
    left = source.gaps_end - source.gaps_at
    if left < LOW:
        s.wish = 1
        if not left:
            fail(s, FULL, 4)
            return 1
    gap = feed(s)[source.gaps + source.gaps_at]
    source.gaps_at += 1
    return gap


# -- side paths, and the timers that start them -------------------------------------------------


@compiled
def spawn(s: Any, parent: Any, klass: int) -> int:
    """Start a side path of a request; return it if it begins at a station, else NONE."""
    r = child(s, parent, klass)
    r.lender, r.lender_serial = parent.index, parent.serial
    parent.aside += 1
    return begin(s, r, classes(s)[klass].inbox)


@compiled
def timer_alarm(s: Any, t: int) -> int:
    """Let a timer go off; return the side path it started, if that begins with a doorbell."""
    timer = timers(s)[t]
    started = NONE
    halted = timer.tickless and _halted(workers(s)[timer.worker])
    if not timer.pending and not halted:
        timer.pending = 1
        started = _expire(s, timer)
    return started


@compiled
def set_timer(s: Any, timer: Any) -> None:
    """Let a timer go off at the next multiple of its period."""
    alarm(s, TIMER, timer, timer.period, timer.index)


@compiled
def _expire(s: Any, timer: Any) -> int:
    """Start the side path of a timer; where nothing else happens, no run may go on for ever."""
    s.idle_ticks = s.idle_ticks + 1 if s.left == s.seen else 0
    s.seen = s.left
    if s.idle_ticks == IDLE_TICKS:
        fail(s, IDLE, timer.index)
    r = make(s, NONE, timer.klass)
    r.answers = of_timer(timer.index)
    return begin(s, r, classes(s)[timer.klass].inbox)
