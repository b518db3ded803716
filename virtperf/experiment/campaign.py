"""One call: what was asked for, as units of work, and what comes back, as rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError, SimulationError, UnknownNameError
from virtperf.experiment.engines import choose, known
from virtperf.experiment.outline import saturation
from virtperf.experiment.plan import PACE, Point, planned_requests
from virtperf.experiment.raw import Raw
from virtperf.experiment.reduce import reduced
from virtperf.experiment.work import Failure, Unit
from virtperf.tables import Run

if TYPE_CHECKING:
    from virtperf.scenario import Scenario

SHORTEST = 400  # requests of a run that Ctrl-C ended, for it to count


MOST_NS = 1e15  # spent by all requests of a planned run: sums over time have 8 bytes


class Request:
    """What the caller asked for, the scenario's own values where nothing was said."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int | None,
        replications: int | None,
        requests: int | Mapping[str, int] | None,
        engine: str | None,
    ) -> None:
        self.scenario = scenario
        self.asked = scenario.run.engine if engine is None else engine
        self.engine = self.note = ""
        self.seed = scenario.run.seed if seed is None else seed
        self.replications = scenario.run.replications if replications is None else replications
        self.requests = scenario.run.requests if requests is None else requests
        self.planned = self.requests is None
        known(self.asked)
        lengths = self.requests.values() if isinstance(self.requests, Mapping) else [self.requests]
        checks = [("replications", self.replications, 1), ("seed", self.seed, 0)]
        for field, value, least in (*checks, *(("requests", length, 1) for length in lengths)):
            if value is not None and value < least:
                raise ParameterError("run", field, f"at least {least}", value)

    def length(self, point: Point, points: list[Point]) -> int:
        """Return the requests per run of a point."""
        if isinstance(self.requests, Mapping):
            if point.label not in self.requests:
                raise UnknownNameError("point", point.label, self.requests)
            return self.requests[point.label]
        if self.requests is not None:
            return self.requests
        points = [p for p in points if not p.theory.saturated]
        units = [self.replications + len(p.corners) for p in points]
        pace, events = PACE[self.engine], [p.events for p in points]
        seconds = pace.budget_s if self.replications > 1 else pace.single_s
        cores = os.cpu_count() or 1
        planned = planned_requests(events, units, cores=cores, seconds=seconds, pace=pace)
        longest = max((p.theory.zero_load_ns for p in points), default=1.0)
        return max(1, min(planned, int(MOST_NS / longest)))

    def units(self, points: list[Point]) -> list[Unit]:
        """Return every run to be made, having chosen the engine that makes them."""
        self.engine, self.note = choose(self.asked, (point.system for point in points))
        units = []
        for point in (p for p in points if not p.theory.saturated):
            shared = {"point": point.label, "seed": self.seed, "engine": self.engine}
            length = self.length(point, points)
            central = [(r, "", point.system) for r in range(self.replications)]
            corners = [(0, name, system) for name, system in point.corners.items()]
            for replication, corner, system in central + corners:
                run = {"replication": replication, "corner": corner, "system": system}
                units.append(Unit(**shared, **run, requests=length, cost=point.events))  # type: ignore[arg-type]
        return units


def finished(run: Run) -> int:
    """Return how many requests a run has seen the end of."""
    return sum(run.snapshots[-1].completed)


class Collector:
    """Takes runs as they end; a point that is complete becomes rows, and its runs are dropped.

    Attributes
    ----------
    raw : Raw
        The rows of the points that are complete.
    flags : list of (str, str, str)
        Point, flag, and what it says.
    """

    def __init__(self, given: Request, points: list[Point], units: list[Unit]) -> None:
        self.given = given
        self.points = {point.label: point for point in points}
        self.waiting = {point.label: 0 for point in points}
        for unit in units:
            self.waiting[unit.point] += 1
        self.runs: dict[str, dict[tuple[int, str], Run]] = {label: {} for label in self.points}
        self.raw = Raw()
        self.flags: list[tuple[str, str, str]] = []
        self.failures: list[Failure] = []
        self.stopped: dict[str, list[str]] = {}

    def add(self, unit: Unit, outcome: Run | Failure) -> None:
        """Take one finished unit."""
        if isinstance(outcome, Failure):
            self.failures.append(outcome)
        elif finished(outcome) < unit.requests and not self._worth_keeping(unit, outcome):
            pass  # missing, as one that never began
        else:
            self.runs[unit.point][unit.replication, unit.corner] = outcome
        self.waiting[unit.point] -= 1
        if not self.waiting[unit.point]:
            self._reduce(unit.point)

    def _worth_keeping(self, unit: Unit, run: Run) -> bool:
        """Whether a run that was stopped says something; then it is flagged."""
        done = finished(run)
        if unit.corner or done < SHORTEST:
            return False
        says = f"replication {unit.replication} was stopped after {done:,} of {unit.requests:,}"
        self.stopped.setdefault(unit.point, []).append(f"{says} requests")
        return True

    def _reduce(self, label: str) -> None:
        runs, point = self.runs.pop(label), self.points[label]
        if point.theory.saturated:
            self.raw.add_nothing(label, "saturated", saturation(point.theory.resource))
            return
        central = {replication for replication, corner in runs if not corner}
        if missing := sorted(set(range(self.given.replications)) - central):
            says = f"replications missing: {', '.join(map(str, missing))}"
            self.flags.append((label, "partial", says))
        self.flags += [(label, "partial", says) for says in self.stopped.get(label, [])]
        failed = [failure for failure in self.failures if failure.unit.point == label]
        if central:
            self._add(point, runs)
        elif failed:
            self.raw.add_nothing(label, "failed", failed[0].error)

    def _add(self, point: Point, runs: dict[tuple[int, str], Run]) -> None:
        found = reduced(point, runs)
        if found.overload:
            self.raw.add_nothing(point.label, "saturated", found.overload)
            return
        self.raw.add_cut(point.label, found.cut)
        self.raw.add(point.label, found.seen)

    def close(self, stopped: bool) -> None:
        """Make rows of the points that are incomplete too, and refuse an empty result."""
        for label in list(self.runs):
            self._reduce(label)
        alike: dict[tuple[str, str], list[Failure]] = {}
        for failure in self.failures:
            alike.setdefault((failure.unit.point, failure.error), []).append(failure)
        for (label, _), (first, *more) in alike.items():
            says = f"{first.says}; so do {len(more)} more runs" if more else first.says
            self.flags.append((label, "failed", says))
        if not self.raw.tables["data"] and (self.failures or stopped):
            if stopped:
                raise KeyboardInterrupt
            raise SimulationError(self.failures[0].says)
