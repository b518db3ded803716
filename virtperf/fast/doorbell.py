"""Doorbells: decide, mark under way, push, signal; mirrors `sim.doorbell`."""

from typing import Any

from virtperf.fast.calendar import BELL, alarm
from virtperf.fast.clocks import ASLEEP
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.inbox import push
from virtperf.fast.layout import NONE, bells, counters, inboxes, workers
from virtperf.fast.status import BROKEN, fail
from virtperf.fast.stretch import cut, happen
from virtperf.fast.tape import tape_ring
from virtperf.rules import doorbell as rule

MODERATED, ACTIVE = rule.MODERATED, rule.ACTIVE
_rings, _due = compiled(rule.rings), compiled(rule.due)
_consumer_state, _cuts = compiled(rule.consumer_state), compiled(rule.cuts)
SIGNAL = -1  # what an alarm of a bell refers to, unless it is the timer of a moderated one


@compiled
def decide(s: Any, bell: Any) -> int:
    """Return the consumer's state if the bell rings (then it is under way), else NONE."""
    rings = _rings(bell)
    bell.produced += 1
    if rings:
        bell.rung = bell.batch
        return _announce(s, bell)
    return NONE


@compiled
def _announce(s: Any, bell: Any) -> int:
    inbox = inboxes(s)[bell.inbox]
    state = _consumer_state(inbox, workers(s)[inbox.worker])
    inbox.notified += 1
    if bell.counter != NONE:
        counters(s)[bell.counter] += 1
    return state


@compiled
def hand_over(s: Any, bell: Any, r: Any, state: int) -> None:
    """Push a request, and signal if the bell rang and found its consumer in `state`."""
    if s.recording:
        tape_ring(s, r, bell.index)
    inbox = inboxes(s)[bell.inbox]
    w = workers(s)[inbox.worker]
    push(s, inbox, r)
    _notice(s, w)
    if state == NONE:
        return
    if state == ACTIVE:
        inbox.notified -= 1
        state = _consumer_state(inbox, w)
        if state == ACTIVE:
            return
        inbox.notified += 1
    _send(s, bell, state)


@compiled
def ring_from_device(s: Any, bell: Any, r: Any) -> None:
    """Hand a request on from something that is not a CPU; nobody pays."""
    if bell.rule == MODERATED:
        _moderate(s, bell, r)
    else:
        hand_over(s, bell, r, decide(s, bell))


@compiled
def _send(s: Any, bell: Any, state: int) -> None:
    if bell.delay[state]:
        alarm(s, BELL, bell, bell.delay[state], SIGNAL)
    else:
        _signal(s, bell)


@compiled
def _signal(s: Any, bell: Any) -> None:
    """Look at the consumer again: one that has become active needs no telling."""
    inbox = inboxes(s)[bell.inbox]
    w = workers(s)[inbox.worker]
    inbox.notified -= 1
    state = _consumer_state(inbox, w)
    if inbox.waiting and state != ACTIVE:
        tell(s, w, inbox, bell.debt_first[state], bell.debt_last[state])


@compiled
def bell_alarm(s: Any, b: int, ref: int) -> None:
    """Signal after a delay, or after the timer of moderation, unless the count came first."""
    bell = bells(s)[b]
    if ref == SIGNAL:
        _signal(s, bell)
    elif ref == bell.signals:
        _release(s, bell)


@compiled
def _moderate(s: Any, bell: Any, r: Any) -> None:
    """Push a request; the signal comes with the count, or with the timer."""
    if s.recording:
        tape_ring(s, r, bell.index)
    inbox = inboxes(s)[bell.inbox]
    push(s, inbox, r)
    _notice(s, workers(s)[inbox.worker])
    bell.pending += 1
    due = _due(bell)
    if due == 0:
        _release(s, bell)
    elif due > 0:
        alarm(s, BELL, bell, due, bell.signals)


@compiled
def _release(s: Any, bell: Any) -> None:
    """Signal what is pending, unless the consumer has found it by itself."""
    bell.pending = 0
    bell.signals += 1
    if inboxes(s)[bell.inbox].waiting:
        _send(s, bell, _announce(s, bell))


# -- told to the worker -----------------------------------------------------------------------


@inlined
def tell(s: Any, w: Any, inbox: Any, first: int, last: int) -> None:
    """Tell a worker that `inbox` has work, at a cost of steps `first` to `last` - 1 to itself."""
    inbox.told = 1
    if first < last:
        if inbox.debt_first < inbox.debt_last:
            fail(s, BROKEN, w.index)  # who has been told is active, and is told no more
        inbox.debt_first, inbox.debt_last = first, last
    if w.state == ASLEEP:
        happen(s, w)
    elif _cuts(inbox, w):
        cut(s, w)


@compiled
def _notice(s: Any, w: Any) -> None:
    """Let a worker that polls see that something was handed to it."""
    if w.polling:
        cut(s, w)


@inlined
def arrive(s: Any, r: Any, inbox: Any) -> None:
    """Let a worker have a request that is its own: no doorbell, for its user runs on it."""
    push(s, inbox, r)
    if not inbox.in_turn:
        tell(s, workers(s)[inbox.worker], inbox, 0, 0)
