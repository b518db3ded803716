"""M/M/4 and a five-station tandem: customers a second over those of cimba, the peer to beat.

cimba (its models compiled by numba, its engine in C) runs them as its documentation would write
them: customers are time stamps in stores, servers are processes; what it measures is the mean
response. virtperf keeps its whole ledger besides.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from statistics import median
from time import perf_counter

from tests.benchmark.measure import Effort, Figure, interleaved, spread
from virtperf.assembly import Assembly
from virtperf.dist import Exponential
from virtperf.fast import run
from virtperf.path import end, serve
from virtperf.tables import System

SERVICE_NS, LOAD, STATIONS = 1_000.0, 0.7, 5
PER_EFFORT = 50  # customers for each request of the other benchmarks
LEAST_RATIO = 1.0


def system(stations: int, servers: int) -> System:
    """Return Poisson arrivals at `stations` in a row, exponential service everywhere."""
    assembly = Assembly("queues")
    names = [f"station {k}" for k in range(stations)]
    for name in names:
        assembly.station(name, servers)
    service = Exponential(SERVICE_NS)
    path = [serve(name, service, "service", purpose=name) for name in names]
    gap = Exponential(SERVICE_NS / (LOAD * servers))
    assembly.source("customers", {"customer": (1.0, (*path, end()))}, gap=gap)
    return assembly.system()


def measure(effort: Effort) -> list[Figure]:
    """Return the ratios; none where cimba is not installed."""
    if find_spec("cimba") is None:
        print("cimba is not installed (pip install '.[benchmark]'): it is not compared")
        return []
    peers = {"M/M/4": ("Mm4", system(1, 4)), "five-station tandem": ("Tandem", system(STATIONS, 1))}
    return [_compare(name, *peer, effort) for name, peer in peers.items()]


def _compare(name: str, model: str, built: System, effort: Effort) -> Figure:
    customers = PER_EFFORT * effort.requests
    command = [sys.executable, "-m", "tests.benchmark.cimba_models", model, str(customers)]
    means: dict[str, float] = {}

    def theirs() -> float:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rate, means["cimba"] = json.loads(done.stdout)
        return float(rate)

    def ours() -> float:
        start = perf_counter()
        last = run(built, seed=1, replication=0, requests=customers).snapshots[-1]
        seconds = perf_counter() - start
        means["virtperf"] = last.residence[0] / last.completed[0] / (1e3 * SERVICE_NS)
        return customers / seconds

    ours()  # compiled, from now on
    pairs = interleaved(effort.pairs, theirs, ours)
    ratios = [mine / peer for peer, mine in pairs]
    return Figure(
        name=f"{name}, fast over cimba",
        unit="x",
        **spread(ratios),
        target=f"at least {LEAST_RATIO:g}",
        met=median(ratios) >= LEAST_RATIO,
        parts={
            "cimba [customers/s]": median(peer for peer, _ in pairs),
            "virtperf [customers/s]": median(mine for _, mine in pairs),
            "cimba, mean response [services]": means["cimba"],
            "virtperf, mean response [services]": means["virtperf"],
        },
    )
