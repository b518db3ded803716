"""A worker's life: it takes turns, is interrupted, polls and sleeps; mirrors `sim.worker`."""

from typing import Any

from virtperf.fast.clocks import (
    ASLEEP,
    POLLING,
    enter,
)
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.fibre import (
    ASIDE,
    BOTTOM,
    CHANGE,
    GOES_ON,
    HAND_OVER,
    HOLD,
    JOIN,
    KICK,
    LIVE,
    LOCK,
    NEST,
    PAY,
    POLL,
    REGAIN,
    RUN,
    SEND,
    SPEND,
    STAY,
    TURN,
    WAITS,
    call,
    end,
    switch,
)
from virtperf.fast.guest import next_task
from virtperf.fast.hands import (
    aside,
    call_regain,
    change,
    nest,
    pay,
    regain,
    spend,
)
from virtperf.fast.inbox import publish, withdraw
from virtperf.fast.layout import (
    NONE,
    counters,
    frames,
    inboxes,
)
from virtperf.fast.pool import alone
from virtperf.fast.status import RUNNING as LOOPS
from virtperf.fast.stretch import NEVER, OPEN, ran, stretch, told
from virtperf.fast.turn import NOTICED, WOKEN, hand_all_over, turn
from virtperf.fast.waiting import give_up, hold, join, kick, send, stay, take_lock
from virtperf.rules import poll as poll_rule

_window = compiled(poll_rule.window)
HALT, GUEST, ENDLESS = poll_rule.HALT, poll_rule.GUEST, poll_rule.ENDLESS


@inlined
def run_fibre(s: Any, w: Any) -> None:
    """Let the fibre of a worker go on until it must wait."""
    s.active = w.index
    w.blocked = 0
    outcome = GOES_ON
    while outcome == GOES_ON and s.status == LOOPS:
        f = frames(s)[w.top]
        code = f.code
        if code == SPEND:
            outcome = spend(s, w, f)
        elif code == TURN:
            outcome = turn(s, w, f)
        elif code == LIVE:
            outcome = live(s, w, f)
        elif code == REGAIN:
            outcome = regain(s, w, f)
        elif code == PAY:
            outcome = pay(s, w, f)
        elif code == SEND:
            outcome = send(s, w, f)
        elif code == HAND_OVER:
            outcome = hand_all_over(s, w, f)
        else:
            outcome = _seldom(s, w, f, code)
    s.active = NONE


@compiled
def _seldom(s: Any, w: Any, f: Any, code: int) -> int:
    """Let a call go on of which there are few, beside those that each request makes."""
    if code == POLL:
        return poll(s, w, f)
    if code == NEST:
        return nest(s, w, f)
    if code == LOCK:
        return take_lock(s, w, f)
    if code == HOLD:
        return hold(s, w, f)
    if code == STAY:
        return stay(s, w, f)
    if code == JOIN:
        return join(s, w, f)
    if code == RUN:
        return run_task(s, w, f)
    if code == KICK:
        return kick(s, w, f)
    if code == CHANGE:
        return change(s, w, f)
    if code == ASIDE:
        return aside(s, w, f)
    switch(s, w, w.index)  # a task's turn is over: its worker's own fibre goes on
    return GOES_ON


# -- life -------------------------------------------------------------------------------------


@inlined
def live(s: Any, w: Any, f: Any) -> int:
    """Sleep until told; take turns while there is work; poll; sleep again."""
    if f.at == 1:
        w.came = WOKEN
    elif f.at == 2:
        w.idle_since = s.now
    if f.at:
        if told(s, w):
            f.at = 2
            call(s, w, TURN).inbox = w.interrupt
            return GOES_ON
        if w.first != NONE:
            f.at = 2
            task = next_task(s, w)
            call(s, w, RUN if w.slice else TURN).inbox = task
            return GOES_ON
        if w.polls:
            window = _window(w, w.polled)
            if window:
                f.at = 3
                call(s, w, POLL).left = window
                return GOES_ON
    f.at = 1
    _fall_asleep(s, w)
    return WAITS


@inlined
def _fall_asleep(s: Any, w: Any) -> None:
    """Ask to be told, and give up the pCPU; the alarm is what wakes."""
    task = w.tasks
    while task != NONE:
        publish(s, inboxes(s)[task])
        task = inboxes(s)[task].sibling
    give_up(s, w, ASLEEP)
    w.alarm = OPEN


@inlined
def _has_work(s: Any, w: Any) -> bool:
    return w.first != NONE or told(s, w) != 0


@compiled
def poll(s: Any, w: Any, f: Any) -> int:
    """Look at the inboxes until something comes or the window is over.

    The host polls for a halted vCPU only while nobody else wants its pCPU.
    """
    if f.at == 0:
        w.polled = w.polling = 1
        w.yields = w.poll_kind == HALT
        f.at, f.left = 1, s.now + f.left
        task = w.tasks
        while task != NONE:
            withdraw(s, inboxes(s)[task])
            task = inboxes(s)[task].sibling
    elif f.at == 2:
        ran(s, w, s.now)
        f.at = 1
    if not _has_work(s, w):
        if w.away:
            return call_regain(s, w, NONE)
        if s.now < f.left and _may_poll(s, w):
            f.at = 2
            enter(s, w, POLLING)
            ticks = NEVER if w.poll_kind == ENDLESS else f.left - s.now
            stretch(s, w, ticks, w.poll_account, 0)
            return WAITS
        if w.poll_kind == GUEST:
            w.idle_since = s.now
        counter = w.poll_misses
    else:
        w.came = NOTICED
        counter = w.poll_hits
    w.polling = w.yields = 0
    if counter != NONE:
        counters(s)[counter] += 1
    return end(s, w)


@inlined
def _may_poll(s: Any, w: Any) -> int:
    if w.poll_kind != HALT:
        return 1
    return w.yields and alone(s, w)


@compiled
def run_task(s: Any, w: Any, f: Any) -> int:
    """Let a task run, in its own fibre, until its turn is over or it is put aside."""
    if f.at:
        return end(s, w)
    f.at = 1
    inbox = f.inbox
    switch(s, w, s.fibres_of_tasks + inbox)
    if frames(s)[w.top].code == BOTTOM:
        call(s, w, TURN).inbox = inbox
    return GOES_ON
