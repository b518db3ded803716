"""Designs: which points an experiment visits. Knows addresses and levels, no scenario."""

from virtperf.design.axes import axis, label
from virtperf.design.factorial import Design, Point, crossed, grid, listed, zipped
from virtperf.design.levels import factor
from virtperf.design.plan import points
from virtperf.design.ranges import Range
from virtperf.design.reading import ranged, ranges
from virtperf.design.sampled import latin_hypercube, sobol
from virtperf.design.screening import morris, positions
from virtperf.design.sensitivity import saltelli
from virtperf.design.where import where

__all__ = [
    "Design",
    "Point",
    "Range",
    "axis",
    "crossed",
    "factor",
    "grid",
    "label",
    "latin_hypercube",
    "listed",
    "morris",
    "points",
    "positions",
    "ranged",
    "ranges",
    "saltelli",
    "sobol",
    "where",
    "zipped",
]
