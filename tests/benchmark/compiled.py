"""What compiling costs, and a run of ten million requests: each in a process of its own."""

import json
import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.benchmark.measure import Effort, Figure, spread

COLD_S, WARM_S, LONG_S = 40.0, 2.0, 60.0
LONGER = 500  # requests of the long run for each of other benchmarks: 10^7
MOST_MIB = 5.0  # by which memory may differ, for Python's own sake

FIRST = """
from virtperf import Scenario, simulate
simulate(Scenario.load("toy"), requests=400, replications=1, band=False)
"""
LONG = """
import json, resource, sys
from time import perf_counter
from tests.benchmark import systems
from virtperf.fast import run, warm_up
built, requests = systems.full(), int(sys.argv[1])
warm_up()
start = perf_counter()
run(built, seed=1, replication=0, requests=requests)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([perf_counter() - start, peak]))
"""


def measure(effort: Effort) -> list[Figure]:
    """Return the first use after installation, one in a later process, and the long run."""
    with TemporaryDirectory() as cache:
        cold = _seconds(cache)
        warm = [_seconds(cache) for _ in range(effort.pairs)]
    short, long = (_run(n) for n in (LONGER * effort.requests // 100, LONGER * effort.requests))
    return [
        _limit("first use after installation, compiling", [cold], COLD_S, "s"),
        _limit("first result of a warm process, imports included", warm, WARM_S, "s"),
        _limit(f"{LONGER * effort.requests:,} requests, all features on", [long[0]], LONG_S, "s"),
        _limit("their peak memory over a hundredth's", [long[1] - short[1]], MOST_MIB, "MiB"),
    ]


def _limit(name: str, values: list[float], most: float, unit: str) -> Figure:
    met = median(values) < most
    return Figure(name=name, unit=unit, **spread(values), target=f"below {most:g}", met=met)


def _seconds(cache: str) -> float:
    start = perf_counter()
    subprocess.run(
        [sys.executable, "-c", FIRST],
        env=os.environ | {"VIRTPERF_CACHE": cache},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return perf_counter() - start


def _run(requests: int) -> list[float]:
    """Return seconds and peak MiB of one run."""
    command = [sys.executable, "-c", LONG, str(requests)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: list[float] = json.loads(done.stdout)
    return result
