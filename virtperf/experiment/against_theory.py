"""Puts what a point reached beside what theory says, and refuses the impossible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from virtperf.errors import SimulationError
from virtperf.experiment.observe import Window
from virtperf.experiment.plan import Point
from virtperf.tables import DrawKind, System


def theory(point: Point) -> dict[str, Any]:
    """Return what theory says about a point, as one row."""
    found = point.theory
    return {
        "point": point.label,
        "zero_load_ns": found.zero_load_ns,
        "latency_lower_ns": found.latency_lower_ns,
        "throughput_bound": found.throughput_upper_per_s,
        "throughput_balanced_upper": found.balanced_upper_per_s,
        "throughput_balanced_lower": found.balanced_lower_per_s,
        "bottleneck": found.bottleneck,
        "bottleneck_capacity": found.max_throughput_per_s,
        "saturated": found.saturated,
        "resource": found.resource,
    }


def refuse_impossible(point: Point, throughput: float, windows: Sequence[Window]) -> None:
    """Stop where more was done than theory allows, sampling error and edges set aside.

    The bound holds for the means of what is drawn; n draws with squared variation v stray from
    their mean by sqrt(v / n), and requests under way at the cut were partly served before it.
    """
    bound = point.theory.throughput_upper_per_s
    drawn = sum(seen.completed for seen in windows)
    in_flight = sum(max(source.outstanding, 0) for source in point.system.sources)
    edge = in_flight / max(1, min(seen.completed for seen in windows))
    slack = 5 * math.sqrt(_variation(point.system) / max(1, drawn)) + edge
    if throughput > bound * (1 + slack + 1e-9):
        raise SimulationError(
            f"{point.label}: {throughput:,.0f}/s were finished, but theory allows {bound:,.0f}/s"
        )


def _variation(system: System) -> float:
    """Return the largest squared coefficient of variation of anything drawn."""
    largest = 0.0
    for draw in system.draws:
        if draw.kind == DrawKind.EXPONENTIAL:
            largest = max(largest, 1.0)
        elif draw.kind == DrawKind.LOGNORMAL:
            largest = max(largest, draw.b**2)
        elif draw.kind == DrawKind.EMPIRICAL:
            largest = max(largest, _empirical_variation(system, *draw.values))
    return largest


def _empirical_variation(system: System, first: int, last: int) -> float:
    pairs = list(zip(system.values[first:last], system.weights[first:last], strict=True))
    total = sum(weight for _, weight in pairs)
    mean = sum(value * weight for value, weight in pairs) / total
    square = sum(value * value * weight for value, weight in pairs) / total
    return square / mean**2 - 1 if mean else 0.0
