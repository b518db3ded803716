"""The compiled loop: one alarm after the other, and all that each causes."""

from typing import Any

from virtperf.fast import pool
from virtperf.fast.calendar import (
    BELL,
    CARRY_ON,
    COUNT_BITS,
    END,
    GO_ON,
    INDEX_BITS,
    KIND_SHIFT,
    LOCK,
    RESUME,
    SLICE,
    SOURCE,
    STATION,
    TASK,
    TICK,
    TIMER,
    alarm,
    close_up,
)
from virtperf.fast.compiling import compiled, entry, inlined
from virtperf.fast.doorbell import bell_alarm
from virtperf.fast.fibre import LIVE, call
from virtperf.fast.flow import go_on
from virtperf.fast.guest import task_slice_end
from virtperf.fast.layout import (
    NONE,
    agenda,
    events,
    pcpus,
    requests,
    sources,
    state_at,
    stations,
    timers,
    waiters,
    workers,
)
from virtperf.fast.probe import look
from virtperf.fast.race import FOREVER, leader, run_again, touch
from virtperf.fast.settle import close
from virtperf.fast.source import ARRIVES, create, next_gap, set_timer, timer_alarm
from virtperf.fast.station import served
from virtperf.fast.status import DRY, LATE, OVER, PAUSED, RUNNING, fail
from virtperf.fast.stretch import GONE, happen
from virtperf.fast.waits import lock_answer
from virtperf.fast.worker import ENDLESS, run_fibre

BEGIN, ADVANCE, FINISH = 0, 1, 2  # what the loop is entered for
INDICES = (1 << INDEX_BITS) - 1
COUNTS = (1 << COUNT_BITS) - 1


@entry
def enter_loop(address: int, what: int) -> int:
    """Do one thing with a state: one function, so that one thing is compiled, and kept.

    Parameters
    ----------
    address : int
        Of the state.
    what : int
        `BEGIN` lets the load begin; `ADVANCE` goes on until `s.status` says why it stopped;
        `FINISH` books what is under way and takes a last snapshot.

    Returns
    -------
    int
        The status.
    """
    s = state_at(address)
    if what == BEGIN:
        _begin(s)
    elif what == ADVANCE:
        _advance(s)
    else:
        look(s)
        close(s)
    return s.status


@compiled
def _begin(s: Any) -> None:
    for n in range(s.workers_rows):
        w = workers(s)[n]
        call(s, w, LIVE)
        run_fibre(s, w)
    pool.start(s)
    for n in range(s.workers_rows):
        if workers(s)[n].poll_kind == ENDLESS:
            happen(s, workers(s)[n])
    for t in range(s.timers_rows):
        set_timer(s, timers(s)[t])
    for n in range(s.sources_rows):
        source = sources(s)[n]
        if source.open:
            gap = next_gap(s, source)
            if gap:
                alarm(s, SOURCE, source, gap, ARRIVES)
            else:
                _arrive(s, source)
        left = source.outstanding
        while left and s.status == RUNNING:
            go_on(s, create(s, source))
            left -= 1


@compiled
def _advance(s: Any) -> None:
    while s.status == RUNNING:
        active = NONE
        if s.caused != s.happened:
            row = events(s)[s.happened & (s.events_rows - 1)]
            what, ref = row.what, row.ref
            s.happened += 1
            if what == RESUME:
                active = ref
            elif what == GO_ON:
                go_on(s, ref)
            elif what == CARRY_ON:
                pool.resume_now(s, workers(s)[ref])
            elif what == END:
                s.status = OVER
        elif s.wish or s.alarms >= s.budget:
            s.status = PAUSED
        else:
            close_up(s)
            run_again(s)
            active = _next(s)
        if active != NONE:
            w = workers(s)[active]
            w.alarm = GONE
            run_fibre(s, w)


@inlined
def _next(s: Any) -> int:
    """Let the next alarm happen: the first of the agenda, or of a pCPU.

    Returns the worker whose fibre goes on, or NONE.
    """
    fast = leader(s)
    if s.scheduled:
        first = agenda(s)[0]
        if first.time < fast.time or (first.time == fast.time and first.key < fast.key):
            if first.time < s.now:
                fail(s, LATE, 0)
                return NONE
            s.now, s.vacant = first.time, 1
            key, ref = first.key, first.ref
            _happens(s, key >> KIND_SHIFT, (key >> COUNT_BITS) & INDICES, key & COUNTS, ref)
            return NONE
    if fast.time == FOREVER:
        fail(s, DRY, NONE)
        return NONE
    if fast.time < s.now:
        fail(s, LATE, 0)
        return NONE
    s.now = fast.time
    owner = (fast.key >> COUNT_BITS) & INDICES
    if fast.key >> KIND_SHIFT == SLICE:
        pool.look_again(s, owner)
        return NONE
    p = workers(s)[owner].pcpu
    pcpus(s)[p].work = FOREVER
    touch(s, p)
    return owner


@inlined
def _happens(s: Any, kind: int, owner: int, count: int, ref: int) -> None:
    """Let an alarm of the agenda happen."""
    if kind == STATION:
        served(s, stations(s)[owner], requests(s)[ref])
        go_on(s, ref)
    elif kind == SOURCE:
        source = sources(s)[owner]
        if ref == ARRIVES:
            _arrive(s, source)
        else:
            go_on(s, create(s, source))
    elif kind == BELL:
        bell_alarm(s, owner, ref)
    elif kind == LOCK:
        lock_answer(s, waiters(s)[ref], ref)
    elif kind == TIMER:
        go_on(s, timer_alarm(s, owner))
        set_timer(s, timers(s)[owner])
    elif kind == TASK:
        task_slice_end(s, owner)
    elif kind == TICK:
        pool.policy_clock(s, owner, count)


@compiled
def _arrive(s: Any, source: Any) -> None:
    """Make requests until there is a gap: a trace may have thousands at one instant."""
    gap = 0
    while not gap and s.status == RUNNING:
        go_on(s, create(s, source))
        gap = next_gap(s, source)
    alarm(s, SOURCE, source, gap, ARRIVES)
