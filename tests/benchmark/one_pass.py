"""One-pass analyses against simulating TLBs one by one, on the same accesses.

What they are compared with is the quickest simulation of one fully associative LRU TLB there is
here: a hash table and a list, in memory of its own size. The compiled translation hardware, which
does much more for each access, is timed beside it.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import virtperf.models
from tests.benchmark.measure import Effort, Figure, interleaved, spread
from virtperf.mechanism.memory import TlbGeometry, structure
from virtperf.mmu import Mmu, simulate
from virtperf.mmu.chosen_sizes import misses_of_sizes
from virtperf.mmu.every_size import misses_of_every_size
from virtperf.stream import Uniform, Zipf, generate, load_trace

GIB = 1 << 30
ACCESSES = 200  # of a stream, for each request of the other benchmarks
FOUR = (64, 1536, 16_384, 131_072)  # from a first-level TLB to what a curve ends with
TEN = (16, 32, 64, 128, 256, 512, 1024, 1536, 2048, 4096)
HARDWARE = "FA64"


def measure(effort: Effort) -> list[Figure]:
    """Return both ratios for each stream."""
    return [figure for name, words in _streams(effort) for figure in _ratios(name, words, effort)]


def _streams(effort: Effort) -> Iterator[tuple[str, Any]]:
    accesses = ACCESSES * effort.requests
    declared = {
        "Zipf over 64 GiB": Zipf(footprint_bytes=64 * GIB),
        "uniform over 1 GiB": Uniform(footprint_bytes=GIB),
    }
    for name, stream in declared.items():
        yield name, np.concatenate(list(generate(stream, accesses, seed=1)))
    sort = Path(virtperf.models.__path__[0]) / "traces" / "sort.zst"
    yield "sort's data", load_trace(sort, part="data", limit=3 * accesses)


def _ratios(name: str, words: Any, effort: Effort) -> Iterator[Figure]:
    every, ten = partial(misses_of_every_size, words), partial(misses_of_sizes, words, TEN)
    curve = every()  # also compiles
    assert curve.at(list(TEN)).tolist() == ten().tolist()
    hardware = _seconds(partial(_hardware, words), 1)
    each = 1e9 / len(words)
    for label, run, sizes, taken in (("all", every, FOUR, 4), ("ten", ten, TEN, 2)):
        singles = [partial(misses_of_sizes, words, [size]) for size in sizes]
        assert curve.at(list(sizes)).tolist() == [int(single()[0]) for single in singles]
        direct = partial(_seconds, partial(_all, singles))
        pairs = interleaved(effort.pairs, direct, partial(_seconds, run))
        # of the ten, two take a fifth of the time that all take one by one
        pairs = [(theirs * taken / len(sizes), ours) for theirs, ours in pairs]
        ratios = [ours / theirs for theirs, ours in pairs]
        yield Figure(
            name=f"{label} sizes in one pass over {taken} sizes one by one, {name}",
            unit="x",
            **spread(ratios),
            target="below 1",
            met=median(ratios) < 1,
            parts={
                f"{taken} of the sizes {', '.join(map(str, sizes))} [ns per access]": each
                * median(theirs for theirs, _ in pairs),
                f"{label} sizes in one pass [ns per access]": each
                * median(ours for _, ours in pairs),
                f"compiled hardware, {HARDWARE} [ns per access]": each * hardware,
            },
        )


def _all(runs: list[Callable[[], Any]]) -> None:
    for run in runs:
        run()


def _hardware(words: Any) -> None:
    geometry = TlbGeometry(levels=((structure(HARDWARE, policy="lru"),),), name="one level")
    simulate(Mmu(geometry), [[words]])


def _seconds(run: Callable[[], Any], warm: int = 0) -> float:
    for _ in range(warm):
        run()
    start = perf_counter()
    run()
    return perf_counter() - start
