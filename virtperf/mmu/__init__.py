"""The compiled memory hardware: TLBs and page walks over plain arrays, without a clock.

It answers what `virtperf.mechanism.memory` answers, access by access, at some hundred times the
speed; that package is where one reads how the hardware behaves.
"""

from virtperf.mmu.machine import Counts, Mmu, Trace
from virtperf.mmu.schedule import Schedule, steady
from virtperf.mmu.streams import simulate

__all__ = ["Counts", "Mmu", "Schedule", "Trace", "simulate", "steady"]
