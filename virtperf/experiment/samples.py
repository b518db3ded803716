"""Means and quantiles of durations; null where too few were seen."""

from collections.abc import Iterator, Mapping

from virtperf.tables import Histogram
from virtperf.units import TICKS_PER_NS

Metric = tuple[str, float | None, str]
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def samples_needed(q: float) -> int:
    """Return how many samples a quantile needs: 100 of them must lie beyond it."""
    return round(100 / (1 - q))


def durations(
    name: str, suffix: str, total: int, seen: Histogram, quantiles: Mapping[str, float]
) -> Iterator[Metric]:
    """Yield mean and quantiles of durations, in ns.

    Parameters
    ----------
    name, suffix : str
        What the metrics are called: ``<name>.p50<suffix>``.
    total : int
        Sum of the durations, in ticks.
    seen : Histogram
    quantiles : mapping of str to float
    """
    mean = total / seen.count / TICKS_PER_NS if seen.count else None
    yield f"{name}.mean{suffix}", mean, "ns"
    for called, q in quantiles.items():
        enough = seen.count >= samples_needed(q)
        yield f"{name}.{called}{suffix}", seen.quantile(q) / TICKS_PER_NS if enough else None, "ns"


def too_few(name: str, count: int) -> str:
    """Return why a mean or a quantile of `count` durations is null."""
    needed = samples_needed(QUANTILES[name]) if name in QUANTILES else 1
    return f"too few samples: {count:,} per replication, {needed:,} needed"
