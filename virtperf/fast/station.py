"""Servers, first come first served, and stocks of credits; mirrors `sim.station`, `sim.credit`."""

from typing import Any

from virtperf.fast.calendar import GO_ON, STATION, alarm, cause
from virtperf.fast.clocks import book, more_busy, more_queued
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.doorbell import arrive
from virtperf.fast.layout import NONE, counters, drawn, inboxes, requests, stations
from virtperf.fast.request import NOWHERE, PARKED, QUEUED, SERVED, append, hold, pop, return_one


@inlined
def cost(s: Any, r: Any, step: Any) -> int:
    """Return how long a step takes a request."""
    if step.draw == NONE:
        return step.ticks
    return drawn(s)[r.index * s.width + step.draw]


@inlined
def serve(s: Any, r: Any, step: Any) -> None:
    """Serve a request as soon as a server is free, then let it go on."""
    station = stations(s)[step.target]
    r.since, r.ticks, r.account = s.now, cost(s, r, step), step.account
    r.station = step.target
    if station.busy < station.servers:
        _start(s, station, r)
    else:
        more_queued(s, station, 1)
        r.place = QUEUED
        append(s, station, r)


@inlined
def _start(s: Any, station: Any, r: Any) -> None:
    more_busy(s, station, 1)
    r.place = SERVED
    alarm(s, STATION, station, r.ticks, r.index)


@inlined
def served(s: Any, station: Any, r: Any) -> None:
    """Start the next request, before the finished one goes on."""
    book(s, r, r.account, s.now - r.since)
    r.place = NOWHERE
    more_busy(s, station, -1)
    if station.first != NONE:
        waiting = pop(s, station)
        more_queued(s, station, -1)
        book(s, waiting, station.wait_account, s.now - waiting.since)
        waiting.since = s.now
        _start(s, station, waiting)


# -- credits ----------------------------------------------------------------------------------


@compiled
def take_credit(s: Any, r: Any, step: Any) -> int:
    """Take a credit, or another way, or (0) let the request wait for one."""
    stock = stations(s)[step.target]
    if stock.busy < stock.servers:
        more_busy(s, stock, 1)
        hold(s, r, step.target)
        return 1
    if step.counter != NONE:
        counters(s)[step.counter] += 1
    if step.other != NONE:
        r.step = step.other
        return 1
    r.since, r.place, r.station = s.now, PARKED, step.target
    append(s, stock, r)
    more_queued(s, stock, 1)
    if stock.queued > stock.most:
        stock.most = 2 * stock.queued - 1
        s.wish = s.crowded = 1  # is it a deadlock?
    return 0


@compiled
def give_credit(s: Any, r: Any, step: Any) -> None:
    """Return a credit, straight to the request that has waited longest."""
    if not return_one(s, r, step.target) and r.lender != NONE:
        lender = requests(s)[r.lender]
        if lender.serial == r.lender_serial:
            return_one(s, lender, step.target)
    stock = stations(s)[step.target]
    if stock.first == NONE:
        more_busy(s, stock, -1)
        return
    heir = pop(s, stock)
    more_queued(s, stock, -1)
    book(s, heir, stock.wait_account, s.now - heir.since)
    heir.place = NOWHERE
    hold(s, heir, step.target)
    take_up(s, heir)


@compiled
def take_up(s: Any, r: Any) -> None:
    """Go on with a request that has what it waited for, where it was."""
    if r.aside_account != NONE:
        book(s, r, r.aside_account, s.now - r.since)
        r.aside_account = NONE
    if r.home == NONE:
        cause(s, GO_ON, r.index)
    else:
        arrive(s, r, inboxes(s)[r.home])
