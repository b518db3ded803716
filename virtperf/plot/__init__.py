"""Figures: a result or a timeline in, axes out. Nothing is shown or saved unless asked for."""

from virtperf.plot.figures import (
    CAUSES,
    breakdown,
    cause,
    cdf,
    request_times,
    response,
    save,
    short,
)
from virtperf.plot.flags import interrupt_flags
from virtperf.plot.gantt import gantt

__all__ = [
    "CAUSES",
    "breakdown",
    "cause",
    "cdf",
    "gantt",
    "interrupt_flags",
    "request_times",
    "response",
    "save",
    "short",
]
