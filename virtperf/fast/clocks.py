"""Time is booked: to the accounts of pCPUs, to the states of workers, to requests."""

from typing import Any

from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.layout import STATES, booked, cpu
from virtperf.fast.status import LATE, fail
from virtperf.fast.tape import tape_pcpu, tape_worker

# The members of WorkerState, as numbers that compiled code can hold.
ASLEEP, READY, RUNNING, INTERRUPT, BLOCKED, SWITCHING, POLLING = range(STATES)


@inlined
def enter(s: Any, w: Any, state: int) -> None:
    """Let a worker be in a state from now on."""
    if s.recording:
        tape_worker(s, w)
    now = s.now
    w.times[w.state] += now - w.entered
    w.entered, w.state = now, state


@inlined
def enter_account(s: Any, p: Any, account: int) -> None:
    """Let the time of a pCPU go to an account from now on."""
    if s.recording:
        tape_pcpu(s, p)
    now = s.now
    cpu(s)[p.index * s.accounts + p.account] += now - p.since
    p.since, p.account = now, account


@inlined
def _read(s: Any, w: Any) -> None:
    """Bring the clock of a worker up to now."""
    now = s.now
    w.times[w.state] += now - w.entered
    w.entered = now


@inlined
def mark(s: Any, r: Any, w: Any) -> None:
    """Remember what the clock of `w` shows: a request begins to wait there."""
    _read(s, w)
    for state in range(STATES):
        r.mark[state] = w.times[state]


@inlined
def book(s: Any, r: Any, account: int, ticks: int) -> None:
    """Add `ticks` to an account of a request."""
    if ticks:
        booked(s)[r.index * s.accounts + account] += ticks


@inlined
def settle(s: Any, r: Any, w: Any) -> None:
    """Book to a request what the clock of `w` shows since its mark, state by state."""
    _read(s, w)
    for state in range(STATES):
        book(s, r, w.waits[state], w.times[state] - r.mark[state])


@compiled
def settle_batch(s: Any, r: Any, w: Any) -> None:
    """Settle the wait of a request for its mates, whose work is the batch's."""
    _read(s, w)
    for state in range(STATES):
        own = state == RUNNING or state == INTERRUPT
        account = w.batch_account if own else w.waits[state]
        book(s, r, account, w.times[state] - r.mark[state])


@compiled
def settle_blocked(s: Any, r: Any, w: Any, account: int) -> None:
    """Settle the wait of a request whose worker was blocked for what `account` says."""
    _read(s, w)
    for state in range(STATES):
        to = account if state == BLOCKED else w.waits[state]
        book(s, r, to, w.times[state] - r.mark[state])


@inlined
def more_busy(s: Any, station: Any, change: int) -> None:
    """Change the number of servers, locks or credits in use."""
    station.busy_sum += station.busy * (s.now - station.busy_since)
    station.busy_since = s.now
    station.busy += change


@inlined
def more_queued(s: Any, station: Any, change: int) -> None:
    """Change the number of those who wait."""
    station.queued_sum += station.queued * (s.now - station.queued_since)
    station.queued_since = s.now
    station.queued += change


@inlined
def more_inside(s: Any, change: int) -> None:
    """Change the number of requests in the system."""
    s.in_system_sum += s.in_system * (s.now - s.in_system_since)
    s.in_system_since = s.now
    s.in_system += change
    if s.in_system_sum < 0:
        fail(s, LATE, 0)
