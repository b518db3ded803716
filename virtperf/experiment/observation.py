"""What one run says after the warm-up of its point: plain numbers, to be kept or put in tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from virtperf.experiment import observe
from virtperf.experiment.observe import Cut, Window
from virtperf.experiment.samples import Metric
from virtperf.stats import memory
from virtperf.tables import Run, System

Counts = dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One run of one point, seen from the cut to its end.

    Attributes
    ----------
    replication : int
    corner : str
        "" for the central numbers, else which numbers stand at an end of their range.
    metrics : tuple of (str, float or None, str)
        Name, value and unit.
    nulls : tuple of (str, str)
        Name of a metric that is None, and why.
    requests : tuple of (str, str, float)
        Group, account, and time per request in ns.
    cpu : tuple of (str, int)
        Account, and time of all pCPUs in ticks.
    latencies : tuple of (str, dict of int to int)
        Group, and how many latencies fell into each bucket of a `virtperf.tables.Histogram`.
    completed : int
        Requests finished after the cut.
    residence, in_system : int
        Sum of their latencies, and time integral of the requests in the system, in ticks.
    finished : int
        Requests finished, those before the cut too.
    events : int
        Timed events of the whole run.
    memory : float
        How alike neighbouring parts of the run are; see `virtperf.stats.memory`.
    """

    replication: int
    corner: str = ""
    metrics: tuple[Metric, ...]
    nulls: tuple[tuple[str, str], ...]
    requests: tuple[tuple[str, str, float], ...]
    cpu: tuple[tuple[str, int], ...]
    latencies: tuple[tuple[str, Counts], ...]
    completed: int
    residence: int
    in_system: int
    finished: int
    events: int
    memory: float = math.nan

    @property
    def little(self) -> float:
        """Mean number in the system over throughput x mean latency: 1 but for the edges."""
        return self.in_system / self.residence if self.residence else 1.0


def observed(system: System, run: Run, cut: Cut, replication: int, corner: str = "") -> Observation:
    """Return what `run` says after `cut`."""
    seen = observe.window(system, run, cut)
    metrics = tuple(observe.metrics(seen))
    return Observation(
        replication=replication,
        corner=corner,
        metrics=metrics,
        nulls=tuple(
            (name, observe.reason(name, seen)) for name, value, _ in metrics if value is None
        ),
        requests=tuple(observe.request_time(seen)),
        cpu=_cpu(seen),
        latencies=tuple(
            (name, dict(seen.histograms[group].counts)) for group, name in enumerate(system.groups)
        ),
        completed=seen.completed,
        residence=seen.residence,
        in_system=seen.in_system,
        finished=sum(run.snapshots[-1].completed),
        events=run.events,
        memory=memory(_settled(run, cut)),
    )


def _settled(run: Run, cut: Cut) -> tuple[int, ...]:
    """Return the sums of latencies of the scalar batches after the cut."""
    return run.sums[-(-cut.requests // run.batch) :]


def _cpu(seen: Window) -> tuple[tuple[str, int], ...]:
    ticks = observe.cpu_ticks(seen)
    return tuple((a, t) for a, t in zip(seen.system.accounts, ticks, strict=True) if t)
