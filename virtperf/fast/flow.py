"""Requests go on where no worker holds them, and end; mirrors the middle of `sim.engine`."""

from typing import Any

from virtperf.fast.clocks import mark, more_inside
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.doorbell import ring_from_device
from virtperf.fast.layout import (
    NONE,
    bells,
    booked,
    counters,
    drawn,
    inboxes,
    requests,
    side_residence,
    sides,
    sources,
    steps,
    totals,
    workers,
)
from virtperf.fast.probe import observe
from virtperf.fast.request import give_back
from virtperf.fast.source import finished, spawn
from virtperf.fast.station import give_credit, serve, take_credit
from virtperf.fast.status import RUNNING, UNBALANCED, fail
from virtperf.fast.waits import answer

# The members of Kind, as numbers that compiled code can hold.
WORK, LOCK, UNLOCK, SERVE, RING, FINISH, TAKE, GIVE = range(8)
CHOOSE, GOTO, SPAWN, JOIN, GATHER, ONCE = range(8, 14)


@inlined
def go_on(s: Any, i: int) -> None:
    """Take the next steps of a request, if there is one, that no worker holds."""
    if i != NONE:
        _go_on(s, i)


@compiled
def _go_on(s: Any, i: int) -> None:
    """Let a request go on; a side path that it starts goes first: it stands in a pile meanwhile."""
    pile = NONE
    while i != NONE and s.status == RUNNING:
        r = requests(s)[i]
        if r.stays:
            r.stays = 0
            mark(s, r, workers(s)[inboxes(s)[r.home].worker])
            answer(s, i)
            after = NONE
        else:
            step = steps(s)[r.step]
            r.step += 1
            kind = step.kind
            if kind == SERVE:
                serve(s, r, step)
                after = NONE
            elif kind == RING:
                ring_from_device(s, bells(s)[step.target], r)
                after = NONE
            elif kind == FINISH:
                after = finish(s, r, step)
            elif kind == SPAWN:
                after = spawn(s, r, step.target)
                if after == NONE:
                    after = i
                else:
                    r.behind, pile = pile, i
            else:
                after = i if steer(s, r, step) else NONE
        if after == NONE and pile != NONE:
            after = pile
            pile = requests(s)[after].behind
        i = after


@compiled
def steer(s: Any, r: Any, step: Any) -> int:
    """Carry out a step that takes no time and nobody's CPU; 0 if the request must wait."""
    kind = step.kind
    if kind == TAKE:
        return take_credit(s, r, step)
    if kind == GIVE:
        give_credit(s, r, step)
    elif kind == CHOOSE:
        r.step += drawn(s)[r.index * s.width + step.draw]
    elif kind == ONCE:
        if not r.edge & step.other:
            r.step = step.target
    else:
        r.step = step.target
    return 1


@inlined
def finish(s: Any, r: Any, step: Any) -> int:
    """End a request, observe it, and let its source, or whoever waits for it, know.

    Returns a request that begins at a station because this one has ended, or NONE.
    """
    latency, total = s.now - r.created, 0
    side = r.group if r.side else step.target
    accounts, mine = s.accounts, booked(s)
    first = r.index * accounts
    if side == NONE:
        to, sums = r.group * accounts, totals(s)
        for account in range(accounts):
            ticks = mine[first + account]
            mine[first + account] = 0
            sums[to + account] += ticks
            total += ticks
    else:
        for account in range(accounts):
            total += mine[first + account]
            mine[first + account] = 0
        sides(s)[side] += 1
        side_residence(s)[side] += latency
    if total != latency:
        s.left = latency - total  # what is missing, for the error
        fail(s, UNBALANCED, r.index)
        return NONE
    if step.counter != NONE:
        counters(s)[step.counter] += 1
    answers, source = r.answers, r.source
    if r.side:
        if r.lender != NONE and requests(s)[r.lender].serial == r.lender_serial:
            requests(s)[r.lender].aside -= 1
        give_back(s, r)
        if answers != NONE:
            answer(s, answers)
        return NONE
    group = r.group
    give_back(s, r)
    more_inside(s, -1)
    if side == NONE:
        observe(s, group, latency)
    if s.left > 0:
        return finished(s, sources(s)[source])
    return NONE
