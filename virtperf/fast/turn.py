"""A turn: a worker takes requests and performs their steps; mirrors that of `sim.worker`."""

from typing import Any

from virtperf.fast.clocks import (
    INTERRUPT,
    RUNNING,
    enter,
    mark,
    settle_batch,
)
from virtperf.fast.compiling import compiled, inlined, of_rule
from virtperf.fast.fibre import (
    GOES_ON,
    HAND_OVER,
    JOIN,
    LOCK,
    SEND,
    STAY,
    WAITS,
    call,
    end,
)
from virtperf.fast.flow import FINISH, GATHER, SERVE, SPAWN, UNLOCK, WORK, finish, go_on, steer
from virtperf.fast.flow import JOIN as JOIN_STEP
from virtperf.fast.flow import LOCK as LOCK_STEP
from virtperf.fast.flow import RING as RING_STEP
from virtperf.fast.guest import add
from virtperf.fast.hands import begin_regain, begin_spend, call_change, call_pay
from virtperf.fast.inbox import publish, take
from virtperf.fast.layout import (
    NONE,
    counters,
    frames,
    inboxes,
    requests,
    steps,
)
from virtperf.fast.source import spawn
from virtperf.fast.station import cost, serve
from virtperf.fast.status import RUNNING as LOOPS
from virtperf.fast.waiting import ASYNC, unlock
from virtperf.rules import doorbell as doorbell_rule
from virtperf.rules import poll as poll_rule
from virtperf.tables import Edge

_adapted = of_rule(poll_rule.adapted)
FIRST = int(Edge.FIRST)
_edge = compiled(doorbell_rule.edge)
ENDED = 2  # beside GOES_ON and WAITS: the worker holds the request no more
AWAKE, WOKEN, NOTICED = poll_rule.AWAKE, poll_rule.WOKEN, poll_rule.NOTICED
PERFORM, NEXT, LEAVE = 10, 11, 12  # where a turn goes on once it has begun


@inlined
def turn(s: Any, w: Any, f: Any) -> int:
    """Serve up to a batch of requests of one level, or of one task."""
    inbox = inboxes(s)[f.inbox]
    while s.status == LOOPS:
        at = f.at
        if at == PERFORM:
            outcome = _perform(s, w, f, inbox)
            if outcome != ENDED:
                return outcome
            f.at = NEXT
        elif at == NEXT:
            if inbox.waiting and f.count != inbox.batch and not inbox.resumed:
                r = take(s, inbox, w)
                r.edge = 0
                f.request = r.index
                f.count += 1
                f.at = PERFORM
            else:
                f.at = LEAVE
                if inbox.deferred_first != NONE:
                    call(s, w, HAND_OVER).inbox = f.inbox
                    return GOES_ON
        elif at == LEAVE:
            inbox.gathered = inbox.resumed = 0
            if inbox.lock != NONE:
                unlock(s, w, inbox.lock, f.request)
            _end(s, w, inbox)
            return end(s, w)
        else:
            outcome = _begin(s, w, f, inbox)
            if outcome != ENDED:
                return outcome
    return WAITS


@inlined
def _begin(s: Any, w: Any, f: Any, inbox: Any) -> int:
    """Begin a turn, and charge what it costs before its first item, to that item.

    Returns 1 if a call must end first, else 0: all is done, and `f.at` says what is next.
    """
    if f.at == 0:
        f.at = 1
        w.level = inbox.level
        if w.away:
            return begin_regain(s, w, NONE)
        enter(s, w, INTERRUPT if inbox.level else RUNNING)
    if f.at == 1:
        f.at = 2
        _take_first(s, w, f, inbox)
        came, w.came = w.came, AWAKE
        if came == WOKEN and w.wake_first < w.wake_last:
            call_pay(s, w, w.wake_first, w.wake_last, f.request)
            return GOES_ON
        if came == NOTICED and w.pickup_first < w.pickup_last:
            call_pay(s, w, w.pickup_first, w.pickup_last, f.request)
            return GOES_ON
    if f.at == 2:
        f.at = 3
        if f.inbox != w.process_of and inbox.level == 0:
            call_change(s, w, f.inbox, f.request)
            return GOES_ON
    if f.at == 3:
        f.at = 4
        first, last = inbox.debt_first, inbox.debt_last
        if first < last:
            inbox.debt_first = inbox.debt_last = 0
            call_pay(s, w, first, last, f.request)
            return GOES_ON
    if f.at == 4:
        f.at = 5
        if inbox.lock != NONE:
            _call_lock(s, w, inbox.lock, f.request, 1)
            return GOES_ON
    f.at = PERFORM
    if inbox.prologue_first < inbox.prologue_last:
        call_pay(s, w, inbox.prologue_first, inbox.prologue_last, f.request)
        return GOES_ON
    return ENDED


@inlined
def _take_first(s: Any, w: Any, f: Any, inbox: Any) -> None:
    """Begin a turn with the head in hand."""
    w.polled = 0
    inbox.in_turn, inbox.told = 1, 0
    if inbox.level == 0:
        w.task = inbox.index
    if w.polls:
        w.window = _adapted(w, inbox.level, s.now - w.idle_since)
    r = take(s, inbox, w)
    r.edge = FIRST
    f.request, f.count = r.index, 1


@inlined
def _end(s: Any, w: Any, inbox: Any) -> None:
    """Leave the inbox: what is still in it waits for another turn."""
    inbox.in_turn = inbox.runnable = 0
    if inbox.waiting:
        inbox.told = 1
        if inbox.level == 0:
            add(s, w, inbox)
    elif inbox.index != w.inbox:  # a handler's, or a task's, which has nothing left to do
        publish(s, inbox)


@inlined
def _call_lock(s: Any, w: Any, lock: int, r: int, masked: int) -> None:
    f = call(s, w, LOCK)
    f.step, f.request, f.left = lock, r, masked


@inlined
def _perform(s: Any, w: Any, f: Any, inbox: Any) -> int:
    """Take the steps of the request in hand until its hold has `ENDED`, or a call must end."""
    r = requests(s)[f.request]
    while s.status == LOOPS:
        n = r.step
        step = steps(s)[n]
        r.step = n + 1
        kind = step.kind
        if kind == WORK:
            if step.counter != NONE:
                counters(s)[step.counter] += step.times
            return begin_spend(s, w, n, f.request, cost(s, r, step))
        if kind == LOCK_STEP:
            _call_lock(s, w, step.target, f.request, step.masked)
            return GOES_ON
        if kind == UNLOCK:
            if unlock(s, w, step.target, f.request):
                return GOES_ON
        elif kind == FINISH:
            go_on(s, finish(s, r, step))
            return ENDED
        elif step.defer:
            mark(s, r, w)
            inbox.gathered += kind == GATHER
            _defer(s, inbox, r, n)
            return ENDED
        elif kind == SERVE or kind == RING_STEP:
            if step.hold == ASYNC:
                f.at = NEXT
                return GOES_ON if _send(s, w, r, n) else ENDED
            _call_with(s, w, STAY, n, f.request)
            return GOES_ON
        elif kind == JOIN_STEP:
            if step.hold == ASYNC:
                f.at = NEXT
            _call_with(s, w, JOIN, n, f.request)
            return GOES_ON
        elif kind == SPAWN:
            go_on(s, spawn(s, r, step.target))
        elif not steer(s, r, step):
            return ENDED
    return WAITS


@inlined
def _call_with(s: Any, w: Any, code: int, step: int, r: int) -> None:
    f = call(s, w, code)
    f.step, f.request = step, r


@compiled
def _defer(s: Any, inbox: Any, r: Any, step: int) -> None:
    """Keep a request until the end of the batch."""
    r.deferred, r.behind = step, NONE
    if inbox.deferred_final == NONE:
        inbox.deferred_first = r.index
    else:
        requests(s)[inbox.deferred_final].behind = r.index
    inbox.deferred_final = r.index


@compiled
def _send(s: Any, w: Any, r: Any, n: int) -> int:
    """Hand a request on to a station, or begin to ring a doorbell with it (1)."""
    step = steps(s)[n]
    if step.kind == SERVE:
        r.home = NONE
        serve(s, r, step)
        return 0
    _call_with(s, w, SEND, step.target, r.index)
    return 1


@compiled
def hand_all_over(s: Any, w: Any, f: Any) -> int:
    """Do the batch's epilogue, in the name of its last request, then hand all over in order.

    One that was gathered goes on in the turn below; then this is called again for the rest.
    """
    inbox = inboxes(s)[f.inbox]
    if f.at == 0 and inbox.resumed:
        f.at = 2
    if f.at == 0:
        f.at, f.request = 1, inbox.deferred_final
        w.batches += 1
        settle_batch(s, requests(s)[f.request], w)
        if inbox.epilogue_first < inbox.epilogue_last:
            return call_pay(s, w, inbox.epilogue_first, inbox.epilogue_last, f.request)
    if f.at == 1:
        f.at = 2
        mark(s, requests(s)[f.request], w)
    while inbox.deferred_first != NONE:
        r = requests(s)[inbox.deferred_first]
        inbox.deferred_first = r.behind
        if r.behind == NONE:
            inbox.deferred_final = NONE
        settle_batch(s, r, w)
        if steps(s)[r.deferred].kind == GATHER:
            inbox.resumed += 1
            r.edge = _edge(inbox.resumed, inbox.gathered)
            end(s, w)
            turn_below = frames(s)[w.top]
            turn_below.request, turn_below.at = r.index, PERFORM
            return GOES_ON
        if _send(s, w, r, r.deferred):
            return GOES_ON
    return end(s, w)
