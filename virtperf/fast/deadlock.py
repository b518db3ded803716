"""Whether some wait for each other for ever. Who they are is told by `virtperf.tables.deadlock`."""

from typing import Any

from virtperf.fast.compiling import compiled
from virtperf.fast.layout import (
    NONE,
    bells,
    classes,
    inboxes,
    needs,
    pcpus,
    requests,
    stations,
    steps,
    workers,
)
from virtperf.fast.status import DEADLOCK, RUNNING, fail


@compiled
def need(s: Any, w: Any, deaf: int, r: Any, lock: int, step: int) -> int:
    """Begin to need a lock, or the answers to a join; return the need below it."""
    before, n = w.need, 2 * w.index + w.level
    row = needs(s)[n]
    row.deaf, row.request, row.lock, row.step = deaf or w.level, r.index, lock, step
    w.need = n
    refuse_cycle(s, w)
    return before


@compiled
def need_deaf(s: Any, w: Any) -> None:
    """Hear no more interrupts while needing what is needed."""
    needs(s)[w.need].deaf = 1
    refuse_cycle(s, w)


@compiled
def need_again(s: Any, w: Any, before: int) -> None:
    """Go back to the need below, which others may have begun to depend on meanwhile."""
    w.need = before
    if before != NONE:
        refuse_cycle(s, w)


@compiled
def refuse_cycle(s: Any, w: Any) -> None:
    """Refuse that a worker waits for what, in the end, waits for it."""
    if w.need == NONE and _above(s, w) == NONE:
        return
    s.search += 1
    s.pile = NONE
    found = _look(s, w, w.index)
    while not found and s.pile != NONE:
        other = workers(s)[s.pile]
        s.pile = other.below
        found = _look(s, other, w.index)
    if found:
        fail(s, DEADLOCK, w.index)


@compiled
def _look(s: Any, w: Any, home: int) -> int:
    """Return whether `w` needs `home`, and note whom else it needs, to be looked at later."""
    above = _above(s, w)
    if above != NONE and workers(s)[above].need != NONE and _leads(s, above, home):
        return 1
    if w.need == NONE:
        return 0
    row = needs(s)[w.need]
    if row.lock != NONE:
        return _leads(s, _holder(s, w, stations(s)[row.lock]), home)
    step = steps(s)[row.step]
    for klass in range(step.target, step.target + step.other):
        if _leads(s, _unanswered(s, row.request, klass), home):
            return 1
    return 0


@compiled
def _leads(s: Any, other: int, home: int) -> int:
    if other == NONE or other == home:
        return other == home
    w = workers(s)[other]
    if w.seen != s.search:
        w.seen = s.search
        w.below, s.pile = s.pile, other
    return 0


@compiled
def _above(s: Any, w: Any) -> int:
    """Return the host interrupt work that stands above a worker."""
    if w.pcpu == NONE:
        return NONE
    intruder = pcpus(s)[w.pcpu].intruder
    return NONE if intruder == w.index else intruder


@compiled
def _holder(s: Any, w: Any, lock: Any) -> int:
    """Return who holds a lock that `w` needs, if that one waits itself."""
    if lock.holder == NONE:
        return NONE
    holder = workers(s)[lock.holder]
    if holder.index == w.index and lock.level == w.need - 2 * w.index:
        return NONE  # it was handed over, and does not know yet
    waits = holder.need != NONE and holder.need - 2 * holder.index >= lock.level
    return holder.index if waits or _above(s, holder) != NONE else NONE


@compiled
def _unanswered(s: Any, parent: int, klass: int) -> int:
    """Return the worker that should answer a call of a join, if it waits itself."""
    inbox = inboxes(s)[bells(s)[steps(s)[classes(s)[klass].path].target].inbox]
    other = workers(s)[inbox.worker]
    if other.need == NONE:
        return NONE
    row = needs(s)[other.need]
    hand = requests(s)[row.request]
    if hand.answers == parent and hand.klass == klass:
        return inbox.worker
    unheard = row.deaf or inbox.level == 0
    if unheard and (
        _stands_in(s, inbox.again_first, parent, klass)
        or _stands_in(s, inbox.fresh_first, parent, klass)
    ):
        return inbox.worker
    return NONE


@compiled
def _stands_in(s: Any, i: int, parent: int, klass: int) -> int:
    """Return whether a call of a join waits in the queue that begins with request `i`."""
    while i != NONE and s.status == RUNNING:
        r = requests(s)[i]
        if r.answers == parent and r.klass == klass:
            return 1
        i = r.behind
    return 0
