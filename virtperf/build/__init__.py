"""From a scenario to the tables that engines read."""

from virtperf.build.assembly import Assembly
from virtperf.build.scenario import build, sources

__all__ = ["Assembly", "build", "sources"]
