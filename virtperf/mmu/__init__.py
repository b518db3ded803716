"""The compiled memory hardware: TLBs and page walks over plain arrays, without a clock.

It answers what `virtperf.mechanism.memory` answers, access by access, at some hundred times the
speed; that package is where one reads how the hardware behaves.
"""

from virtperf.mmu.chosen_sizes import misses_of_sizes
from virtperf.mmu.curve import MissCurve
from virtperf.mmu.every_associativity import misses_of_every_associativity
from virtperf.mmu.every_size import misses_of_every_size
from virtperf.mmu.machine import Counts, Mmu, Trace
from virtperf.mmu.schedule import Schedule, steady
from virtperf.mmu.streams import simulate
from virtperf.mmu.warmup import warm_up

__all__ = [
    "Counts",
    "MissCurve",
    "Mmu",
    "Schedule",
    "Trace",
    "misses_of_every_associativity",
    "misses_of_every_size",
    "misses_of_sizes",
    "simulate",
    "steady",
    "warm_up",
]
