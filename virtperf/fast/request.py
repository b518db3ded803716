"""A request's row: made, put in queues, given back when it is over."""

from typing import Any

from virtperf.fast.clocks import more_inside
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.layout import NONE, classes, credits, drawn, requests
from virtperf.fast.status import FULL, fail

NOWHERE, QUEUED, SERVED, PARKED = 0, 1, 2, 3  # its place: at a station, in which way


@inlined
def make(s: Any, source: int, klass: int) -> Any:
    """Return a request of a class, not yet alive."""
    i = s.free_request
    if i != NONE:
        s.free_request = requests(s)[i].behind
    else:
        i = s.fresh
        if i < s.requests_rows - 1:
            s.fresh += 1
        else:  # the last row is spare: for what its maker still does before the run is over
            fail(s, FULL, 3)
    r, kind = requests(s)[i], classes(s)[klass]
    r.index, r.source, r.klass = i, source, klass
    r.group, r.side, r.step = kind.group, kind.side, kind.path
    r.created = r.since = s.now
    r.home = r.behind = r.aside_account = r.credits = NONE
    r.answers = r.lender = r.rung_bell = NONE
    r.place = r.aside = r.stays = r.over = r.edge = 0
    s.serial += 1
    r.serial = s.serial
    return r


@compiled
def child(s: Any, parent: Any, klass: int) -> Any:
    """Return a request of a side class, with its parent's random times, not yet alive."""
    r = make(s, parent.source, klass)
    width, times = s.width, drawn(s)
    for i in range(width):
        times[r.index * width + i] = times[parent.index * width + i]
    return r


@inlined
def admit(s: Any, r: Any) -> None:
    """Let a request live from now on."""
    r.created = s.now
    r.alive = 1
    s.admitted += 1
    r.order = s.admitted
    s.alive += 1
    if s.alive >= s.room:
        s.wish = 1
    if not r.side:
        more_inside(s, 1)


@inlined
def give_back(s: Any, r: Any) -> None:
    """Forget a request that is over; what it has taken, a side path of it may still return."""
    while r.credits != NONE:
        hold_less(s, r, r.credits, NONE)
    r.alive = r.serial = 0
    s.alive -= 1
    r.behind = s.free_request
    s.free_request = r.index


@compiled
def hold(s: Any, r: Any, station: int) -> None:
    """Let a request have one more credit."""
    i = s.free_credit
    if i == NONE:  # one that has ended may still hold what its side paths give back
        fail(s, FULL, 8)
        return
    row = credits(s)[i]
    s.free_credit = row.behind
    row.station, row.behind = station, r.credits
    r.credits = i


@compiled
def hold_less(s: Any, r: Any, i: int, before: int) -> None:
    """Let a request have credit `i`, which follows credit `before` of its own, no more."""
    row = credits(s)[i]
    if before == NONE:
        r.credits = row.behind
    else:
        credits(s)[before].behind = row.behind
    row.behind = s.free_credit
    s.free_credit = i


@compiled
def return_one(s: Any, r: Any, station: int) -> int:
    """Take one credit of a station from a request; 0 if it has none."""
    before, i = NONE, r.credits
    while i != NONE:
        if credits(s)[i].station == station:
            hold_less(s, r, i, before)
            return 1
        before, i = i, credits(s)[i].behind
    return 0


@inlined
def append(s: Any, queue: Any, r: Any) -> None:
    """Put a request at the tail of the queue of a station."""
    r.behind = NONE
    if queue.final == NONE:
        queue.first = r.index
    else:
        requests(s)[queue.final].behind = r.index
    queue.final = r.index


@inlined
def pop(s: Any, queue: Any) -> Any:
    """Take the head off the queue of a station, which is not empty."""
    r = requests(s)[queue.first]
    queue.first = r.behind
    if queue.first == NONE:
        queue.final = NONE
    return r
