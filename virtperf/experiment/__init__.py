"""Experiments: scenario x design x replications, on any executor; the same table from all."""

from __future__ import annotations

import platform as machine
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

from virtperf.experiment import inputs
from virtperf.experiment.campaign import Collector, Request
from virtperf.experiment.declare import Experiment
from virtperf.experiment.engines import ENGINES, choose, run_one
from virtperf.experiment.outline import outline
from virtperf.experiment.plan import PACE, Over, Point, design, left_out, make, planned_requests
from virtperf.experiment.replaying import again
from virtperf.experiment.tabulate import tabulate
from virtperf.experiment.version import model_version
from virtperf.experiment.work import Executor, Unit, execute
from virtperf.tables import Run, Timeline

if TYPE_CHECKING:
    from virtperf.result import Result
    from virtperf.scenario import Scenario

__all__ = [
    "Experiment",
    "again",
    "compare",
    "planned_requests",
    "record",
    "replay",
    "run_one",
    "simulate",
]

Progress = Callable[[float, int, str], None]


def simulate(
    scenario: Scenario,
    *,
    seed: int | None = None,
    replications: int | None = None,
    requests: int | None = None,
    engine: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    band: bool = True,
) -> Result:
    """Simulate one scenario.

    Parameters
    ----------
    scenario : Scenario
        What to simulate.
    seed, replications, requests : int, optional
        Root of all randomness, independent runs, and finished requests per run; by default the
        scenario's own. A length that nobody gave is planned from theory's event count, so that
        the call ends in about a quarter of a minute.
    engine : str, optional
        Engine that carries the system through time, ``"fast"`` (compiled) or ``"sim"`` (SimPy);
        by default the scenario's own, else the fast one where it can. Both give the same result.
    executor : object with a map, optional
        Where runs are made; by default as many processes as there are cores. It cannot change
        the result.
    progress : callable, optional
        Called with (runs done, those under way by the share that is done; runs in all; label of
        the point).
    band : bool
        Whether to run the ends of the parameter ranges too, once each.

    Returns
    -------
    Result
        With one point, named like the scenario.

    Examples
    --------
    >>> from virtperf import Scenario, simulate
    >>> result = simulate(Scenario.load("toy"), requests=400, replications=2, band=False)
    >>> result.labels
    ['toy']
    """
    given = Request(scenario, seed, replications, requests, engine)
    return _run(given, [make(scenario, {}, band=band)], (), executor, progress)


def compare(
    scenario: Scenario,
    over: Over = "vm.disk",
    *,
    seed: int | None = None,
    replications: int | None = None,
    requests: int | Mapping[str, int] | None = None,
    engine: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    band: bool = True,
) -> Result:
    """Simulate every combination of levels; all points of a replication meet the same draws.

    Parameters
    ----------
    scenario : Scenario
        What stays the same.
    over : str, sequence of str, or mapping of address to levels
        What varies: ``"vm.disk"`` is every disk technique, ``"vm.count=1,8"`` these counts. A
        disk technique that the scenario's CPU technique cannot carry takes its own along; the
        result's notes say so.
    requests : int or mapping of point to int, optional
        Finished requests per run, for all points or by label.
    seed, replications, engine, executor, progress, band
        As in `simulate`.

    Returns
    -------
    Result
        With one point per combination.

    Raises
    ------
    UnknownNameError
        If there is no such address.
    ParameterError
        If an address needs levels.
    """
    points = [make(scenario, levels, band=band) for levels in design(over, scenario)]
    says = left_out(over, scenario)
    points[0] = replace(points[0], notes=(*points[0].notes, *says))
    factors = tuple(points[0].levels)
    given = Request(scenario, seed, replications, requests, engine)
    return _run(given, points, factors, executor, progress)


def record(
    scenario: Scenario,
    *,
    requests: int = 200,
    seed: int | None = None,
    replication: int = 0,
    engine: str | None = None,
) -> Timeline:
    """Make one run of a scenario and record what happened when.

    Parameters
    ----------
    scenario : Scenario
    requests : int
        Finished requests after which the run ends.
    seed : int, optional
        Root of all randomness; by default the scenario's own.
    replication : int
        Which of the independent runs.
    engine : str, optional
        As in `simulate`.

    Returns
    -------
    Timeline
        Tracks of pCPUs and workers, and an arrow per doorbell; `virtperf.timeline.write` and
        `virtperf.plot.gantt` take it from here.

    Examples
    --------
    >>> from virtperf import Scenario, record
    >>> timeline = record(Scenario.load("toy"), requests=20)
    >>> timeline.workers
    ('guest[0].vcpu0', 'guest[0].iothread')
    """
    from virtperf.build import build

    root = scenario.run.seed if seed is None else seed
    system = build(scenario)
    name, _ = choose(scenario.run.engine if engine is None else engine, [system])
    make_run = import_module(ENGINES[name]).record
    timeline: Timeline = make_run(system, seed=root, replication=replication, requests=requests)[1]
    return timeline


def replay(
    scenario: Scenario,
    point: str,
    *,
    seed: int,
    replication: int,
    requests: int,
    corner: str = "",
    engine: str | None = None,
) -> Run:
    """Make one run of an experiment again, by the label of its point."""
    from virtperf.design import axis

    pairs = [axis(text) for text in point.split() if "=" in text]
    made = make(scenario, {address: levels[0] for address, levels in pairs}, band=bool(corner))
    system = made.corners.get(corner, made.system)
    name, _ = choose(scenario.run.engine if engine is None else engine, [system])
    return run_one(system, seed, replication, requests, name)


def _run(
    given: Request,
    points: list[Point],
    factors: tuple[str, ...],
    executor: Executor | None,
    progress: Progress | None,
) -> Result:
    units = given.units(points)
    collector = Collector(given, points, units)
    stopped = False
    try:
        for unit, outcome in execute(units, executor, progress):
            collector.add(unit, outcome)
    except KeyboardInterrupt:
        stopped = True
    collector.close(stopped)
    return _result(given, points, factors, units, collector, stopped)


def _result(
    given: Request,
    points: list[Point],
    factors: tuple[str, ...],
    units: list[Unit],
    collector: Collector,
    stopped: bool,
) -> Result:
    import pandas as pd

    from virtperf.result import MEMORY, Result

    lengths = {unit.point: unit.requests for unit in units}
    provenance = {
        "version": installed("virtperf"),
        "model": model_version(given.engine),
        "python": machine.python_version(),
        "experiment": given.scenario.name,
        "platform": given.scenario.platform,
        "factors": list(factors),
        "engine": given.engine,
        "seed": given.seed,
        "replications": given.replications,
        "requests": lengths,
        "interrupted": stopped,
        "scenario": given.scenario.to_toml(),
    }
    tables = tabulate(given.scenario.name, list(map(outline, points)), collector.raw.frames())
    more = pd.DataFrame(collector.flags, columns=["point", "flag", "says"])
    tables["flags"] = pd.concat([tables["flags"], more], ignore_index=True)
    return Result(
        **tables,
        memory=pd.DataFrame(inputs.memory_rows(points), columns=list(MEMORY)),
        sources=pd.DataFrame(inputs.source_rows(points)),
        notes=tuple(dict.fromkeys(_notes(given, points, lengths.values()))),
        provenance=provenance,
    )


def _notes(given: Request, points: list[Point], lengths: Iterable[int]) -> Iterable[str]:
    for point in points:
        yield from point.notes
    for name, device in given.scenario.device.items():
        yield from (f"device {name}, assumed: {says}" for says in device.assumed)
    if given.note:
        yield given.note
    length = min(lengths, default=0)
    if given.planned and length:
        yield f"{length:,} requests per replication, planned from theory's event count"
        if length <= PACE[given.engine].least:
            yield "the planned length is the shortest allowed: this call takes longer than planned"
