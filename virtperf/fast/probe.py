"""What is observed during a run, in constant memory; mirrors `sim.probe`.

Scalar batches are kept and merged here. A snapshot and the histograms of its batch wait in a short
row of closed ones until Python puts them away.
"""

from typing import Any

from virtperf.fast.calendar import END, cause
from virtperf.fast.compiling import compiled, inlined, of_rule
from virtperf.fast.layout import (
    NONE,
    STATES,
    completed,
    counters,
    cpu,
    ends,
    histograms,
    looks,
    pcpus,
    pools,
    residence,
    side_residence,
    sides,
    stations,
    sums,
    totals,
    waking,
    workers,
)
from virtperf.fast.status import FULL, LATE, fail
from virtperf.fast.tables import bit_length
from virtperf.rules import siblings
from virtperf.tables.batches import COARSE, SCALARS
from virtperf.tables.histogram import BITS

_done = of_rule(siblings.done)


@inlined
def bucket(ticks: int) -> int:
    """Return the bucket of a duration, as `tables.histogram.bucket` does."""
    shift = max(0, bit_length(ticks) - BITS - 1)
    return (shift << BITS) + (ticks >> shift)


@inlined
def observe(s: Any, group: int, latency: int) -> None:
    """Count one finished request; the run is over when it was the last."""
    completed(s)[group] += 1
    residence(s)[group] += latency
    _count(s, group, latency)
    s.count += 1
    s.sum += latency
    if s.count == s.batch:
        _close(s)
    s.left -= 1
    if s.left == 0:
        cause(s, END, NONE)


@compiled
def woke(s: Any, w: Any) -> None:
    """Count the dispatch of a woken worker, who has wished for a pCPU until now."""
    latency = s.now - w.requested
    w.requested = NONE
    waking(s)[w.wake_group] += latency
    _count(s, s.groups + w.wake_group, latency)


@inlined
def _count(s: Any, row: int, latency: int) -> None:
    """Count a duration in the open batch."""
    histograms(s)[(s.closed * s.observed + row) * s.buckets + bucket(latency)] += 1


@compiled
def _close(s: Any) -> None:
    at = s.snaps
    ends(s)[at], sums(s)[at] = s.now, s.sum
    s.snaps = at = at + 1
    s.count = s.sum = 0
    if at % COARSE == 0:
        look(s)
        s.closed += 1
        s.wish = 1
        if (s.closed + 1) * s.look_width > s.looks_rows:
            fail(s, FULL, 5)
            s.closed -= 1
    if at == SCALARS:
        for i in range(SCALARS // 2):
            ends(s)[i] = ends(s)[2 * i + 1]
            sums(s)[i] = sums(s)[2 * i] + sums(s)[2 * i + 1]
        s.snaps = SCALARS // 2
        s.batch *= 2


@compiled
def look(s: Any) -> None:
    """Write all running totals, as they stand, into the snapshot behind the closed ones."""
    now, at = s.now, s.closed * s.look_width
    looks(s)[at] = now
    looks(s)[at + 1] = s.in_system_sum + s.in_system * (now - s.in_system_since)
    at = _copy(s, completed(s), s.completed_rows, at + 2)
    at = _copy(s, residence(s), s.residence_rows, at)
    at = _copy(s, counters(s), s.counters_rows, at)
    at = _copy(s, sides(s), s.sides_rows, at)
    at = _copy(s, side_residence(s), s.side_residence_rows, at)
    at = _copy(s, totals(s), s.totals_rows, at)
    first = at
    at = _copy(s, cpu(s), s.cpu_rows, at)
    for p in range(s.pcpus_rows):
        pcpu = pcpus(s)[p]
        looks(s)[first + p * s.accounts + pcpu.account] += now - pcpu.since
        if pools(s)[0].sharing:
            _split(s, pcpu, first + p * s.accounts)
    for i in range(s.stations_rows):
        station = stations(s)[i]
        busy = station.busy_sum + station.busy * (now - station.busy_since)
        queued = station.queued_sum + station.queued * (now - station.queued_since)
        looks(s)[at + i], looks(s)[at + s.stations_rows + i] = busy, queued
    _look_at_pool(s, at + 2 * s.stations_rows)


@compiled
def _split(s: Any, pcpu: Any, at: int) -> None:
    """Write what its sibling costs a pCPU right now to the account that is for it."""
    n = pcpu.worker if pcpu.intruder == NONE else pcpu.intruder
    if n != NONE and workers(s)[n].piece != NONE:
        w = workers(s)[n]
        took = s.now - w.piece
        lost = took - _done(took, w.pace)
        looks(s)[at + w.account] -= lost
        looks(s)[at + pools(s)[0].sharing_account] += lost


@compiled
def _look_at_pool(s: Any, at: int) -> None:
    """Write what scheduling has done, from `at` on."""
    pool, row = pools(s)[0], looks(s)
    row[at], row[at + 1], row[at + 2] = pool.switches, pool.preemptions, pool.migrations
    for group in range(s.waking_rows):
        if waking(s)[group] < 0:  # workers of side paths are in no request's time in the system
            fail(s, LATE, 0)
    at = _copy(s, waking(s), s.waking_rows, at + 3)
    for n in range(s.workers_rows):
        w = workers(s)[n]
        at = _copy(s, w.times, STATES, at)
        row[at - STATES + w.state] += s.now - w.entered


@compiled
def _copy(s: Any, table: Any, length: int, at: int) -> int:
    row = looks(s)
    for i in range(length):
        row[at + i] = table[i]
    return at + length
