"""The end of a run, in the middle of everything: what is under way is booked as far as it got."""

from typing import Any

from virtperf.fast.clocks import book, mark, settle, settle_batch, settle_blocked
from virtperf.fast.compiling import compiled
from virtperf.fast.fibre import ASIDE, HAND_OVER, HOLD, NEST, REGAIN, SPEND, STAY
from virtperf.fast.hands import end_of_stretch, end_of_switch
from virtperf.fast.layout import (
    DEPTH,
    NONE,
    fibres,
    frames,
    inboxes,
    requests,
    stations,
    steps,
    workers,
)
from virtperf.fast.request import PARKED, QUEUED, SERVED
from virtperf.fast.waiting import end_of_spin


@compiled
def close(s: Any) -> None:
    """Book what is under way, waits, or is being served."""
    for n in range(s.workers_rows):
        w = workers(s)[n]
        fibres(s)[w.fibre].top = w.top
        _unwind(s, w, n)
        task = w.tasks
        while task != NONE:
            _unwind(s, w, s.fibres_of_tasks + task)
            task = inboxes(s)[task].sibling
    for n in range(s.inboxes_rows):
        _settle_inbox(s, inboxes(s)[n])
    for n in range(s.fresh):
        r = requests(s)[n]
        if r.alive:
            _settle_request(s, r)


@compiled
def _unwind(s: Any, w: Any, fibre: int) -> None:
    """End the calls of a fibre, from the top; each books what it was in."""
    for n in range(fibres(s)[fibre].top, fibre * DEPTH, -1):
        f = frames(s)[n]
        code = f.code
        if code == SPEND and f.at == 1:
            end_of_stretch(s, w, f, steps(s)[f.step].account)
        elif code == REGAIN:
            if f.at == 2:
                end_of_switch(s, w, f)
            if f.request != NONE:
                settle(s, requests(s)[f.request], w)
        elif (code == NEST and f.request != NONE) or (code == ASIDE and f.at == 1):
            settle(s, requests(s)[f.request], w)
        elif code == HOLD and f.at == 1:
            if not f.sleeps:
                end_of_spin(s, w, f)
            elif f.request != NONE:
                settle_blocked(s, requests(s)[f.request], w, f.account)
        elif code == STAY and requests(s)[f.request].over:
            settle(s, requests(s)[f.request], w)
        elif code == HAND_OVER and f.at == 1:
            mark(s, requests(s)[f.request], w)


@compiled
def _settle_inbox(s: Any, inbox: Any) -> None:
    w = workers(s)[inbox.worker]
    i = inbox.again_first
    while i != NONE:
        settle(s, requests(s)[i], w)
        i = requests(s)[i].behind
    i = inbox.fresh_first
    while i != NONE:
        settle(s, requests(s)[i], w)
        i = requests(s)[i].behind
    i = inbox.deferred_first
    while i != NONE:
        settle_batch(s, requests(s)[i], w)
        i = requests(s)[i].behind


@compiled
def _settle_request(s: Any, r: Any) -> None:
    """Book what waits at a station, is served there, or was put aside."""
    waited = s.now - r.since
    if r.place == SERVED:
        book(s, r, r.account, waited)
    elif r.place == QUEUED or r.place == PARKED:
        book(s, r, stations(s)[r.station].wait_account, waited)
    elif r.aside_account != NONE:
        book(s, r, r.aside_account, waited)
