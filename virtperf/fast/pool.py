"""Physical CPUs that workers share: dispatch, slices, host interrupts; mirrors `sim.pool`."""

from typing import Any

from virtperf.fast import policy
from virtperf.fast.calendar import CARRY_ON as GOES_ON
from virtperf.fast.calendar import SLICE, alarm_of_policy, cause, next_key
from virtperf.fast.clocks import INTERRUPT, READY, RUNNING, enter, enter_account
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.layout import NONE, pcpus, pools, workers
from virtperf.fast.race import FOREVER, touch
from virtperf.fast.stretch import NEVER, carry_on, happen, unset, urgent


@compiled
def start(s: Any) -> None:
    """Let the policy's clocks run, if it has any."""
    pool = pools(s)[0]
    if pool.tick:
        for p in range(pool.count):
            alarm_of_policy(s, p, 1, pool.tick)
    if pool.period:
        alarm_of_policy(s, pool.count, 1, pool.period)


@inlined
def request(s: Any, w: Any) -> None:
    """Give `w` a pCPU now, or when its turn comes (then its alarm happens)."""
    if w.host:
        _intrude(s, w)
        return
    pool = pools(s)[0]
    p = policy.place(pool.policy, pool, pcpus(s), workers(s), w.index)
    if p != NONE:
        _dispatch(s, pool, pcpus(s)[p], w)
        return
    p = policy.preempts(pool.policy, pool, pcpus(s), workers(s), w.index)
    if p != NONE:
        pcpu = pcpus(s)[p]
        before = workers(s)[pcpu.worker]
        _vacate(s, pool, before)
        stop(s, before)
        _dispatch(s, pool, pcpu, w)
        _queue(s, pool, before, 0)
    else:
        _queue(s, pool, w, 1)


@inlined
def release(s: Any, w: Any) -> None:
    """Take back the pCPU of `w`, who sleeps or blocks."""
    w.away = 1
    if w.host:
        _depart(s, w)
        return
    pool = pools(s)[0]
    _next(s, pool, _vacate(s, pool, w))


# -- dispatch -----------------------------------------------------------------------------


@inlined
def _queue(s: Any, pool: Any, w: Any, woken: int) -> None:
    w.queued = 1
    policy.enqueue(pool.policy, pool, workers(s), w.index, woken)
    if pool.armed < pool.count - pool.idle:
        for p in range(pool.count):
            pcpu = pcpus(s)[p]
            if pcpu.timer == FOREVER and pcpu.worker != NONE:
                _arm(s, pool, pcpu)


@inlined
def _next(s: Any, pool: Any, pcpu: Any) -> None:
    """Let the next one have `pcpu`; a policy may leave it idle though somebody waits."""
    n = policy.pick(pool.policy, pool, workers(s), pcpu.index)
    if n != NONE:
        w = workers(s)[n]
        w.queued = 0
        _dispatch(s, pool, pcpu, w)
        resume(s, w)
    elif pcpu.intruder == NONE:
        enter_account(s, pcpu, pool.idle_account)


@inlined
def _dispatch(s: Any, pool: Any, pcpu: Any, w: Any) -> None:
    pool.idle -= 1
    pcpu.worker = w.index
    pcpu.dispatched = pcpu.charged = s.now
    w.pcpu = w.last = pcpu.index
    if pcpu.last != w.index and pcpu.last != NONE:
        w.switch_left, w.switches_anew = pool.switch, 1
    _arm(s, pool, pcpu)


@inlined
def _vacate(s: Any, pool: Any, w: Any) -> Any:
    pcpu = pcpus(s)[w.pcpu]
    _charge(s, pool, pcpu)
    if pcpu.timer != FOREVER:
        pcpu.timer = FOREVER
        touch(s, pcpu.index)
        pool.armed -= 1
    pool.idle += 1
    pcpu.worker, pcpu.last = NONE, w.index
    w.pcpu = NONE
    return pcpu


@inlined
def _preempt(s: Any, pool: Any, pcpu: Any) -> None:
    """Send the worker of `pcpu` back to the queue."""
    w = workers(s)[pcpu.worker]
    _vacate(s, pool, w)
    stop(s, w)
    _queue(s, pool, w, 0)
    _next(s, pool, pcpu)


@inlined
def _charge(s: Any, pool: Any, pcpu: Any) -> None:
    policy.account(pool.policy, pool, workers(s), pcpu.worker, s.now - pcpu.charged)
    pcpu.charged = s.now


# -- slices and the policy's clocks ---------------------------------------------------------


@inlined
def _arm(s: Any, pool: Any, pcpu: Any) -> None:
    if pcpu.timer != FOREVER or pcpu.worker == NONE:
        return
    if policy.wanted(pool.policy, pool, workers(s), pcpu.index):
        slice_ = policy.slice_of(pool.policy, pool, workers(s), pcpu.worker)
        left = max(0, pcpu.dispatched + slice_ - s.now)
        pcpu.timer, pcpu.slice_key = s.now + left, next_key(s, SLICE, pcpu)
        touch(s, pcpu.index)
        pool.armed += 1


@inlined
def slice_end(s: Any, p: int) -> None:
    """End the slice if somebody waits still."""
    pool, pcpu = pools(s)[0], pcpus(s)[p]
    pcpu.timer = FOREVER
    touch(s, p)
    pool.armed -= 1
    if policy.wanted(pool.policy, pool, workers(s), p):
        _preempt(s, pool, pcpu)
    else:
        carry_on(s, workers(s)[pcpu.worker])


@compiled
def policy_clock(s: Any, number: int, count: int) -> None:
    """Let the policy look at a pCPU, or hand out what it charges."""
    pool = pools(s)[0]
    if number == pool.count:
        policy.refill(pool.policy, pool, workers(s), s.now)
        for p in range(pool.count):
            if pcpus(s)[p].worker == NONE:
                _next(s, pool, pcpus(s)[p])
        alarm_of_policy(s, number, count + 1, pool.period)
        return
    pcpu = pcpus(s)[number]
    if pcpu.worker != NONE:
        _charge(s, pool, pcpu)
        if policy.tick(pool.policy, pool, pcpus(s), workers(s), number):
            _preempt(s, pool, pcpu)
    alarm_of_policy(s, number, count + 1, pool.tick)


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
        enter_account(s, pcpu, pools(s)[0].idle_account)
    else:
        resume(s, workers(s)[pcpu.worker])


# -- told to the thread -----------------------------------------------------------------------


@inlined
def stop(s: Any, w: Any) -> None:
    """Take the CPU from under the thread, which is not told."""
    w.away = 1
    if w.state != READY:
        unset(s, w)
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
    w.stopped = NEVER
    enter_account(s, pcpu, w.account)
    w.away = 0
    enter(s, w, INTERRUPT if w.level else RUNNING)
    carry_on(s, w)
