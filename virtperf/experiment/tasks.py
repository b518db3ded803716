"""What a worker does in one go: some runs of one point; and what came of them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

from virtperf.experiment.engines import run_one
from virtperf.experiment.observe import Cut
from virtperf.experiment.plan import Point
from virtperf.experiment.reduce import Reduced, reduced
from virtperf.tables import Run

Which = tuple[int, str]
"""Replication and corner of a run; the corner is "" for the central numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Runs to be made of one point.

    Attributes
    ----------
    key : str
        Of the point.
    point : Point
    which : tuple of (int, str)
    seed, requests, engine
        How each run is made.
    cut : Cut, optional
        Where the warm-up ends, where that is known.
    whole : bool
        Whether the runs can be reduced at once: the cut is known, or comes from these.
    """

    key: str
    point: Point
    which: tuple[Which, ...]
    seed: int
    requests: int
    engine: str
    cut: Cut | None = None
    whole: bool = True

    @property
    def cost(self) -> float:
        """Timed events to be expected."""
        return self.point.events * self.requests * len(self.which)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Why a run is missing.

    Attributes
    ----------
    replication, corner
        Which run.
    error : str
        Kind and message.
    trace : str
        Where it happened.
    """

    replication: int
    corner: str
    error: str
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a task: runs that were reduced, or, if the cut is not known, runs as they are.

    Attributes
    ----------
    reduced : Reduced, optional
    runs : mapping
        Those that were not reduced.
    lost : tuple of Lost
    seconds : float
        Wall time of the runs.
    """

    reduced: Reduced | None = None
    runs: Mapping[Which, Run] = field(default_factory=dict)
    lost: tuple[Lost, ...] = ()
    seconds: float = 0.0


def carry_out(task: Task) -> Done:
    """Make the runs of a task; a failure is an answer, so that it does not end the others."""
    runs: dict[Which, Run] = {}
    lost: list[Lost] = []
    began = time.perf_counter()
    for replication, corner in task.which:
        system = task.point.corners[corner] if corner else task.point.system
        try:
            run = run_one(system, task.seed, replication, task.requests, task.engine)
            runs[replication, corner] = run
        except Exception as error:
            lost.append(_lost(replication, corner, error))
    seconds = time.perf_counter() - began
    if not task.whole:
        return Done(runs=runs, lost=tuple(lost), seconds=seconds)
    found, more = reduce_all(task.point, runs, task.cut)
    return Done(reduced=found, lost=(*lost, *more), seconds=seconds)


def reduce_all(
    point: Point, runs: Mapping[Which, Run], cut: Cut | None
) -> tuple[Reduced | None, list[Lost]]:
    """Reduce runs; where they say what cannot be, all of them are lost, with the reason."""
    if not any(not corner for _, corner in runs) and cut is None:
        return None, []
    try:
        return reduced(point, runs, cut), []
    except Exception as error:
        return None, [_lost(replication, corner, error) for replication, corner in runs]


def _lost(replication: int, corner: str, error: Exception) -> Lost:
    return Lost(
        replication=replication,
        corner=corner,
        error=f"{type(error).__name__}: {error}",
        trace="".join(traceback.format_exception(error)),
    )
