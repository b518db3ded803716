"""What can be said of a built system without running it, and textbook queueing formulas."""

from virtperf.theory.bounds import Bounds, bounds
from virtperf.theory.demand import Demand, Demands, demands
from virtperf.theory.itinerary import mean_cost
from virtperf.theory.zero_load import Stretch, ZeroLoad, events_per_request, zero_load

__all__ = [
    "Bounds",
    "Demand",
    "Demands",
    "Stretch",
    "ZeroLoad",
    "bounds",
    "demands",
    "events_per_request",
    "mean_cost",
    "zero_load",
]
