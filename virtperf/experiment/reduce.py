"""From the runs of a point to what they say: its warm-up cut, and every run seen after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf.experiment import observe
from virtperf.experiment.against_theory import refuse_impossible, refuse_too_quick
from virtperf.experiment.observation import Observation, observed
from virtperf.experiment.observe import Cut
from virtperf.tables import NONE, Run, System

if TYPE_CHECKING:
    from virtperf.experiment.plan import Point

OVERLOADED = 0.95  # of the arrivals; a resource this busy may be why fewer end

Runs = Mapping[tuple[int, str], Run]
"""Runs by replication and corner, the corner "" for the central numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What runs of a point say.

    Attributes
    ----------
    cut : Cut
    seen : tuple of Observation
    overload : str
        Why runs that did not settle never will; "" if they may.
    """

    cut: Cut
    seen: tuple[Observation, ...]
    overload: str = ""


def reduced(point: Point, runs: Runs, cut: Cut | None = None) -> Reduced:
    """Observe the runs of a point.

    Parameters
    ----------
    point : Point
    runs : mapping
        All that the cut shall come from, where there is none yet.
    cut : Cut, optional
        Where the warm-up ends, found before.

    Raises
    ------
    SimulationError
        If the point does more, or is quicker, than theory allows.
    """
    central = {replication: run for (replication, corner), run in runs.items() if not corner}
    first = cut is None
    if cut is None:
        cut = observe.warmup([central[replication] for replication in sorted(central)])
    seen = tuple(
        observed(_system(point, corner), run, cut, replication, corner)
        for (replication, corner), run in sorted(runs.items(), key=lambda item: item[0][0])
    )
    own = [run for run in seen if not run.corner]
    overload = _overload(point, own) if first and not cut.steady else ""
    if own and not overload:
        _check(point, own)
    return Reduced(cut=cut, seen=seen, overload=overload)


def _system(point: Point, corner: str) -> System:
    return point.corners[corner] if corner else point.system


def _check(point: Point, seen: Sequence[Observation]) -> None:
    rates = [value for run in seen for name, value, _ in run.metrics if name == "throughput"]
    reached = [value for value in rates if value is not None]
    refuse_impossible(point, sum(reached) / len(reached), seen)
    refuse_too_quick(point, seen)


def _overload(point: Point, seen: Sequence[Observation]) -> str:
    """Return why runs that did not settle never will: less ends than arrives; "" if they may.

    What theory calls saturated is not run at all. Between its bound and what a system can do in
    truth, with locks that are handed on slowly, say, only a run can tell.
    """
    sources = point.system.sources
    if any(row.gap == NONE for row in sources):
        return ""
    arrive = sum(1e9 / point.system.draws[row.gap].a for row in sources)
    metrics: dict[str, float] = {}
    for metric, value, _ in (row for run in seen for row in run.metrics):
        metrics[metric] = metrics.get(metric, 0.0) + (value or 0.0) / len(seen)
    used = {name: value for name, value in metrics.items() if name.startswith("utilization.")}
    busiest = max(used, key=lambda name: used[name])
    if metrics["throughput"] > OVERLOADED * arrive or used[busiest] < OVERLOADED:
        return ""
    return (
        f"saturated: {busiest.removeprefix('utilization.')} is busy all the time; "
        f"{arrive:,.0f}/s arrive, {metrics['throughput']:,.0f}/s finish, and queues grow"
    )
