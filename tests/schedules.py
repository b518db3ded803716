"""Systems of threads that compute, or wake at given instants; and who ran when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from virtperf import fast, sim
from virtperf.assembly import Assembly
from virtperf.assembly.scheduling import Share
from virtperf.dist import Cycle, Deterministic
from virtperf.path import end, serve, work
from virtperf.tables import NONE, System, Timeline

US, MS = 1_000, 1_000_000  # in ns
FAR = 10**12  # ns


@dataclass(frozen=True, kw_only=True)
class Thread:
    """One that computes all the time, or has (instant, work) in us at which it wakes.

    Its role is its name if it has none.
    """

    name: str
    role: str = ""
    share: Share = field(default_factory=Share)
    wakes: Sequence[tuple[float, float]] | None = None


def system(
    threads: Sequence[Thread], policy: str, *, pcpus: int = 1, switch_ns: float = 0.0, **pool: Any
) -> System:
    """Return a system of such threads, and a clock that ticks each ms, so that runs have an end."""
    assembly = Assembly("schedule", pcpus=pcpus, policy=policy, switch_ns=switch_ns, **pool)
    assembly.station("clock", 1)
    for thread in threads:
        assembly.worker(thread.name, thread.role or thread.name, share=thread.share)
    for thread in threads:
        if thread.wakes is None:
            path = (work(thread.name, MS, thread.name), end())
            assembly.source(thread.name, {"hog": (1.0, path)}, to=thread.name, outstanding=1)
            continue
        instants = [0.0, *(at for at, _ in thread.wakes)]
        gaps = [(b - a) * US for a, b in pairwise(instants)]
        classes = {
            f"wake{i}": (1.0, (work(thread.name, length * US, thread.name), end()))
            for i, (_, length) in enumerate(thread.wakes)
        }
        order = tuple(range(len(classes)))
        assembly.source(
            thread.name, classes, to=thread.name, gap=Cycle((*gaps, FAR)), order=(*order, 0)
        )
    path = (serve("clock", Deterministic(float(MS)), "clock"), end())
    assembly.source("clock", {"tick": (1.0, path)}, outstanding=1)
    return assembly.system()


def under_credit() -> System:
    """Return hogs, a capped one among them, and one that wakes, under Xen's scheduler."""
    hogs = [Share(domain=f"d{n}", weight=256 * n, cap=cap) for n, cap in ((1, 0), (2, 300), (3, 0))]
    threads = [Thread(name=share.domain, share=share) for share in hogs]
    threads.append(Thread(name="wakes", wakes=[(7_300 * n, 900) for n in range(1, 40)]))
    constants = {"ratelimit": 10**9, "balance_every": 10**9, "sampled": 0}
    pool = {"slice_ns": 30e6, "tick_ns": 10e6, "period_ns": 30e6, "constants": constants}
    return system(threads, "credit", pcpus=2, switch_ns=2e3, **pool)


def recorded(system: System, time_ms: int, *, engine: Any = sim) -> Timeline:
    """Return what happened in the first `time_ms`, and perhaps in a little more."""
    at_most = time_ms * (1 + system.pool.pcpus) + len(system.classes) + 10
    return engine.record(system, seed=1, replication=0, requests=at_most, spans=10**6)[1]


def who_ran(timeline: Timeline, time_us: int, step_us: int = 50) -> list[list[str]]:
    """Return, for each pCPU, who ran in each step of a grid; "-" for nobody."""
    return [_sampled(track, timeline.workers, time_us, step_us) for track in timeline.pcpus]


def _sampled(track: Any, names: tuple[str, ...], time_us: int, step_us: int) -> list[str]:
    found, i = [], 0
    for step in range(0, time_us, step_us):
        at = (2 * step + step_us) * 500_000  # its middle, in ps
        while track[i].end <= at:
            i += 1
        found.append("-" if track[i].worker == NONE else names[track[i].worker])
    return found


def stretches(trace: Sequence[str], step_us: int = 50) -> list[tuple[str, float]]:
    """Return who ran for how many ms, one after the other."""
    found: list[tuple[str, int]] = []
    for name in trace:
        if found and found[-1][0] == name:
            found[-1] = name, found[-1][1] + 1
        else:
            found.append((name, 1))
    return [(name, count * step_us / 1000) for name, count in found]


def shares(timeline: Timeline, start: int = 0) -> Mapping[str, float]:
    """Return each worker's part of the time from `start`, in ticks, in pCPUs."""
    ran = dict.fromkeys(timeline.workers, 0)
    for track in timeline.pcpus:
        for span in track:
            if span.worker != NONE and span.end > start:
                ran[timeline.workers[span.worker]] += span.end - max(span.start, start)
    return {name: ticks / (timeline.time - start) for name, ticks in ran.items()}


BOTH = (sim, fast)
