"""One TLB level against pycachesim, a cache simulator in C: a cache whose lines are pages.

Its quickest call takes a list of addresses and goes through it in C; making the list is not timed.
"""

from importlib.util import find_spec
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from tests.benchmark.measure import Effort, Figure, spread
from virtperf.mechanism.memory import TlbGeometry, structure
from virtperf.mmu import Mmu
from virtperf.stream import Uniform, Zipf, generate, sequential

SPACE, PAGE = 64 << 30, 4096
PER_EFFORT = 50  # accesses for each request of the other benchmarks
SHAPES = ((16, 4), (128, 12))
LEAST_RATIO = 3.0


def measure(effort: Effort) -> list[Figure]:
    """Return the ratios; none where pycachesim is not installed."""
    if find_spec("cachesim") is None:
        print("pycachesim is not installed (pip install '.[benchmark]'): it is not compared")
        return []
    streams = {
        "sequential": sequential(SPACE),
        "uniform": Uniform(footprint_bytes=SPACE),
        "Zipf": Zipf(footprint_bytes=SPACE),
    }
    figures = []
    for name, stream in streams.items():
        words = np.concatenate(list(generate(stream, PER_EFFORT * effort.requests, seed=1)))
        figures += [_compare(name, words, *shape, effort) for shape in SHAPES]
    return figures


def _compare(name: str, words: Any, sets: int, ways: int, effort: Effort) -> Figure:
    addresses, geometry = words.tolist(), _geometry(sets, ways)
    Mmu(geometry).run(words[:10])  # compiled, or loaded, before the clock runs
    pairs = []
    for _ in range(effort.pairs):
        peer, mmu = _peer(sets, ways), Mmu(geometry)
        start = process_time()
        peer.iterload(addresses, 1)
        middle = process_time()
        mmu.run(words)
        end = process_time()
        assert (peer.HIT_count, peer.MISS_count) == (mmu.counts.hits[0], mmu.counts.walks)
        pairs.append((len(words) / (middle - start), len(words) / (end - middle)))
    ratios = [ours / theirs for theirs, ours in pairs]
    return Figure(
        name=f"one level of {sets}x{ways} over pycachesim, {name} over 64 GiB",
        unit="x",
        **spread(ratios),
        target=f"at least {LEAST_RATIO:g}",
        met=median(ratios) >= LEAST_RATIO,
        parts={
            "pycachesim [accesses/s]": median(theirs for theirs, _ in pairs),
            "compiled [accesses/s]": median(ours for _, ours in pairs),
        },
    )


def _geometry(sets: int, ways: int) -> TlbGeometry:
    return TlbGeometry(levels=((structure(f"{sets}x{ways}"),),))


def _peer(sets: int, ways: int) -> Any:
    """Return a cache with pages for lines, in front of memory."""
    from cachesim import Cache, CacheSimulator, MainMemory

    memory, cache = MainMemory(), Cache("TLB", sets, ways, PAGE, "LRU")
    memory.load_to(cache)
    memory.store_from(cache)
    CacheSimulator(cache, memory)
    return cache.backend
