"""Output analysis as pure functions: warm-up, intervals, comparison, search, sensitivity."""

from virtperf.stats.attribution import Contribution, attribution, one_at_a_time
from virtperf.stats.batch_means import BatchMeans, batch_means
from virtperf.stats.comparison import Against, Saving, against_baseline, crn_saving
from virtperf.stats.crossover import Crossover, crossover
from virtperf.stats.fairness import jain
from virtperf.stats.intervals import interval, paired
from virtperf.stats.morris import Effect, morris
from virtperf.stats.multiple import holm
from virtperf.stats.noise import noise_share
from virtperf.stats.precision import Precision, precision
from virtperf.stats.run_length import memory, too_short
from virtperf.stats.sizing import Sizing, sizing
from virtperf.stats.sobol import Index, Sobol, sobol_indices
from virtperf.stats.warmup import mser5

__all__ = [
    "Against",
    "BatchMeans",
    "Contribution",
    "Crossover",
    "Effect",
    "Index",
    "Precision",
    "Saving",
    "Sizing",
    "Sobol",
    "against_baseline",
    "attribution",
    "batch_means",
    "crn_saving",
    "crossover",
    "holm",
    "interval",
    "jain",
    "memory",
    "morris",
    "mser5",
    "noise_share",
    "one_at_a_time",
    "paired",
    "precision",
    "sizing",
    "sobol_indices",
    "too_short",
]
