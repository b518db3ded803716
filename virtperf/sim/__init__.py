"""The reference engine: SimPy processes walk the tables. Written to be read and extended."""

from virtperf.sim.engine import run
from virtperf.sim.recorder import record

__all__ = ["record", "run"]
