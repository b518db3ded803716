"""TLBs and page walks: the compiled hardware against OrderedDicts, in turns, the same counts."""

from statistics import median
from time import process_time
from typing import Any

import numpy as np
from tests.benchmark.lean_walks import LEVELS, nested_walks, two_levels, with_walks
from tests.benchmark.measure import Effort, Figure, spread
from virtperf.mechanism.memory import (
    NATIVE,
    Context,
    Hardware,
    TlbGeometry,
    WalkCaches,
    nested,
    structure,
)
from virtperf.mechanism.memory.geometry import INTEL, NO_WALK_CACHES
from virtperf.mmu import Mmu
from virtperf.stream import Uniform, Zipf, generate, sequential

SPACE = 64 << 30
WALKS = WalkCaches(kind="prefix", by_level=(32, 16, 4))
TLB = TlbGeometry(levels=tuple((structure(f"{sets}x{ways}"),) for sets, ways in LEVELS))
FRIENDLY, HOSTILE, NESTED = 100.0, 25.0, 10.0
PER_EFFORT = 50  # accesses for each request of the other benchmarks: 8 MB of them
# A stream comes in chunks that caches hold; one array of many more would measure memory.
PLAIN_SHARE, SLOW_SHARE = 10, 200  # of the accesses that the lean and the plain forms make
CACHES = (INTEL.by_level[:3], INTEL.nested_by_level[:3], INTEL.nested_tlb)


def measure(effort: Effort) -> list[Figure]:
    """Return how many times quicker than plain Python each kind of stream is simulated."""
    accesses = PER_EFFORT * effort.requests
    streams = {
        "sequential": (sequential(SPACE), FRIENDLY),
        "uniform": (Uniform(footprint_bytes=SPACE), HOSTILE),
        "Zipf": (Zipf(footprint_bytes=SPACE), HOSTILE),
    }
    figures = []
    for name, (stream, target) in streams.items():
        words = np.concatenate(list(generate(stream, accesses, seed=1)))
        figures += _of_stream(effort, name, words, target)
    return figures


def _of_stream(effort: Effort, name: str, words: Any, target: float) -> list[Figure]:
    few = words[: len(words) // PLAIN_SHARE]
    pages = (few >> np.uint64(12)).tolist()
    fewer = words[: len(words) // SLOW_SHARE].tolist()
    _agree(few, pages)
    return [
        _figure(
            f"TLBs of two levels over OrderedDicts, {name} over 64 GiB",
            _turns(effort, lambda: two_levels(pages), len(pages), words, NATIVE, NO_WALK_CACHES),
            target,
        ),
        _figure(
            f"the same with native walks and their caches on both sides, {name}",
            _turns(effort, lambda: with_walks(pages), len(pages), words, NATIVE, WALKS),
            target,
        ),
        _figure(
            f"nested walks with their caches, 4K on 4K, over OrderedDicts, {name}",
            _turns(
                effort, lambda: nested_walks(pages, *CACHES), len(pages), words, nested(), INTEL
            ),
            NESTED,
        ),
        _figure(
            f"nested walks, 4K on 4K, over the form that handles every case, {name}",
            _turns(effort, lambda: _plainly(fewer), len(fewer), words, nested(), INTEL),
            NESTED,
        ),
    ]


def _agree(words: Any, pages: list[int]) -> None:
    """Refuse to compare what does not count the same."""
    mmu = Mmu(TLB, WALKS)
    mmu.run(words)
    assert (*mmu.counts.misses, mmu.counts.references) == with_walks(pages)
    assert mmu.counts.misses == two_levels(pages)
    mmu = Mmu(TLB, INTEL)
    mmu.run(words, nested())
    counts = mmu.counts
    lean = nested_walks(pages, *CACHES)
    assert (*counts.misses, sum(counts.guest), sum(counts.host)) == lean


def _plainly(addresses: list[int]) -> None:
    hardware, context = Hardware(TLB, INTEL), nested()
    for address in addresses:
        hardware.access(address, context)


def _turns(
    effort: Effort, plain: Any, count: int, words: Any, context: Context, caches: WalkCaches
) -> list[tuple[float, float]]:
    """Return accesses per second of both, in turns."""
    made = []
    Mmu(TLB, caches).run(words[:10], context)  # compiled, or loaded, before the clock runs
    for _ in range(effort.pairs):
        start = process_time()
        plain()
        middle = process_time()
        Mmu(TLB, caches).run(words, context)
        end = process_time()
        made.append((count / (middle - start), len(words) / (end - middle)))
    return made


def _figure(name: str, pairs: list[tuple[float, float]], target: float) -> Figure:
    ratios = [fast / plain for plain, fast in pairs]
    return Figure(
        name=name,
        unit="x",
        **spread(ratios),
        target=f"at least {target:g}",
        met=median(ratios) >= target,
        parts={
            "plain, accesses/s": median(plain for plain, _ in pairs),
            "compiled, accesses/s": median(fast for _, fast in pairs),
        },
    )
