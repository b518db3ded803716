"""Memory does not grow with the length of a run."""

import gc
import tracemalloc

from tests.benchmark import systems
from tests.benchmark.measure import Effort, Figure
from virtperf.sim import run

MIB = 2**20
MOST_MIB = 5.0


def measure(effort: Effort) -> list[Figure]:
    """Return by how much the peak of a long run exceeds that of one a tenth as long."""
    short, long = (_peak_mib(requests) for requests in (effort.requests // 10, effort.requests))
    return [
        Figure(
            name=f"peak memory of {effort.requests:,} requests over {effort.requests // 10:,}",
            value=long - short,
            unit="MiB",
            low=long - short,
            high=long - short,
            target=f"below {MOST_MIB}",
            met=long - short < MOST_MIB,
            parts={"short [MiB]": short, "long [MiB]": long},
        )
    ]


def _peak_mib(requests: int) -> float:
    built = systems.full()
    gc.collect()
    tracemalloc.start()
    try:
        run(built, seed=1, replication=0, requests=requests)
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()
