"""What can be said of a built system without running it, and textbook queueing formulas."""

from virtperf.theory.bounds import Bounds, bounds
from virtperf.theory.demand import Demands, demands
from virtperf.theory.itinerary import mean_cost, think_ticks
from virtperf.theory.mva import MeanValues, mean_values
from virtperf.theory.rates import Rates, rates
from virtperf.theory.tally import Demand
from virtperf.theory.variation import variation
from virtperf.theory.zero_load import Stretch, ZeroLoad, events_per_request, zero_load

__all__ = [
    "Bounds",
    "Demand",
    "Demands",
    "MeanValues",
    "Rates",
    "Stretch",
    "ZeroLoad",
    "bounds",
    "demands",
    "events_per_request",
    "mean_cost",
    "mean_values",
    "rates",
    "think_ticks",
    "variation",
    "zero_load",
]
