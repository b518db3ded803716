"""What a worker does with a request in hand: spend time on it, and wait for others with it.

Mirrors `sim.hands` and the upper half of `sim.thread`, function by function; each goes on at
`f.at` of its frame, and calls others by frames of theirs.
"""

from typing import Any

from virtperf.fast.clocks import (
    BLOCKED,
    INTERRUPT,
    READY,
    RUNNING,
    SWITCHING,
    book,
    enter,
    mark,
    settle,
    settle_blocked,
)
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.deadlock import need, need_again
from virtperf.fast.doorbell import decide, hand_over
from virtperf.fast.fibre import (
    ASIDE,
    CHANGE,
    GOES_ON,
    HOLD,
    NEST,
    PAY,
    REGAIN,
    SPEND,
    TURN,
    WAITS,
    call,
    end,
)
from virtperf.fast.guest import add
from virtperf.fast.layout import (
    NONE,
    bells,
    counters,
    inboxes,
    pcpus,
    pools,
    requests,
    stations,
    steps,
    waiters,
)
from virtperf.fast.lock import join_queue, lock_seen, release_lock, spins, try_lock
from virtperf.fast.pool import release, request
from virtperf.fast.request import admit, child
from virtperf.fast.station import serve, take_up
from virtperf.fast.stretch import NEVER, OPEN, ran, stretch, told
from virtperf.fast.waits import LEAVES, SLEEPS, SPINS, of_request, of_waiter
from virtperf.tables.rows import Hold

ASYNC, BLOCK, SPIN = int(Hold.ASYNC), int(Hold.BLOCK), int(Hold.SPIN)

# -- time on a CPU ----------------------------------------------------------------------------


@inlined
def call_spend(s: Any, w: Any, step: int, r: int, ticks: int) -> int:
    """Begin to work `ticks` for a request."""
    f = call(s, w, SPEND)
    f.step, f.request, f.left = step, r, ticks
    return GOES_ON


@inlined
def spend(s: Any, w: Any, f: Any) -> int:
    """Work for a request; interrupts nest inside, slices end, nothing is lost."""
    step = steps(s)[f.step]
    if f.at == 1:
        end_of_stretch(s, w, f, step.account)
        f.at = 0
    w.masked = step.masked
    if w.away and not _back(s, w):
        return call_regain(s, w, f.request)
    if w.level == 0 and not step.masked:
        if told(s, w):
            return call_nest(s, w, f.request)
        if w.expired and not w.holds:
            call(s, w, ASIDE).request = f.request
            return GOES_ON
    if f.left == 0:
        return end(s, w)
    f.start, f.at = s.now, 1
    stretch(s, w, f.left, step.account, 1)
    return WAITS


@inlined
def end_of_stretch(s: Any, w: Any, f: Any, account: int) -> None:
    """Book what ran of a stretch, and how long the thread stood still in it."""
    ticks = ran(s, w, f.start)
    r = requests(s)[f.request]
    book(s, r, account, ticks)
    f.left -= ticks
    book(s, r, w.waits[READY], w.stood)


@inlined
def call_pay(s: Any, w: Any, first: int, last: int, r: int) -> int:
    """Begin to carry out work, steps `first` to `last` - 1, in the name of a request."""
    f = call(s, w, PAY)
    f.step, f.count, f.request = first, last, r
    return GOES_ON


@inlined
def pay(s: Any, w: Any, f: Any) -> int:
    """Carry out work in the name of a request."""
    n = f.step
    if n == f.count:
        return end(s, w)
    f.step = n + 1
    step = steps(s)[n]
    if step.counter != NONE:
        counters(s)[step.counter] += 1
    return call_spend(s, w, n, f.request, step.ticks)


@inlined
def call_nest(s: Any, w: Any, r: int) -> int:
    """Begin to let interrupt turns run inside the ordinary work of a request, or of none."""
    call(s, w, NEST).request = r
    return GOES_ON


@compiled
def nest(s: Any, w: Any, f: Any) -> int:
    """Let interrupt turns run inside ordinary work."""
    if f.at == 0:
        f.at = 1
        if f.request != NONE:
            mark(s, requests(s)[f.request], w)
    if told(s, w):
        call(s, w, TURN).inbox = w.interrupt
        return GOES_ON
    if f.request != NONE:
        settle(s, requests(s)[f.request], w)
    enter_level(s, w, 0)
    return end(s, w)


@inlined
def enter_level(s: Any, w: Any, level: int) -> None:
    """Go on at a level, ordinary (0) or interrupt (1)."""
    w.level = level
    if w.pcpu != NONE:
        enter(s, w, INTERRUPT if level else RUNNING)


# -- without a pCPU ---------------------------------------------------------------------------


@inlined
def call_regain(s: Any, w: Any, r: int) -> int:
    """Begin to wait for a pCPU, with a request in hand or none."""
    call(s, w, REGAIN).request = r
    return GOES_ON


@inlined
def regain(s: Any, w: Any, f: Any) -> int:
    """Wait for a pCPU, and for host interrupts there, and pay the switch.

    Neither interrupts nor hand-overs shorten a switch; what stops it leaves a rest.
    """
    if f.at == 0:
        f.at = 1
        if f.request != NONE:
            mark(s, requests(s)[f.request], w)
        enter(s, w, READY)
        if w.pcpu == NONE and not w.queued:
            request(s, w)
    elif f.at == 2:
        end_of_switch(s, w, f)
        f.at = 1
    if w.pcpu == NONE or _overrun(s, w):
        w.alarm = OPEN
        return WAITS
    if w.switch_left:
        f.at, f.start, w.switches_anew = 2, s.now, 0
        enter(s, w, SWITCHING)
        stretch(s, w, w.switch_left, pools(s)[0].switch_account, 0)
        return WAITS
    if f.request != NONE:
        settle(s, requests(s)[f.request], w)
    _go_on(s, w)
    return end(s, w)


@inlined
def end_of_switch(s: Any, w: Any, f: Any) -> None:
    """Keep what is left of a switch, which begins anew if others ran there meanwhile."""
    ticks = ran(s, w, f.start)
    if not w.switches_anew:
        w.switch_left -= ticks
    enter(s, w, READY)


@inlined
def _back(s: Any, w: Any) -> int:
    """Return whether a thread that was stopped can simply go on; then it does."""
    if w.pcpu == NONE or w.switch_left or pcpus(s)[w.pcpu].intruder != NONE:
        return 0
    _go_on(s, w)
    return 1


@inlined
def _go_on(s: Any, w: Any) -> None:
    w.away = 0
    enter(s, w, INTERRUPT if w.level else RUNNING)


@inlined
def _overrun(s: Any, w: Any) -> bool:
    """Return whether host interrupt work stands above this thread on its pCPU."""
    intruder = pcpus(s)[w.pcpu].intruder
    return intruder != NONE and intruder != w.index


# -- guest tasks --------------------------------------------------------------------------------


@compiled
def aside(s: Any, w: Any, f: Any) -> int:
    """Let another task go on; the request in hand waits until this one's turn has come."""
    r = requests(s)[f.request]
    if f.at == 0:
        f.at, f.inbox = 1, w.task
        mark(s, r, w)
        add(s, w, inboxes(s)[w.task])
        w.expired = 0
        w.fibre = w.index
        return GOES_ON
    if f.at == 1:
        f.at = 2
        settle(s, r, w)
        w.task = f.inbox
        enter_level(s, w, 0)  # interrupts may have had their turn meanwhile
        return call_change(s, w, f.inbox, f.request)
    return end(s, w)


@inlined
def call_change(s: Any, w: Any, inbox: int, r: int) -> int:
    """Begin to switch to a task."""
    f = call(s, w, CHANGE)
    f.inbox, f.request = inbox, r
    return GOES_ON


@compiled
def change(s: Any, w: Any, f: Any) -> int:
    """Pay the process switch if another task ran before."""
    if f.at == 0:
        before, w.process_of = w.process_of, f.inbox
        if before == NONE or before == f.inbox:
            return end(s, w)
        f.at = 1
        w.holds += 1  # a kernel does not reschedule while it switches
        return call_pay(s, w, w.switch_first, w.switch_last, f.request)
    w.holds -= 1
    return end(s, w)


# -- waiting with a request in hand ---------------------------------------------------------------


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
    """Burn the pCPU until the wait is over; interrupts nest, slices end, and the spin goes on."""
    if f.at == 1:
        end_of_spin(s, w, f)
        f.at = 0
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
    f.start, f.at, w.spinning = s.now, 1, 1
    stretch(s, w, NEVER, w.spin_account, 0)
    return WAITS


@compiled
def end_of_spin(s: Any, w: Any, f: Any) -> None:
    """Book a spin to the request in hand."""
    w.spinning = 0
    ticks = ran(s, w, f.start)
    if f.request != NONE:
        r = requests(s)[f.request]
        book(s, r, f.account, ticks)
        book(s, r, w.waits[READY], w.stood)


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


@compiled
def give_up(s: Any, w: Any, state: int) -> None:
    """Give up the pCPU, to sleep or to wait."""
    if w.pcpu != NONE:
        release(s, w)
    enter(s, w, state)


@compiled
def take_lock(s: Any, w: Any, f: Any) -> int:
    """Take a lock, or wait for it; woken to a free lock, try again."""
    lock = stations(s)[f.step]
    if f.at == 1:
        need_again(s, w, f.kept)
        if waiters(s)[2 * w.index + w.level].owns:
            w.holds += 1
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
def unlock(s: Any, w: Any, lock: int) -> None:
    """Let go of a lock."""
    w.holds -= 1
    release_lock(s, stations(s)[lock])


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
        f.at = 1
        f.kept = decide(s, bell)
        return pay_ring(s, w, bell, f.kept, f.request)
    if f.kept != NONE:
        w.holds -= 1
    r = requests(s)[f.request]
    r.home = NONE
    hand_over(s, bell, r, f.kept)
    return end(s, w)
