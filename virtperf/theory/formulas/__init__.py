"""Textbook queueing results in closed form. Pure functions of numbers; knows no system.

Times are in ns, rates and throughputs per ns; any other unit works as well, used throughout.
"""

from virtperf.theory.formulas.checks import Centre, Range
from virtperf.theory.formulas.closed import (
    Means,
    exact_mva,
    exact_mva_classes,
    machine_repair,
    machine_repair_response,
    schweitzer,
)
from virtperf.theory.formulas.limits import asymptotic_bounds, balanced_job_bounds
from virtperf.theory.formulas.open import erlang_c, mg1, mg1_setup, mm1, mm1k, mmc, priority

__all__ = [
    "Centre",
    "Means",
    "Range",
    "asymptotic_bounds",
    "balanced_job_bounds",
    "erlang_c",
    "exact_mva",
    "exact_mva_classes",
    "machine_repair",
    "machine_repair_response",
    "mg1",
    "mg1_setup",
    "mm1",
    "mm1k",
    "mmc",
    "priority",
    "schweitzer",
]
