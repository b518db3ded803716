"""What a window tells of the scheduler: who ran, who waited, who was moved, how fairly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from virtperf.experiment.samples import QUANTILES, Metric, durations
from virtperf.stats import jain
from virtperf.tables import Histogram, Snapshot, WorkerState, kinship
from virtperf.units import TICKS_PER_NS

if TYPE_CHECKING:
    from virtperf.experiment.observe import Window

MOST_WORKERS = 64  # with more of them, a table of each is no longer read
VCPU = "vcpu"  # the role of those that a guest sees steal time of
RUNS = (WorkerState.RUNNING, WorkerState.INTERRUPT, WorkerState.POLLING)
WANTS_NONE = (WorkerState.ASLEEP, WorkerState.BLOCKED)  # no pCPU
WAKE_QUANTILES = {name: QUANTILES[name] for name in ("p50", "p99")}


def scheduling(seen: Window) -> Iterator[Metric]:
    """Yield what scheduling did to workers, and how often it acted.

    * ``cpu_share.<worker>``: pCPUs it ran on, on average: its work, its interrupts and polling,
      not the switches to it;
    * ``steal.<worker>`` of a vCPU, ``ready.<worker>`` of another thread: share of the time in
      which it would have run, but did not. It was neither halted nor blocked, and its own exits
      are not in it, as in Linux; host interrupts above it are, which Linux leaves out;
    * ``switches.rate``, ``preemptions.rate``, ``migrations.rate``: in 1/s, see `Snapshot`;
    * ``wake_to_run.<mean, p50, p99>``, in ns, of all wake-ups, and, where there are several wake
      groups, of each: from the wish for a pCPU to the dispatch, before the switch is paid;
    * ``fairness.host``: Jain's index of CPU time per weight, where at least two always wanted a
      pCPU; ``fairness.worst_batch``: the least over the window's batches, between two snapshots.

    Those of single workers are only given where there are at most `MOST_WORKERS`.
    """
    if len(seen.system.workers) <= MOST_WORKERS:
        yield from _of_workers(seen)
    seconds = seen.time / TICKS_PER_NS / 1e9
    yield "switches.rate", (seen.end.switches - seen.start.switches) / seconds, "1/s"
    yield "preemptions.rate", (seen.end.preemptions - seen.start.preemptions) / seconds, "1/s"
    yield "migrations.rate", (seen.end.migrations - seen.start.migrations) / seconds, "1/s"
    yield from _wake_to_run(seen)
    yield from _fairness(seen)


def _of_workers(seen: Window) -> Iterator[Metric]:
    for w, row in enumerate(seen.system.workers):
        yield f"cpu_share.{row.name}", _spent(seen.start, seen.end, w, RUNS) / seen.time, "1"
    for w, row in enumerate(seen.system.workers):
        called = "steal" if row.role == VCPU else "ready"
        ready = _spent(seen.start, seen.end, w, (WorkerState.READY,))
        yield f"{called}.{row.name}", ready / seen.time, "1"


def _wake_to_run(seen: Window) -> Iterator[Metric]:
    names = seen.system.wakes
    parts: dict[str, Sequence[int]] = {"": range(len(names))} if names else {}
    if len(names) > 1:
        parts |= {f".{name}": [group] for group, name in enumerate(names)}
    for suffix, members in parts.items():
        total = sum(seen.end.waking[g] - seen.start.waking[g] for g in members)
        merged = Histogram().merge(seen.wakes[g] for g in members)
        yield from durations("wake_to_run", suffix, total, merged, WAKE_QUANTILES)


def _fairness(seen: Window) -> Iterator[Metric]:
    rivals = _rivals(seen)
    if len(rivals) < 2:
        return

    def index(start: Snapshot, end: Snapshot) -> float:
        return jain([_per_weight(seen, start, end, rival) for rival in rivals])

    yield "fairness.host", index(seen.start, seen.end), "1"
    yield "fairness.worst_batch", min(index(a, b) for a, b in pairwise(seen.snapshots)), "1"


def _rivals(seen: Window) -> list[list[int]]:
    """Return, domain by domain, the workers that wanted a pCPU all the time."""
    rivals: dict[int, list[int]] = {}
    workers = seen.system.workers
    for w, (leader, _) in enumerate(kinship(workers)):
        if not workers[w].host and not _spent(seen.start, seen.end, w, WANTS_NONE):
            rivals.setdefault(leader, []).append(w)
    return list(rivals.values())


def _per_weight(seen: Window, start: Snapshot, end: Snapshot, rival: Sequence[int]) -> float:
    """Return the CPU time of some workers, in ticks, over their weights."""
    ran = sum(_spent(start, end, w, RUNS) for w in rival)
    return ran / sum(seen.system.workers[w].weight for w in rival)


def _spent(start: Snapshot, end: Snapshot, w: int, states: Sequence[WorkerState]) -> int:
    """Return the time of a worker in some states between two snapshots, in ticks."""
    before, after = start.workers[w], end.workers[w]
    return sum(after[state] - before[state] for state in states)
