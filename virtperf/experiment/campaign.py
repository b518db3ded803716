"""One call: what was asked for, as units of work, and what comes back, as rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError, SimulationError, UnknownNameError
from virtperf.experiment import assemble
from virtperf.experiment.engines import choose, known
from virtperf.experiment.plan import PACE, Point, planned_requests
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
    """Takes runs as they end; a point that is complete becomes rows, and its runs are dropped."""

    def __init__(self, given: Request, points: list[Point], units: list[Unit]) -> None:
        self.given = given
        self.points = {point.label: point for point in points}
        self.waiting = {point.label: 0 for point in points}
        for unit in units:
            self.waiting[unit.point] += 1
        self.runs: dict[str, dict[int, Run]] = {label: {} for label in self.points}
        self.corners: dict[str, dict[str, Run]] = {label: {} for label in self.points}
        self.parts: dict[str, assemble.Rows] = {}
        self.failures: list[Failure] = []
        self.stopped: dict[str, list[str]] = {}

    def add(self, unit: Unit, outcome: Run | Failure) -> None:
        """Take one finished unit."""
        if isinstance(outcome, Failure):
            self.failures.append(outcome)
        elif finished(outcome) < unit.requests and not self._worth_keeping(unit, outcome):
            pass  # missing, as one that never began
        elif unit.corner:
            self.corners[unit.point][unit.corner] = outcome
        else:
            self.runs[unit.point][unit.replication] = outcome
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
        rows = self.parts.setdefault(label, assemble.Rows())
        runs, corners = self.runs.pop(label), self.corners.pop(label)
        point, name = self.points[label], self.given.scenario.name
        if point.theory.saturated:
            crowded = point.theory.resource
            says = f"saturated: {crowded}; more arrives than it can do, and queues grow"
            assemble.add_null(rows, name, point, "saturated", says)
            return
        if missing := sorted(set(range(self.given.replications)) - set(runs)):
            says = f"replications missing: {', '.join(map(str, missing))}"
            rows.flags.append((label, "partial", says))
        rows.flags += [(label, "partial", says) for says in self.stopped.get(label, [])]
        failed = [failure for failure in self.failures if failure.unit.point == label]
        if runs:
            assemble.add_point(rows, name, point, runs, corners)
        elif failed:
            assemble.add_null(rows, name, point, "failed", failed[0].error)

    def close(self, stopped: bool) -> None:
        """Make rows of the points that are incomplete too, and refuse an empty result."""
        for label in list(self.runs):
            self._reduce(label)
        alike: dict[tuple[str, str], list[Failure]] = {}
        for failure in self.failures:
            alike.setdefault((failure.unit.point, failure.error), []).append(failure)
        for (label, _), (first, *more) in alike.items():
            says = f"{first.says}; so do {len(more)} more runs" if more else first.says
            self.parts[label].flags.append((label, "failed", says))
        if not any(row[4] is not None for rows in self.parts.values() for row in rows.data) and (
            self.failures or stopped
        ):
            if stopped:
                raise KeyboardInterrupt
            raise SimulationError(self.failures[0].says)

    def rows(self) -> assemble.Rows:
        """Return the rows of all points, in the order of the design."""
        total = assemble.Rows()
        for label in self.points:
            for name in assemble.Rows.__slots__:
                getattr(total, name).extend(getattr(self.parts[label], name))
        return total
