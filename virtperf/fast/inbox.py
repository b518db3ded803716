"""One level of a worker, or one guest task: what waits for it. Mirrors `sim.inbox`."""

from typing import Any

from virtperf.fast.clocks import mark, settle
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.guest import add
from virtperf.fast.layout import NONE, bells, requests, workers
from virtperf.fast.tape import tape_take
from virtperf.rules import doorbell as rule

_publish, _withdraw = compiled(rule.publish), compiled(rule.withdraw)


@inlined
def push(s: Any, inbox: Any, r: Any) -> None:
    """Let a request wait here: before those that nobody has begun to serve, if it was begun."""
    w = workers(s)[inbox.worker]
    mark(s, r, w)
    r.behind = NONE
    if r.home == inbox.index:
        if inbox.again_final == NONE:
            inbox.again_first = r.index
        else:
            requests(s)[inbox.again_final].behind = r.index
        inbox.again_final = r.index
    else:
        if inbox.fresh_final == NONE:
            inbox.fresh_first = r.index
        else:
            requests(s)[inbox.fresh_final].behind = r.index
        inbox.fresh_final = r.index
    inbox.waiting += 1
    if inbox.level == 0 and not inbox.runnable:
        add(s, w, inbox)


@inlined
def take(s: Any, inbox: Any, w: Any) -> Any:
    """Take the head; its wait is booked by what the worker did meanwhile."""
    if inbox.again_first != NONE:
        r = requests(s)[inbox.again_first]
        inbox.again_first = r.behind
        if r.behind == NONE:
            inbox.again_final = NONE
    else:
        r = requests(s)[inbox.fresh_first]
        inbox.fresh_first = r.behind
        if r.behind == NONE:
            inbox.fresh_final = NONE
    inbox.waiting -= 1
    r.home = inbox.index
    settle(s, r, w)
    if s.recording:
        tape_take(s, r, w.index)
    return r


@inlined
def publish(s: Any, inbox: Any) -> None:
    """Ask to be told of the next entry."""
    b = inbox.bells
    while b != NONE:
        _publish(bells(s)[b])
        b = bells(s)[b].sibling


@compiled
def withdraw(s: Any, inbox: Any) -> None:
    """Ask not to be told: who polls looks for itself."""
    b = inbox.bells
    while b != NONE:
        _withdraw(bells(s)[b])
        b = bells(s)[b].sibling
