"""Puts what a point reached beside what theory says, and refuses the impossible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from virtperf.dist import Empirical, Mmpp
from virtperf.errors import SimulationError
from virtperf.experiment.observe import Window
from virtperf.experiment.plan import Point
from virtperf.tables import NONE, DrawKind, DrawRow, System
from virtperf.theory import mean_values


def theory(point: Point) -> dict[str, Any]:
    """Return what theory says about a point, as one row."""
    found, mva = point.theory, mean_values(point.system)
    return {
        "point": point.label,
        "zero_load_ns": found.zero_load_ns,
        "latency_lower_ns": found.latency_lower_ns,
        "throughput_bound": found.throughput_upper_per_s,
        "throughput_balanced_upper": found.balanced_upper_per_s,
        "throughput_balanced_lower": found.balanced_lower_per_s,
        "bottleneck": found.bottleneck,
        "bottleneck_capacity": found.max_throughput_per_s,
        "mva_latency_ns": math.nan if mva is None else mva.latency_ns,
        "mva_throughput": math.nan if mva is None else mva.throughput_per_s,
        "mva_exact": mva is not None and mva.exact,
        "mva_because": "" if mva is None else "; ".join(mva.because),
        "saturated": found.saturated,
        "resource": found.resource,
    }


def refuse_impossible(point: Point, throughput: float, windows: Sequence[Window]) -> None:
    """Stop where more was done than theory allows, sampling error and edges set aside.

    The bound holds for the means of what is drawn; n draws with squared variation v stray from
    their mean by sqrt(v / n), and requests under way at the cut were partly served before it. A
    trace does not stray, but runs ahead of its rate by so many arrivals at most.
    """
    bound = point.theory.throughput_upper_per_s
    least = max(1, min(seen.completed for seen in windows))
    drawn = sum(seen.completed for seen in windows)
    in_flight = sum(max(source.outstanding, 0) for source in point.system.sources)
    slack = 5 * math.sqrt(_variation(point.system) / max(1, drawn)) + in_flight / least
    lasting = throughput * max(0.0, 1 - _ahead(point.system) / least)
    if lasting > bound * (1 + slack + 1e-9):
        raise SimulationError(
            f"{point.label}: {throughput:,.0f}/s were finished, but theory allows {bound:,.0f}/s"
        )


def _variation(system: System) -> float:
    """Return the largest squared coefficient of variation of anything drawn."""
    return max((_variation_of(system, row) for row in system.draws), default=0.0)


def _variation_of(system: System, row: DrawRow) -> float:
    """Return that of one row; of gaps that hang together, that of the number of arrivals."""
    points = slice(*row.values)
    if row.kind == DrawKind.EXPONENTIAL:
        return 1.0
    if row.kind in (DrawKind.LOGNORMAL, DrawKind.GAMMA):
        return row.b**2
    if row.kind == DrawKind.EMPIRICAL:
        return Empirical(system.values[points], system.weights[points]).scv
    if row.kind == DrawKind.MMPP:
        return Mmpp(system.values[points], system.weights[points]).dispersion
    return 0.0


def _ahead(system: System) -> float:
    """Return by how many arrivals, at most, traces exceed their mean rates in any stretch."""
    gaps = [system.draws[source.gap] for source in system.sources if source.gap != NONE]
    return sum(
        _most_ahead(system.values[slice(*gap.values)]) for gap in gaps if gap.kind == DrawKind.CYCLE
    )


def _most_ahead(gaps: Sequence[float]) -> float:
    """Return the greatest number of arrivals less length over mean gap, over all stretches."""
    mean = math.fsum(gaps) / len(gaps)
    lead = [count - past / mean for count, past in enumerate(accumulate(gaps, initial=0.0))]
    return 1 + max(lead) - min(lead)  # one more arrival than gaps lies in a stretch
