"""From a declaration to points that can be run; what was prepared before is not prepared again."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from virtperf.design import label
from virtperf.errors import DamageError, ScenarioError
from virtperf.experiment.declare import Experiment, checked
from virtperf.experiment.engines import FAST, choose
from virtperf.experiment.keys import digest, inputs, point_key
from virtperf.experiment.outline import Outline, outline
from virtperf.experiment.plan import PACE, Point, make
from virtperf.experiment.version import model_version
from virtperf.store import Store

Made = dict[str, Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One point of a plan.

    Attributes
    ----------
    key : str
        What decides its outcome.
    outline : Outline
    corners : tuple of str
        Ends of parameter ranges that are run once each.
    """

    key: str
    outline: Outline
    corners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a sweep will run.

    Attributes
    ----------
    experiment : Experiment
    engine : str
    note : str
        Why it is not the fast engine, where nobody chose.
    entries : tuple of Entry
        In the order of the design.
    memory, sources : list of dict
        Rows of those tables of the result.
    asked : str
        Digest of the question.
    stored : int
        Runs that are stored already.
    """

    experiment: Experiment
    engine: str
    note: str
    entries: tuple[Entry, ...]
    memory: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    asked: str
    stored: int = 0

    @property
    def runs(self) -> int:
        """Runs of the points that have a steady state, before any are added for precision."""
        least = self.experiment.effort.replications
        return sum(least + len(e.corners) for e in self.entries if not e.outline.saturated)

    @property
    def seconds(self) -> float:
        """Wall time that the runs take on this machine's cores, to be expected of a slow one."""
        requests, least = self.experiment.requests or 0, self.experiment.effort.replications
        events = sum(
            e.outline.events * requests * (least + len(e.corners))
            for e in self.entries
            if not e.outline.saturated
        )
        share = 1 - min(1.0, self.stored / self.runs) if self.runs else 0.0
        return events * PACE[self.engine].event_us * 1e-6 / (os.cpu_count() or 1) * share

    def __str__(self) -> str:
        """Return the plan in words."""
        effort, points = self.experiment.effort, len(self.entries)
        full = sum(bool(entry.outline.saturated) for entry in self.entries)
        lines = [
            f"{self.experiment.name}: {points:,} points x {effort.replications} replications "
            f"of {self.experiment.requests:,} requests, {self.runs:,} runs; about "
            f"{duration(self.seconds)} on {os.cpu_count()} cores ({self.engine} engine)",
        ]
        if effort.most > effort.replications and effort.outputs:
            asked = ", ".join(
                f"{name} to {100 * share:g} %" for name, share in effort.outputs.items()
            )
            lines.append(f"up to {effort.most} replications until {asked}")
        if full:
            lines.append(f"{full} points are saturated, as theory knows, and are not run")
        if self.stored:
            lines.append(f"{self.stored:,} runs are stored already")
        return "\n".join(lines)


def duration(seconds: float) -> str:
    """Return a time for people.

    Examples
    --------
    >>> duration(0.4), duration(75), duration(7300)
    ('1 s', '1 min 15 s', '2 h 2 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plan(experiment: Experiment, folder: Path | None) -> Plan:
    """Return what a run of an experiment would do, given what is stored in `folder`."""
    store = None if folder is None else Store(folder)
    prepared, _ = prepare(experiment, store)
    return prepared if store is None else replace(prepared, stored=_done(prepared, store))


def _done(prepared: Plan, store: Store) -> int:
    """Return how many of the runs of a plan are stored, before any are added for precision."""
    rows = store.read("runs")
    if rows.empty:
        return 0
    least = prepared.experiment.effort.replications
    wanted = rows["key"].isin({entry.key for entry in prepared.entries})
    return int((wanted & (rows["replication"] < least)).sum())


def prepare(
    experiment: Experiment, store: Store | None, meanwhile: Callable[[], None] = lambda: None
) -> tuple[Plan, Made]:
    """Return the plan of an experiment, and the points that had to be built for it.

    Parameters
    ----------
    experiment : Experiment
    store : Store, optional
        Where the plan may be.
    meanwhile : callable
        Called before points are built, which takes a while; not if they need not be.

    Raises
    ------
    ScenarioError
        If points are impossible, with every reason.
    """
    asked = _asked(experiment)
    if store is not None and store.exists and (found := _stored(experiment, store, asked)):
        return found, {}
    if problems := checked(experiment):
        raise ScenarioError(experiment.name, problems)
    meanwhile()
    made = [make(experiment.scenario, levels, band=experiment.band) for levels in experiment.design]
    engine, note = choose(experiment.engine, (point.system for point in made))
    entries = tuple(
        Entry(
            key=_key(experiment, point.scenario, engine),
            outline=outline(point),
            corners=tuple(point.corners),
        )
        for point in made
    )
    memory, sources = _inputs(made)
    new = Plan(
        experiment=experiment,
        engine=engine,
        note=note,
        entries=entries,
        memory=memory,
        sources=sources,
        asked=asked,
    )
    return new, {entry.key: point for entry, point in zip(entries, made, strict=True)}


def rebuilt(plan: Plan, made: Made, key: str) -> Point:
    """Return a point of a plan as built; it is built now if that was not necessary before."""
    if key not in made:
        levels = next(entry.outline.levels for entry in plan.entries if entry.key == key)
        experiment = plan.experiment
        made[key] = make(experiment.scenario, levels, band=experiment.band)
    return made[key]


def _key(experiment: Experiment, scenario: Any, engine: str) -> str:
    return point_key(
        scenario,
        requests=experiment.requests or 0,
        seed=experiment.seed or 0,
        engine=engine,
        pilot=experiment.pilot,
    )


def _inputs(made: Sequence[Point]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from virtperf.experiment.inputs import memory_rows, source_rows
    from virtperf.result import MEMORY

    memory = [dict(zip(MEMORY, row, strict=True)) for row in memory_rows(made)]
    return memory, list(source_rows(made))


def _asked(experiment: Experiment) -> str:
    """Return the digest of everything that decides which points there are, and their keys."""
    versions = [model_version(engine) for engine in ("fast", "sim")]
    how = (experiment.requests, experiment.seed, experiment.engine, experiment.pilot)
    design = [label(levels) for levels in experiment.design]
    return digest(inputs(experiment.scenario), design, how, experiment.band, versions)


def written(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data, for a store."""
    return {
        **header(plan),
        "points": [_plain(asdict(entry)) for entry in plan.entries],
        "memory": _plain(plan.memory),
        "sources": _plain(plan.sources),
    }


def header(plan: Plan) -> dict[str, Any]:
    """Return what is written of a plan but for its points."""
    experiment = plan.experiment
    return {
        "name": experiment.name,
        "title": experiment.title or experiment.scenario.title,
        "asked": plan.asked,
        "virtperf": installed("virtperf"),
        "engine": plan.engine,
        "note": plan.note,
        "model": model_version(plan.engine),
        "platform": experiment.scenario.platform,
        "factors": list(experiment.design[0]),
        "seed": experiment.seed,
        "requests": experiment.requests,
        "replications": experiment.replications,
        "most_replications": experiment.most_replications,
        "most_requests": experiment.most_requests,
        "pilot": experiment.pilot,
        "outputs": dict(experiment.outputs),
        "band": experiment.band,
        "scenario": experiment.scenario.to_toml(),
    }


def _stored(experiment: Experiment, store: Store, asked: str) -> Plan | None:
    """Return the plan that is stored, if it is of the same question to the same model."""
    try:
        table = store.plan
        if table["asked"] != asked or (table["engine"] != FAST and experiment.engine is None):
            return None
        return read(experiment, table)
    except (DamageError, KeyError, TypeError):
        return None  # it is prepared anew


def read(experiment: Experiment, table: Mapping[str, Any]) -> Plan:
    """Return the plan that `written` gave."""
    return Plan(
        experiment=experiment,
        engine=table["engine"],
        note=table["note"],
        entries=tuple(entry(row) for row in table["points"]),
        memory=table["memory"],
        sources=table["sources"],
        asked=table["asked"],
    )


def entry(row: Mapping[str, Any]) -> Entry:
    """Return a point of a stored plan."""
    known = dict(row["outline"])
    bounds = {k: math.nan if v is None else v for k, v in known.pop("bounds").items()}
    notes = tuple(known.pop("notes"))
    return Entry(
        key=row["key"],
        outline=Outline(**known, bounds=bounds, notes=notes),
        corners=tuple(row["corners"]),
    )


def _plain(node: Any) -> Any:
    """Return plain data without NaN, which JSON does not have."""
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    return None if isinstance(node, float) and math.isnan(node) else node
