"""What a worker waits for with a request in hand: locks, stations, answers; and how it rings.

Mirrors the second half of `sim.hands`.
"""

from typing import Any

from virtperf.fast.clocks import (
    BLOCKED,
    READY,
    book,
    enter,
    mark,
    settle,
    settle_blocked,
)
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.deadlock import need, need_again, need_deaf
from virtperf.fast.doorbell import decide, hand_over
from virtperf.fast.fibre import (
    GOES_ON,
    HOLD,
    KICK,
    WAITS,
    call,
    end,
)
from virtperf.fast.hands import call_nest, call_pay, call_regain
from virtperf.fast.layout import (
    NONE,
    bells,
    classes,
    inboxes,
    requests,
    stations,
    steps,
    waiters,
    workers,
)
from virtperf.fast.lock import (
    call_waiter,
    join_queue,
    lock_seen,
    release_lock,
    spins,
    try_lock,
)
from virtperf.fast.pool import give_way, release
from virtperf.fast.request import admit, child
from virtperf.fast.station import serve, take_up
from virtperf.fast.stretch import NEVER, ran, stretch, told
from virtperf.fast.waits import LEAVES, SLEEPS, SPINS, of_request, of_waiter
from virtperf.rules import doorbell as doorbell_rule
from virtperf.rules import pause as pause_rule
from virtperf.tables.rows import Hold

ASYNC, BLOCK, SPIN = int(Hold.ASYNC), int(Hold.BLOCK), int(Hold.SPIN)
_spares = compiled(doorbell_rule.spares)
_grow, _longest = compiled(pause_rule.grow), compiled(pause_rule.stretch)


@compiled
def call_hold(s: Any, w: Any, wait: int, hold: int, masked: int, account: int, r: int) -> int:
    """Begin to wait, asleep or spinning; request NONE is one that a station books meanwhile."""
    f = call(s, w, HOLD)
    f.wait, f.sleeps, f.left, f.account, f.request = wait, hold == BLOCK, masked, account, r
    return GOES_ON


@compiled
def hold(s: Any, w: Any, f: Any) -> int:
    """Wait until the wait is over."""
    if f.sleeps:
        return _block(s, w, f)
    return _spin(s, w, f)


@compiled
def _spin(s: Any, w: Any, f: Any) -> int:
    """Burn the pCPU until the wait is over, or patience is.

    Interrupts nest, slices end, the vCPU exits, and the spin goes on. Who waits for a station does
    not pause: its request's time is the station's, and an exit would have to be too.
    """
    if f.at == 1:
        ran_ = end_of_spin(s, w, f)
        f.at = 0
        if _patience(s, f.wait) != NEVER:
            waiters(s)[-f.wait - 1].patience -= ran_
        lost = w.away or _over(s, f.wait)  # its pCPU, or what it spun for
        if f.request != NONE and 0 < w.spin_window == ran_ and not lost:
            f.at = 2
            _grow(w)
            return call_pay(s, w, w.pause_first, w.pause_last, f.request)
    elif f.at == 2:
        f.at = 0
        give_way(s, w)
    w.masked = f.left
    if w.away:
        return call_regain(s, w, f.request)
    if w.level == 0 and not f.left and told(s, w):
        return call_nest(s, w, f.request)
    if f.wait < 0:
        seen = lock_seen(s, -f.wait - 1)
    else:
        seen = requests(s)[f.wait - 1].over
    if seen:
        return end(s, w)
    patience = _patience(s, f.wait)
    if patience == 0:
        f.sleeps = waiters(s)[-f.wait - 1].sleeps = 1
        need_deaf(s, w)
        return _block(s, w, f)
    f.start, f.at, w.spinning = s.now, 1, 1
    window = w.spin_window if f.request != NONE else 0
    stretch(s, w, _longest(window, patience), w.spin_account, 0)
    return WAITS


@compiled
def _over(s: Any, wait: int) -> int:
    """Return whether a wait is over."""
    if wait < 0:
        return int(waiters(s)[-wait - 1].over)
    return int(requests(s)[wait - 1].over)


@compiled
def _patience(s: Any, wait: int) -> int:
    """Return for how much longer one spins before it sleeps, NEVER if it never does."""
    if wait < 0:
        return int(waiters(s)[-wait - 1].patience)
    return NEVER


@compiled
def end_of_spin(s: Any, w: Any, f: Any) -> int:
    """Book a spin to the request in hand; return how long it ran."""
    w.spinning = 0
    ticks = ran(s, w, f.start)
    if f.request != NONE:
        r = requests(s)[f.request]
        book(s, r, f.account, ticks)
        book(s, r, w.waits[READY], w.stood)
    return ticks


@compiled
def _block(s: Any, w: Any, f: Any) -> int:
    """Give up the pCPU until the wait is over, then get one again."""
    if f.at == 0:
        if f.wait > 0 and requests(s)[f.wait - 1].over:
            return end(s, w)
        f.at = 1
        if f.request != NONE:
            mark(s, requests(s)[f.request], w)
        give_up(s, w, BLOCKED)
        w.blocked = f.wait
        return WAITS
    if f.at == 1 and f.request != NONE:
        f.at = 2
        settle_blocked(s, requests(s)[f.request], w, f.account)
        return call_regain(s, w, f.request)
    return end(s, w)


@inlined
def give_up(s: Any, w: Any, state: int) -> None:
    """Give up the pCPU, to sleep or to wait."""
    if w.pcpu != NONE:
        release(s, w)
    enter(s, w, state)


@compiled
def take_lock(s: Any, w: Any, f: Any) -> int:
    """Take a lock, or wait for it; woken to a free lock, try again.

    Who spun at first and was woken from its sleep pays for that, with the lock in its hands.
    """
    lock = stations(s)[f.step]
    if f.at == 2:
        return end(s, w)
    if f.at == 1:
        need_again(s, w, f.kept)
        waiter = waiters(s)[2 * w.index + w.level]
        if waiter.owns:
            w.holds += 1
            if spins(lock) and waiter.sleeps:
                f.at = 2
                return call_pay(s, w, w.wake_first, w.wake_last, f.request)
            return end(s, w)
    if try_lock(s, lock, w.index, w.level):
        w.holds += 1
        return end(s, w)
    f.at = 1
    blocks = not spins(lock)
    f.kept = need(s, w, f.left or blocks, requests(s)[f.request], f.step, NONE)
    n = join_queue(s, lock, w)
    hold_ = BLOCK if blocks else SPIN
    return call_hold(s, w, of_waiter(n), hold_, f.left, lock.wait_account, f.request)


@compiled
def unlock(s: Any, w: Any, lock: int, r: int) -> int:
    """Let go of a lock; return whether a call has begun, to wake the next one."""
    n = release_lock(s, stations(s)[lock])
    if n == NONE:
        w.holds -= 1
        return 0
    f = call(s, w, KICK)
    f.step, f.wait, f.request = lock, n, r
    return 1


@compiled
def kick(s: Any, w: Any, f: Any) -> int:
    """Pay for waking the next holder of a lock."""
    if f.at == 0:
        f.at = 1
        return call_pay(s, w, w.kick_first, w.kick_last, f.request)
    call_waiter(s, stations(s)[f.step], f.wait)
    w.holds -= 1
    return end(s, w)


@compiled
def stay(s: Any, w: Any, f: Any) -> int:
    """Keep a request while a station serves it, which books its time until then."""
    r, step = requests(s)[f.request], steps(s)[f.step]
    if f.at == 0:
        f.at = 1
        r.stays, r.over, r.left = 1, 0, 1
        r.sleeps = SLEEPS if step.hold == BLOCK else SPINS
        serve(s, r, step)
        return call_hold(s, w, of_request(r.index), step.hold, step.masked, NONE, NONE)
    if f.at == 1 and w.away:
        f.at = 2
        return call_regain(s, w, NONE)
    settle(s, r, w)
    return end(s, w)


@compiled
def join(s: Any, w: Any, f: Any) -> int:
    """Ring several, one after the other, and wait until the last has answered."""
    r, step = requests(s)[f.request], steps(s)[f.step]
    if f.at == 0:
        f.at, f.count = 1, step.target
        r.over, r.left = 0, step.other
        r.sleeps = LEAVES if step.hold == ASYNC else SLEEPS if step.hold == BLOCK else SPINS
    elif f.at == 2:  # the next doorbell has been paid for
        if f.kept != NONE:
            w.holds -= 1
        called = requests(s)[f.start]
        admit(s, called)
        hand_over(s, bells(s)[f.inbox], called, f.kept)
        f.at, f.count = 1, f.count + 1
    elif f.at == 3:
        need_again(s, w, f.kept)
        return end(s, w)
    while f.count < step.target + step.other and _spared(s, f.count):
        r.left -= 1
        if r.left == 0:
            r.over = 1
        f.count += 1
    if f.count < step.target + step.other:
        called = child(s, r, f.count)
        called.answers = r.index
        f.at, f.start, f.inbox = 2, called.index, steps(s)[called.step].target
        called.step += 1
        f.kept = decide(s, bells(s)[f.inbox])
        return pay_ring(s, w, bells(s)[f.inbox], f.kept, r.index)
    if step.hold == ASYNC:
        r.since, r.aside_account = s.now, step.account
        if r.over:
            take_up(s, r)
        return end(s, w)
    f.at = 3
    f.kept = need(s, w, step.masked or step.hold == BLOCK, r, NONE, f.step)
    return call_hold(s, w, of_request(r.index), step.hold, step.masked, step.account, r.index)


@compiled
def _spared(s: Any, klass: int) -> int:
    """Return whether a call can wait until whom it is for runs again, who then owes it."""
    bell = bells(s)[steps(s)[classes(s)[klass].path].target]
    w = workers(s)[inboxes(s)[bell.inbox].worker]
    spared = _spares(bell, w)
    w.owes_flush |= spared & (w.polling == 0)
    return spared


@compiled
def pay_ring(s: Any, w: Any, bell: Any, state: int, payer: int) -> int:
    """Begin to pay for ringing, if the bell rings.

    Nobody else on this vCPU may get between the decision and the hand-over: others rely on a
    notification that is under way (a guest's driver rings with preemption off).
    """
    if state != NONE:
        w.holds += 1
        if bell.pay_first[state] < bell.pay_last[state]:
            return call_pay(s, w, bell.pay_first[state], bell.pay_last[state], payer)
    return GOES_ON


@compiled
def send(s: Any, w: Any, f: Any) -> int:
    """Ring a doorbell with a request: decide, pay, hand over."""
    bell = bells(s)[f.step]
    if f.at == 0:
        f.at, bell.batch = 1, w.batches
        f.kept = decide(s, bell)
        return pay_ring(s, w, bell, f.kept, f.request)
    if f.kept != NONE:
        w.holds -= 1
    r = requests(s)[f.request]
    r.home = NONE
    hand_over(s, bell, r, f.kept)
    return end(s, w)
