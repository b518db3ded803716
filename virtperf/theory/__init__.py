"""What can be said of a built system without running it, and textbook queueing formulas."""

from virtperf.theory.bounds import Bounds, bounds
from virtperf.theory.demand import Demand, Demands, demands
from virtperf.theory.itinerary import mean_cost
from virtperf.theory.mva import MeanValues, mean_values
from virtperf.theory.rates import rings_per_entry
from virtperf.theory.zero_load import Stretch, ZeroLoad, events_per_request, zero_load

__all__ = [
    "Bounds",
    "Demand",
    "Demands",
    "MeanValues",
    "Stretch",
    "ZeroLoad",
    "bounds",
    "demands",
    "events_per_request",
    "mean_cost",
    "mean_values",
    "rings_per_entry",
    "zero_load",
]
