"""Physical CPUs that workers share: dispatch, slices, host interrupts; mirrors `sim.pool`."""

from typing import Any

from virtperf.fast import pieces, policy
from virtperf.fast.calendar import CARRY_ON as GOES_ON
from virtperf.fast.calendar import SLICE, alarm_of_policy, cause, next_key
from virtperf.fast.clocks import INTERRUPT, READY, RUNNING, enter, enter_account
from virtperf.fast.compiling import compiled, inlined, of_rule
from virtperf.fast.layout import NONE, pcpus, pools, workers
from virtperf.fast.probe import woke
from virtperf.fast.race import FOREVER, touch
from virtperf.fast.stretch import NEVER, OPEN, carry_on, cut, happen, unset, urgent
from virtperf.rules import pause
from virtperf.rules import refill as rule

_reload, _stays, _fresh = of_rule(rule.reload), of_rule(rule.stays), of_rule(rule.fresh)
_spins_anew, _candidate = inlined(pause.starts), of_rule(pause.candidate)
_favoured, TRIES = of_rule(pause.favoured), pause.TRIES
LAST_SHORT = policy.LAST_SHORT


@compiled
def start(s: Any) -> None:
    """Let the policy's clocks run, if it has any."""
    pool = pools(s)[0]
    policy.reset(pool.policy, pool, pcpus(s), workers(s))
    if pool.period:
        alarm_of_policy(s, 0, 1, pool.period)
    if pool.tick:
        for p in range(pool.count):
            alarm_of_policy(s, 1 + p, 1, pool.tick)


@inlined
def request(s: Any, w: Any) -> None:
    """Give `w` a pCPU now, or when its turn comes (then its alarm happens)."""
    if w.host:
        _intrude(s, w)
        return
    pool = pools(s)[0]
    w.requested = s.now
    p = policy.place(pool.policy, pool, pcpus(s), workers(s), w.index, s.now)
    if p != NONE:
        _dispatch(s, pool, pcpus(s)[p], w)
        _explain(s, pool)
        return
    _queue(s, pool, w, 1)
    if pool.policy > LAST_SHORT:
        p = policy.preempts(pool.policy, pool, pcpus(s), workers(s), w.index, s.now)
        if p != NONE:
            _preempt(s, pool, pcpus(s)[p], w.index)
        _regroup(s, pool, w.index)


@inlined
def release(s: Any, w: Any) -> None:
    """Take back the pCPU of `w`, who sleeps or blocks."""
    w.away = 1
    if w.host:
        _depart(s, w)
        return
    pool = pools(s)[0]
    pcpu = _vacate(s, pool, w)
    policy.leaves(pool.policy, pool, pcpus(s), workers(s), w.index, s.now)
    _next(s, pool, pcpu, NONE)
    _explain(s, pool)
    if pool.policy > LAST_SHORT:
        _regroup(s, pool, NONE)


@compiled
def alone(s: Any, w: Any) -> int:
    """Whether nobody else wants the pCPU of `w`; a timer for who left is taken back."""
    pcpu = pcpus(s)[w.pcpu]
    _arm(s, pools(s)[0], pcpu)
    return pcpu.timer == FOREVER


@compiled
def give_way(s: Any, w: Any) -> None:
    """Let a worker that spins wait behind others, or go on if it should favour one but cannot.

    It sees itself whether it still has a pCPU, or has one again.
    """
    pool = pools(s)[0]
    if w.directed and not _favours(s, pool, w):
        return
    w.away = w.gave_way = 1
    pcpu = _vacate(s, pool, w)
    w.queued = 1
    policy.yields(pool.policy, pool, pcpus(s), workers(s), w.index, s.now)
    _await(s, pool, w)
    _next(s, pool, pcpu, w.index)
    _explain(s, pool)


@compiled
def _favours(s: Any, pool: Any, w: Any) -> int:
    """Return whether some other worker of the domain of `w` is the next one now."""
    tried = NONE
    for _ in range(TRIES):
        tried = _candidate(workers(s), w.index, tried)
        if tried == NONE:
            return 0
        if policy.favour(pool.policy, pool, pcpus(s), workers(s), tried, s.now):
            _favoured(workers(s), tried)
            return 1
    return 0


# -- dispatch -----------------------------------------------------------------------------


@inlined
def _queue(s: Any, pool: Any, w: Any, woken: int) -> None:
    """Let a worker wait, woken or because it lost its pCPU."""
    w.queued = 1
    policy.enqueue(pool.policy, pool, pcpus(s), workers(s), w.index, woken, s.now)
    _await(s, pool, w)
    if woken:
        _explain(s, pool)


@inlined
def _await(s: Any, pool: Any, w: Any) -> None:
    """Set the timers of those whom a worker that has begun to wait may want to replace."""
    p = policy.home(pool.policy, pool, pcpus(s), workers(s), w.index)
    if p != NONE:
        _arm(s, pool, pcpus(s)[p])
    elif pool.armed < pool.count - pool.idle:
        for p in range(pool.count):
            pcpu = pcpus(s)[p]
            if pcpu.timer == FOREVER:
                _arm(s, pool, pcpu)


@inlined
def _next(s: Any, pool: Any, pcpu: Any, asks: int) -> None:
    """Let the next one have `pcpu`; a policy may leave it idle though somebody waits.

    The one that `asks` for a pCPU sees itself that it has one.
    """
    n = policy.pick(pool.policy, pool, pcpus(s), workers(s), pcpu.index, s.now)
    if n != NONE:
        w = workers(s)[n]
        w.queued = 0
        _dispatch(s, pool, pcpu, w)
        if n != asks:
            resume(s, w)
    elif pcpu.intruder == NONE:
        enter_account(s, pcpu, pool.idle_accounts[0])
        if pool.sharing:
            pieces.pace_sibling(s, pcpu.index)


@inlined
def _dispatch(s: Any, pool: Any, pcpu: Any, w: Any) -> None:
    pool.idle -= 1
    pcpu.worker = w.index
    pcpu.dispatched = pcpu.charged = s.now
    if pcpu.last != w.index and pcpu.last != NONE:
        pool.switches += 1
        w.switch_left, w.switches_anew = pool.switch, 1
    if pool.particular:
        _heed(s, pool, pcpu, w)
    if w.requested != NEVER:
        woke(s, w)
    pool.migrations += (w.last != pcpu.index) & (w.last != NONE)
    w.pcpu = w.last = pcpu.index
    if pool.sharing:
        pieces.pace_sibling(s, pcpu.index)
    due = policy.due(pool.policy, pool, pcpus(s), workers(s), pcpu.index, s.now)
    if due != NEVER:
        _set(s, pool, pcpu, max(due, s.now))


@compiled
def _heed(s: Any, pool: Any, pcpu: Any, w: Any) -> None:
    """Do at a dispatch what only some workers and policies ask for."""
    if pool.reloads and pcpu.last != w.index and not _fresh(w, pcpu):
        w.refill_left = _reload(pool, w, pcpu)
        w.switch_left += w.refill_left
        w.tlb_time = 0
    if w.owes_flush:
        w.owes_flush = 0
        w.switch_left += w.flush
    if w.pause_window:
        _spins_anew(w)
    policy.starts(pool.policy, pool, pcpus(s), workers(s), pcpu.index, w.index, s.now)


@inlined
def _vacate(s: Any, pool: Any, w: Any) -> Any:
    pcpu = pcpus(s)[w.pcpu]
    _charge(s, pool, pcpu)
    if pcpu.timer != FOREVER:
        pcpu.timer = FOREVER
        touch(s, pcpu.index)
        pool.armed -= 1
    pool.idle += 1
    if pool.reloads:
        pcpu.ran += s.now - pcpu.dispatched
        w.seen_ran = pcpu.ran
        _stays(w, pcpu, s.now - pcpu.dispatched)
    pcpu.worker, pcpu.last = NONE, w.index
    w.pcpu = NONE
    return pcpu


@inlined
def _preempt(s: Any, pool: Any, pcpu: Any, asks: int) -> None:
    """Send the worker of `pcpu` back to the queue, for whoever is next."""
    w = workers(s)[pcpu.worker]
    if not _evict(s, pool, w):
        return
    _next(s, pool, pcpu, asks)
    pool.preemptions += pcpu.worker != w.index
    _explain(s, pool)


@compiled
def _move(s: Any, pool: Any, pcpu: Any, to: Any) -> None:
    """Let the worker of `pcpu` go on at once on another one, which is idle."""
    w = workers(s)[pcpu.worker]
    if w.yields:  # it has nothing to do
        _arm(s, pool, pcpu)
        return
    _vacate(s, pool, w)
    stop(s, w)
    _dispatch(s, pool, to, w)
    resume(s, w)
    _next(s, pool, pcpu, NONE)
    _explain(s, pool)


@inlined
def _evict(s: Any, pool: Any, w: Any) -> int:
    """Send a worker back to the queue; 0 if it leaves by itself, having nothing to do."""
    if w.yields:
        w.yields = 0
        cut(s, w)
        return 0
    _vacate(s, pool, w)
    stop(s, w)
    _queue(s, pool, w, 0)
    return 1


@inlined
def _charge(s: Any, pool: Any, pcpu: Any) -> None:
    if pool.policy > LAST_SHORT:
        ran = s.now - pcpu.charged
        pcpu.charged = s.now
        policy.account(pool.policy, pool, pcpus(s), workers(s), pcpu.worker, ran, s.now)


@inlined
def _explain(s: Any, pool: Any) -> None:
    """Book the time of idle pCPUs from now on to what keeps them so."""
    if pool.policy > LAST_SHORT and pool.idle:
        _explain_all(s, pool)


@compiled
def _explain_all(s: Any, pool: Any) -> None:
    for p in range(pool.count):
        pcpu = pcpus(s)[p]
        if pcpu.worker == NONE and pcpu.intruder == NONE:
            why = policy.why_idle(pool.policy, pool, pcpus(s), workers(s), p)
            enter_account(s, pcpu, pool.idle_accounts[why])


# -- when to look again, and the policy's clocks --------------------------------------------


@inlined
def _set(s: Any, pool: Any, pcpu: Any, due: int) -> None:
    pcpu.timer, pcpu.slice_key = due, next_key(s, SLICE, pcpu)
    pool.armed += 1
    touch(s, pcpu.index)


@compiled
def _arm(s: Any, pool: Any, pcpu: Any) -> None:
    """Set, move or take back the timer of `pcpu`."""
    if pcpu.worker == NONE:
        return
    due = policy.due(pool.policy, pool, pcpus(s), workers(s), pcpu.index, s.now)
    due = FOREVER if due == NEVER else max(due, s.now)
    before = pcpu.timer
    if due == before:
        return
    if before != FOREVER:
        pool.armed -= 1
        pcpu.timer = FOREVER
        touch(s, pcpu.index)
    if due != FOREVER:
        _set(s, pool, pcpu, due)
    w = workers(s)[pcpu.worker]
    if before == FOREVER:
        if w.yields:
            cut(s, w)  # it asks again whether it is alone
    elif w.alarm == OPEN:
        carry_on(s, w)


@inlined
def look_again(s: Any, p: int) -> None:
    """Let the worker go if it is wanted elsewhere or its pCPU by others; else look later."""
    pool, pcpu = pools(s)[0], pcpus(s)[p]
    pcpu.timer = FOREVER
    touch(s, p)
    pool.armed -= 1
    _charge(s, pool, pcpu)
    if policy.wanted(pool.policy, pool, pcpus(s), workers(s), p, s.now):
        _preempt(s, pool, pcpu, NONE)
        return
    if policy.due(pool.policy, pool, pcpus(s), workers(s), p, s.now) > s.now:
        _arm(s, pool, pcpu)
    carry_on(s, workers(s)[pcpu.worker])


@compiled
def policy_clock(s: Any, number: int, count: int) -> None:
    """Let the policy look at a pCPU, or hand out what it charges."""
    pool = pools(s)[0]
    if number == 0:
        _refill(s, pool)
        alarm_of_policy(s, number, count + 1, pool.period)
        return
    p = number - 1
    pcpu = pcpus(s)[p]
    if pcpu.worker != NONE:
        _charge(s, pool, pcpu)
        to = policy.moves(pool.policy, pool, pcpus(s), workers(s), p, s.now)
        if policy.tick(pool.policy, pool, pcpus(s), workers(s), p, s.now):
            _preempt(s, pool, pcpu, NONE)
        elif to != NONE:
            _move(s, pool, pcpu, pcpus(s)[to])
        else:
            _arm(s, pool, pcpu)
    alarm_of_policy(s, number, count + 1, pool.tick)


@inlined
def _refill(s: Any, pool: Any) -> None:
    """Hand out, and let each pCPU have another worker if that has changed who it is."""
    for p in range(pool.count):
        if pcpus(s)[p].worker != NONE:
            _charge(s, pool, pcpus(s)[p])
    policy.refill(pool.policy, pool, pcpus(s), workers(s), s.now)
    _choose_anew(s, pool, NONE)


@compiled
def _regroup(s: Any, pool: Any, asks: int) -> None:
    """Let all pCPUs choose anew, if the policy says so now that somebody came or went."""
    if policy.regroups(pool.policy, pool, pcpus(s), workers(s), s.now):
        _choose_anew(s, pool, asks)


@compiled
def _choose_anew(s: Any, pool: Any, asks: int) -> None:
    """Let each pCPU have another worker, if what has been handed out changes who it is.

    Who must go goes from all pCPUs before anybody is put on one.
    """
    for p in range(pool.count):
        pcpu = pcpus(s)[p]
        if pcpu.worker != NONE and policy.must_go(
            pool.policy, pool, pcpus(s), workers(s), p, s.now
        ):
            pool.preemptions += _evict(s, pool, workers(s)[pcpu.worker])
    for p in range(pool.count):
        pcpu = pcpus(s)[p]
        if pcpu.worker == NONE:
            _next(s, pool, pcpu, asks)
        else:
            _arm(s, pool, pcpu)
    _explain(s, pool)


# -- host interrupts ------------------------------------------------------------------------


@compiled
def _intrude(s: Any, w: Any) -> None:
    """Let host interrupt work have its pCPU; the thread below stays on it, and stands still."""
    pcpu = pcpus(s)[w.pin]
    if pcpu.intruder != NONE:
        w.queued, w.next = 1, NONE
        if pcpu.final == NONE:
            pcpu.first = w.index
        else:
            workers(s)[pcpu.final].next = w.index
        pcpu.final = w.index
        return
    pcpu.intruder, w.pcpu = w.index, pcpu.index
    if pcpu.worker != NONE:
        stop(s, workers(s)[pcpu.worker])
    elif pools(s)[0].sharing:
        pieces.pace_sibling(s, pcpu.index)


@compiled
def _depart(s: Any, w: Any) -> None:
    pcpu = pcpus(s)[w.pcpu]
    w.pcpu = NONE
    if pcpu.first != NONE:
        after = workers(s)[pcpu.first]
        pcpu.first = after.next
        if pcpu.first == NONE:
            pcpu.final = NONE
        pcpu.intruder = after.index
        after.pcpu, after.queued = pcpu.index, 0
        resume(s, after)
        return
    pcpu.intruder = NONE
    if pcpu.worker == NONE:
        enter_account(s, pcpu, pools(s)[0].idle_accounts[0])
        if pools(s)[0].sharing:
            pieces.pace_sibling(s, pcpu.index)
        _explain(s, pools(s)[0])
    else:
        resume(s, workers(s)[pcpu.worker])


# -- told to the thread -----------------------------------------------------------------------


@inlined
def stop(s: Any, w: Any) -> None:
    """Take the CPU from under the thread, which is not told."""
    w.away = 1
    if w.state != READY:
        unset(s, w)
        if w.pace:
            pieces.end(s, w)
        w.stopped = s.now
        enter(s, w, READY)


@inlined
def resume(s: Any, w: Any) -> None:
    """Give the CPU back: plain work that has nothing else to heed goes on where it was."""
    if s.caused != s.happened and w.plain and w.stopped != NEVER:
        cause(s, GOES_ON, w.index)
    else:
        resume_now(s, w)


@inlined
def resume_now(s: Any, w: Any) -> None:
    """Go on with plain work, else let the thread learn that it has a pCPU."""
    if w.pcpu == NONE:  # it has lost it again
        return
    pcpu = pcpus(s)[w.pcpu]
    simple = w.plain and w.stopped != NEVER and not w.switch_left and not urgent(s, w)
    if not simple or pcpu.intruder != NONE:
        happen(s, w)
        return
    stood = s.now - w.stopped
    w.stood += stood
    w.end += stood
    if w.pace:
        w.end = s.now + pieces.begin(s, w, w.ahead)
    w.stopped = NEVER
    enter_account(s, pcpu, w.account)
    w.away = 0
    enter(s, w, INTERRUPT if w.level else RUNNING)
    carry_on(s, w)
