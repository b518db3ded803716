"""Scheduling slices a second of both engines, over those of a textbook SimPy program."""

from functools import partial
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

from tests.benchmark import textbook_slices
from tests.benchmark.measure import Effort, Figure, interleaved, spread
from virtperf import fast, sim
from virtperf.assembly import Assembly
from virtperf.dist import Exponential
from virtperf.path import Step, end
from virtperf.sim.pool import Pool
from virtperf.tables import System

VCPUS, PCPUS, SLICE, BURST, THINK = 32, 8, 1e6, 2e6, 4e6  # the textbook's, in ns
BURSTS_PER_MS = 4.0  # what its pCPUs, always busy, finish: requests for an equally long run
LEAST_RATIO = {"sim": 0.5, "fast": 60.0}
LONGER = 100  # the compiled engine's runs, or they would be over at once


def system() -> System:
    """Return the textbook's vCPUs: exponential bursts, slices of 1 ms, exponential thinking."""
    assembly = Assembly("slices", pcpus=PCPUS, slice_ns=SLICE)
    for number in range(VCPUS):
        vcpu = f"v{number}"
        assembly.worker(vcpu, "vcpu")
        burst = Step(
            kind="work", where=vcpu, cost=Exponential(BURST), account="vcpu: burst", purpose="burst"
        )
        path = {"burst": (1.0, (burst, end()))}
        assembly.source(vcpu, path, to=vcpu, outstanding=1, think=Exponential(THINK))
    return assembly.system()


def measure(effort: Effort) -> list[Figure]:
    """Return the ratios; a slice is a dispatch, with its share of ledger and requests."""
    built, bursts = system(), 2 * effort.requests
    per_burst = _dispatches(built, bursts) / bursts

    def textbook() -> float:
        return textbook_slices.run(until_ms=bursts / BURSTS_PER_MS)[0]

    def rate(run: Any, bursts: int) -> float:
        start = perf_counter()
        run(built, seed=1, replication=0, requests=bursts)
        return per_burst * bursts / (perf_counter() - start)

    compiled = partial(rate, fast.run, LONGER * bursts)
    compiled()  # also in the literal sense
    runs = {"sim": partial(rate, sim.run, bursts), "fast": compiled}
    return [
        _ratio(engine, interleaved(effort.pairs, textbook, ours), per_burst)
        for engine, ours in runs.items()
    ]


def _ratio(engine: str, pairs: list[tuple[float, float]], per_burst: float) -> Figure:
    ratios = [ours / theirs for theirs, ours in pairs]
    return Figure(
        name=f"slices, {engine} over textbook, ledger included",
        unit="x",
        **spread(ratios),
        target=f"at least {LEAST_RATIO[engine]:g}",
        met=median(ratios) >= LEAST_RATIO[engine],
        parts={
            "textbook [slices/s]": median(theirs for theirs, _ in pairs),
            f"{engine} [slices/s]": median(ours for _, ours in pairs),
            "slices per burst": per_burst,
        },
    )


def _dispatches(built: System, bursts: int) -> int:
    """Return how often a vCPU is put on a pCPU, counted in a run that is not timed."""
    count = 0
    dispatch = Pool._dispatch

    def counting(*given: object) -> None:
        nonlocal count
        count += 1
        dispatch(*given)  # type: ignore[arg-type]

    with patch.object(Pool, "_dispatch", counting):
        sim.run(built, seed=1, replication=0, requests=bursts)
    return count
