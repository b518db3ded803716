"""Textbook queueing results in closed form. Pure functions of numbers; knows no system.

Times are in ns, rates and throughputs per ns; any other unit works as well, used throughout.
"""

from virtperf.theory.formulas.checks import Centre, Means, Range
from virtperf.theory.formulas.classes import exact_mva, mixed, mva_steps, schweitzer
from virtperf.theory.formulas.closed import convolution, machine_repair, machine_repair_response
from virtperf.theory.formulas.limits import asymptotic_bounds, balanced_job_bounds
from virtperf.theory.formulas.moderation import entries_per_signal, moderation_delay
from virtperf.theory.formulas.open import erlang_c, mg1, mg1_setup, mm1, mm1k, mmc, priority

__all__ = [
    "Centre",
    "Means",
    "Range",
    "asymptotic_bounds",
    "balanced_job_bounds",
    "convolution",
    "entries_per_signal",
    "erlang_c",
    "exact_mva",
    "machine_repair",
    "machine_repair_response",
    "mg1",
    "mg1_setup",
    "mixed",
    "mm1",
    "mm1k",
    "mmc",
    "moderation_delay",
    "mva_steps",
    "priority",
    "schweitzer",
]
