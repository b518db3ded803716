"""Distributions of times as data, in nanoseconds. Imports numpy only to draw.

Most are independent times. `Cycle` and `Mmpp` describe arrivals: each gap depends on those before.
"""

from virtperf.dist.empirical import Empirical
from virtperf.dist.process import Cycle, Mmpp
from virtperf.dist.protocol import Distribution, Independent
from virtperf.dist.reading import distribution
from virtperf.dist.rotating import Rotating
from virtperf.dist.shapes import Deterministic, Exponential, Gamma, LogNormal

__all__ = [
    "Cycle",
    "Deterministic",
    "Distribution",
    "Empirical",
    "Exponential",
    "Gamma",
    "Independent",
    "LogNormal",
    "Mmpp",
    "Rotating",
    "distribution",
]
