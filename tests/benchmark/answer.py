"""With its features off, the reference engine gives the textbook's mean latency."""

from math import hypot
from types import SimpleNamespace
from unittest.mock import patch

from tests.benchmark import systems, textbook_simpy
from tests.benchmark.measure import Effort, Figure
from virtperf.sim import run
from virtperf.stats import interval
from virtperf.tables import Run
from virtperf.units import ns


def measure(effort: Effort) -> list[Figure]:
    """Return the difference of the means beside its interval.

    The first tenth of each run is left out: both start with all requests at their vCPUs, and what
    they make of that crowd differs (see `systems.bare`).
    """
    built = systems.bare()
    numbers = range(effort.replications)
    theirs = [_textbook_ns(effort.requests, seed) for seed in numbers]
    ours = [_mean_ns(run(built, seed=1, replication=r, requests=effort.requests)) for r in numbers]
    (a, half_a), (b, half_b) = interval(theirs), interval(ours)
    allowed = hypot(half_a, half_b)  # independent runs
    return [
        Figure(
            name="mean latency, virtperf with features off less textbook",
            value=b - a,
            unit="ns",
            low=b - a - allowed,
            high=b - a + allowed,
            target="0 within the interval (95 %, Student-t)",
            met=abs(b - a) <= allowed,
            parts={
                "textbook [ns]": a,
                "textbook, half-width [ns]": half_a,
                "virtperf [ns]": b,
                "virtperf, half-width [ns]": half_b,
            },
        )
    ]


def _textbook_ns(requests: int, seed: int) -> float:
    """Return the mean latency between two lengths of one run: the shorter is its beginning."""
    (few, start), (many, whole) = (_counted(n, seed) for n in (requests // 10, requests))
    if few == many:  # it looks every 10 ms whether it is done, so a quick run has one length
        return whole
    return (many * whole - few * start) / (many - few)


def _counted(requests: int, seed: int) -> tuple[float, float]:
    """Return how many requests the textbook finished, and their mean latency.

    It tells its rate only; by a clock that shows 0 and then 1 second, that is the count.
    """
    clock = SimpleNamespace(perf_counter=iter([0.0, 1.0]).__next__)
    with patch.object(textbook_simpy, "time", clock):
        return textbook_simpy.run(requests, seed=seed)


def _mean_ns(done: Run) -> float:
    end = done.snapshots[-1]
    least = sum(end.completed) // 10
    start = next(seen for seen in done.snapshots if sum(seen.completed) >= least)
    spent = sum(end.residence) - sum(start.residence)
    return ns(spent) / (sum(end.completed) - sum(start.completed))
