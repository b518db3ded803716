"""Figures: a result or a timeline in, axes out. Nothing is shown or saved unless asked for."""

from virtperf.plot.cpu import slowdown, time_by_cause
from virtperf.plot.figures import (
    CAUSES,
    breakdown,
    cause,
    cdf,
    request_times,
    save,
    short,
)
from virtperf.plot.flags import interrupt_flags
from virtperf.plot.gantt import gantt
from virtperf.plot.memory import footprint_cost, switch_cost, walk_references
from virtperf.plot.miss_ratio import miss_ratio_curve
from virtperf.plot.paging import faults_over_time, table_memory
from virtperf.plot.paths import latency_throughput, payer_stack
from virtperf.plot.published import published
from virtperf.plot.reasons import exits_by_reason
from virtperf.plot.response import response
from virtperf.plot.schedule import schedules
from virtperf.plot.sequence import sequence
from virtperf.plot.tornado import tornado
from virtperf.plot.translator import thrash, warm_up
from virtperf.plot.winner import winner_map

__all__ = [
    "CAUSES",
    "breakdown",
    "cause",
    "cdf",
    "exits_by_reason",
    "faults_over_time",
    "footprint_cost",
    "gantt",
    "interrupt_flags",
    "latency_throughput",
    "miss_ratio_curve",
    "payer_stack",
    "published",
    "request_times",
    "response",
    "save",
    "schedules",
    "sequence",
    "short",
    "slowdown",
    "switch_cost",
    "table_memory",
    "thrash",
    "time_by_cause",
    "tornado",
    "walk_references",
    "warm_up",
    "winner_map",
]
