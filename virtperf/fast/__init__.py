"""The compiled engine: the contract of `virtperf.sim`, as a loop over tables.

Its modules mirror those of `sim`: the rules are the same functions, the flow of control is written
again, so that it can be compiled. `layout` says what the state of a run consists of.
"""

from virtperf.fast.engine import record, run
from virtperf.fast.machine import why_not
from virtperf.fast.warmup import warm_up

__all__ = ["record", "run", "warm_up", "why_not"]
