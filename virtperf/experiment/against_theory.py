"""Puts what a point reached beside what theory says, and refuses the impossible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from virtperf.errors import SimulationError
from virtperf.experiment.observation import Observation
from virtperf.experiment.plan import Point
from virtperf.tables import NONE, DrawKind, System
from virtperf.theory import mean_values, think_ticks, variation
from virtperf.units import TICKS_PER_NS

ROUNDING = 1e-9


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


def refuse_impossible(point: Point, throughput: float, seen: Sequence[Observation]) -> None:
    """Stop where more was done than theory allows, sampling error and edges set aside.

    The bound holds for the means of what is drawn, and requests under way at the cut were partly
    served before it (`_slack`). A trace does not stray, but runs ahead of its rate by so many
    arrivals at most.
    """
    bound = point.theory.throughput_upper_per_s
    least = max(1, min(run.completed for run in seen))
    lasting = throughput * max(0.0, 1 - _ahead(point.system) / least)
    if lasting > bound and lasting > bound * (1 + _slack(point, seen)):
        raise SimulationError(
            f"{point.label}: {throughput:,.0f}/s were finished, but theory allows {bound:,.0f}/s"
        )


def refuse_too_quick(point: Point, seen: Sequence[Observation]) -> None:
    """Stop where requests took less time than theory allows, sampling error and edges set aside.

    Time under way at the end counts: in a run of a few slices those that have finished are the
    lucky ones. The bound is one of a whole cycle with thinking, whose sampling error it has.
    """
    finished = sum(run.completed for run in seen)
    spent = sum(max(run.residence, run.in_system) for run in seen)
    took, bound = spent / max(1, finished) / TICKS_PER_NS, point.theory.latency_lower_ns
    think = max(think_ticks(point.system, source) for source in point.system.sources)
    stray = (bound + think / TICKS_PER_NS) * _slack(point, seen) if took < bound else 0.0
    if took < bound - stray:
        raise SimulationError(
            f"{point.label}: requests took {took:,.0f} ns, but theory needs {bound:,.0f} ns"
        )


def _slack(point: Point, seen: Sequence[Observation]) -> float:
    """Return by which share means of a run may stray from those in the long run.

    n requests with squared variation v stray by sqrt(v / n), five times that as good as never;
    beside that come all that may be under way at the cut.
    """
    least = max(1, min(run.completed for run in seen))
    drawn = max(1, sum(run.completed for run in seen))
    in_flight = sum(max(source.outstanding, 0) for source in point.system.sources)
    return 5 * math.sqrt(variation(point.system) / drawn) + in_flight / least + ROUNDING


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
