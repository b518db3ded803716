"""What happens when: the agenda of alarms, and the queue of what they cause in the same instant.

The agenda is a heap of four children each, ordered by instant, then by whose alarm it is, then by
how many that one has set: as `sim.clock` orders it, so no order of calls decides anything. What may
be taken back, the end of what runs on a pCPU and that of its slice, is not in it but in `race`.
"""

from typing import Any

from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.layout import agenda, events
from virtperf.fast.status import FULL, fail
from virtperf.fast.tables import either

SOURCE, STATION, BELL, LOCK, WORKER, TIMER, TICK, SLICE, TASK = 0, 1, 2, 3, 4, 5, 8, 9, 10
COUNT_BITS, INDEX_BITS = 40, 19
KIND_SHIFT = COUNT_BITS + INDEX_BITS
MOST_OWNERS = 1 << INDEX_BITS

NOTHING, RESUME, GO_ON, CARRY_ON, END = 0, 1, 2, 3, 4  # what an event lets happen


@inlined
def alarm(s: Any, kind: int, owner: Any, delay: int, ref: int) -> None:
    """Set an alarm of `owner`, a row that counts its alarms."""
    _set(s, next_key(s, kind, owner), s.now + delay, ref)


@inlined
def next_key(s: Any, kind: int, owner: Any) -> int:
    """Return what orders the next alarm of `owner` among those of its instant, and count it."""
    s.alarms += 1
    owner.alarms += 1
    return (kind << KIND_SHIFT) | (owner.index << COUNT_BITS) | owner.alarms


@compiled
def alarm_of_task(s: Any, w: Any, delay: int) -> None:
    """Set the alarm of a guest's run queue, which a worker keeps beside its own."""
    s.alarms += 1
    w.task_alarms += 1
    key = (TASK << KIND_SHIFT) | (w.index << COUNT_BITS) | w.task_alarms
    _set(s, key, s.now + delay, w.index)


@compiled
def alarm_of_policy(s: Any, number: int, count: int, delay: int) -> None:
    """Set the alarm of a policy's clock; `number` is 0 for the pool, or one more than the pCPU."""
    s.alarms += 1
    key = (TICK << KIND_SHIFT) | (number << COUNT_BITS) | count
    _set(s, key, s.now + delay, number)


@inlined
def _set(s: Any, key: int, time: int, ref: int) -> None:
    """Put an alarm where the one stood that has just happened, else at the end, and sort it in."""
    size = s.scheduled
    if s.vacant:
        s.vacant = 0
        _put(s, _sink(s, size, time, key), time, key, ref)
        return
    if size == s.agenda_rows:
        fail(s, FULL, 1)
        return
    s.scheduled = size + 1
    heap, i = agenda(s), size
    while i > 0:
        above = (i - 1) >> 2
        row = heap[above]
        if row.time < time or (row.time == time and row.key < key):
            break
        _put(s, i, row.time, row.key, row.ref)
        i = above
    _put(s, i, time, key, ref)


@inlined
def _put(s: Any, i: int, time: int, key: int, ref: int) -> None:
    row = agenda(s)[i]
    row.time, row.key, row.ref = time, key, ref


@inlined
def _sink(s: Any, size: int, time: int, key: int) -> int:
    """Move what is earlier up, from the top on; return the place left free."""
    heap, i = agenda(s), 0
    while True:
        first = 4 * i + 1
        if first + 3 < size:  # who of four is first is chosen without a branch to be foreseen
            one = either(before(heap, first + 1, first), first + 1, first)
            two = either(before(heap, first + 3, first + 2), first + 3, first + 2)
            below = either(before(heap, two, one), two, one)
        elif first < size:
            below = first
            if first + 1 < size and before(heap, first + 1, below):
                below = first + 1
            if first + 2 < size and before(heap, first + 2, below):
                below = first + 2
        else:
            return i
        row = heap[below]
        if time < row.time or (time == row.time and key < row.key):
            return i
        _put(s, i, row.time, row.key, row.ref)
        i = below


@inlined
def before(table: Any, i: int, j: int) -> bool:
    """Return whether alarm `i` of a table happens before alarm `j`."""
    a, b = table[i], table[j]
    return (a.time < b.time) | ((a.time == b.time) & (a.key < b.key))


@inlined
def close_up(s: Any) -> None:
    """Fill the place of the alarm that happened last, if no new one has."""
    if s.vacant:
        s.vacant = 0
        size = s.scheduled - 1
        s.scheduled = size
        if size:
            row = agenda(s)[size]
            time, key, ref = row.time, row.key, row.ref
            _put(s, _sink(s, size, time, key), time, key, ref)


@inlined
def cause(s: Any, what: int, ref: int) -> None:
    """Let something happen in this instant, after what has been caused before."""
    if s.caused - s.happened == s.events_rows:
        fail(s, FULL, 2)
        return
    row = events(s)[s.caused & (s.events_rows - 1)]  # whose number is a power of two
    row.what, row.ref = what, ref
    s.caused += 1
