"""Everything of this package that is compiled, compiled now: it is kept for later runs."""

from time import perf_counter

import numpy as np

from virtperf.mechanism.memory import NATIVE, TlbGeometry, nested, structure
from virtperf.mechanism.memory.flushes import EVERYTHING
from virtperf.mmu.chosen_sizes import misses_of_sizes
from virtperf.mmu.every_associativity import misses_of_every_associativity
from virtperf.mmu.every_size import misses_of_every_size
from virtperf.mmu.machine import Mmu
from virtperf.mmu.schedule import steady

_APART = 1 << 30  # bytes between addresses, so that they share few tables
_PAGES, _ACCESSES = 1 << 10, 1 << 17  # more than any table holds at first, so that all have to grow


def warm_up() -> float:
    """Have all of it compiled, or load what has been kept; return the seconds that took."""
    start = perf_counter()
    words = np.arange(_ACCESSES, dtype=np.uint64) % np.uint64(_PAGES) * np.uint64(_APART)
    mmu = Mmu(TlbGeometry(levels=((structure("1x1"),),)))
    for context in (NATIVE, nested()):
        mmu.run(words[:_PAGES], context)
    mmu.run(words[:_PAGES], steady(_PAGES, every=_PAGES // 2))
    mmu.flush(EVERYTHING)
    misses_of_every_size(words)
    misses_of_every_associativity(words, sets=1, ways=1)
    misses_of_sizes(words, [1])
    return perf_counter() - start
