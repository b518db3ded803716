"""What a sweep has done, in its store: rows of finished runs, runs that wait, failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from virtperf.errors import DamageError
from virtperf.experiment import keeping
from virtperf.experiment.gather import STATE, columns, fill, gather, of_points
from virtperf.experiment.keys import run_key
from virtperf.experiment.observe import Cut
from virtperf.experiment.plan import Point
from virtperf.experiment.prepare import Plan
from virtperf.experiment.raw import Raw
from virtperf.experiment.reduce import Reduced
from virtperf.experiment.tally import Tally
from virtperf.experiment.tasks import Done, Lost, Task, Which, reduce_all
from virtperf.experiment.version import model_version
from virtperf.store import Store
from virtperf.tables import Run

if TYPE_CHECKING:
    import pandas as pd

    from virtperf.result import Result

Columns = dict[str, list[Any]]

MANY_PARTS = 32  # from which on a finished sweep is rewritten as one


class Books:
    """The state of every point of a plan, read from a store and kept there.

    Parameters
    ----------
    plan : Plan
    store : Store
        Held for writing.
    retry_failed : bool
        Whether points that had failures begin anew.
    """

    def __init__(self, plan: Plan, store: Store, *, retry_failed: bool = False) -> None:
        self.plan, self.store = plan, store
        self.raw, self.seconds = Raw(), dict[tuple[str, Which], float]()
        self.spent: list[str] = []  # names of kept runs that are reduced now
        experiment = plan.experiment
        self.tallies = {
            entry.key: Tally(
                key=entry.key,
                corners=entry.corners,
                pilot=experiment.pilot,
                requests=experiment.requests or 0,
                effort=experiment.effort,
            )
            for entry in plan.entries
            if not entry.outline.saturated
        }
        self.labels = {entry.key: entry.outline.label for entry in plan.entries}
        if retry_failed:
            self._forget_failed()
        self._read()

    @property
    def stored(self) -> int:
        """Runs that were there when it was opened, of those that are wanted now."""
        return self._stored

    def _forget_failed(self) -> None:
        failures = self.store.read("failures")
        if failures.empty:
            return
        gone = set(failures["key"]) & self.tallies.keys()
        self.store.rewrite(lambda _, rows: rows[~rows["key"].isin(gone)])

    def _read(self) -> None:
        known = self.tallies
        rows = {name: of_points(self.store, name, known) for name in (*STATE, "data")}
        fill(known, rows)
        for key, cut, rule, steady in columns(rows["cuts"], "point cut rule steady"):
            known[key].cut = Cut(requests=cut, rule=rule, steady=bool(steady))
        self._read_kept()
        self._stored = sum(len(tally.done) + len(tally.runs) for tally in known.values())

    def _read_kept(self) -> None:
        """Take up the runs that wait for the cut of their point; a damaged one is run again."""
        for name, content in self.store.kept().items():
            key, _, rest = name.partition("-")
            tally = self.tallies.get(key)
            which = None if tally is None else _which(rest, tally)
            if tally is None or which is None or which in tally.done:
                continue
            try:
                tally.runs[which] = keeping.from_bytes(name, content)
            except DamageError:
                self.store.drop([name])

    def note(self, point: Point, task: Task, done: Done) -> bool:
        """Take what came of a task; return whether its point has new values."""
        tally = self.tallies[task.key]
        for lost in done.lost:
            self._add_lost(task, lost)
        for which in task.which:
            self.seconds[task.key, which] = done.seconds / len(task.which)
        if done.reduced is not None:
            self._add(tally, done.reduced)
            return True
        for which, run in done.runs.items():
            tally.runs[which] = run
            self._keep(tally, which, run)
        return self._reduce(point, task, tally) if tally.piloted else False

    def _reduce(self, point: Point, task: Task, tally: Tally) -> bool:
        """Reduce the runs that waited, now that the cut can be found."""
        runs, tally.runs = tally.runs, {}
        self.spent += [_name(tally, which) for which in runs]
        found, lost = reduce_all(point, runs, tally.cut)
        for one in lost:
            self._add_lost(task, one)
        if found is None:
            return False
        self._add(tally, found)
        return True

    def _add(self, tally: Tally, found: Reduced) -> None:
        first = tally.cut is None
        tally.take(found)
        if found.overload:
            self.raw.add_nothing(tally.key, "saturated", found.overload)
            return
        if first:
            self.raw.add_cut(tally.key, found.cut)
        self.raw.add(tally.key, found.seen)

    def _add_lost(self, task: Task, lost: Lost) -> None:
        tally = self.tallies[task.key]
        tally.lost.add((lost.replication, lost.corner))
        folder, corner = self.store.folder, f" --corner '{lost.corner}'" if lost.corner else ""
        says = f"virtperf replay {folder} --point '{task.point.label}' "
        says += f"--replication {lost.replication}{corner}"
        row = (task.key, lost.replication, lost.corner, lost.error, says, lost.trace)
        self.raw.tables["failures"].append(row)
        if len(tally.lost) >= tally.pilot and not tally.done and not tally.runs:
            tally.over = lost.error

    def _keep(self, tally: Tally, which: Which, run: Run) -> None:
        self.store.keep(_name(tally, which), keeping.to_bytes(run))

    def flush(self) -> None:
        """Store what came since the last time."""
        tables = {name: self._labelled(table) for name, table in self.raw.columns().items()}
        if "runs" in tables:
            tables["runs"] |= self._made(tables["runs"])
        if tables:
            self.store.add(tables)
        self.store.drop(self.spent)
        self.raw, self.spent, self.seconds = Raw(), [], {}

    def _labelled(self, table: Columns) -> Columns:
        """Return the columns of a table of `Raw`, whose points are keys, as they are stored."""
        keys = table["point"]
        return {"key": keys, **table, "point": [self.labels[key] for key in keys]}

    def _made(self, runs: Columns) -> Columns:
        """Return the own key of each run, how it was made, and how long that took."""
        experiment = self.plan.experiment
        which = list(zip(runs["key"], runs["replication"], runs["corner"], strict=True))
        same = {
            "seed": experiment.seed,
            "requests": experiment.requests,
            "engine": self.plan.engine,
            "model": model_version(self.plan.engine),
        }
        return {
            "run": [run_key(*one) for one in which],
            **{name: [value] * len(which) for name, value in same.items()},
            "seconds": [self.seconds.get((key, (r, c)), 0.0) for key, r, c in which],
        }

    def finish(self) -> None:
        """Store the rest, and make one part of many."""
        self.flush()
        if len(self.store.parts()) >= MANY_PARTS:
            self.store.rewrite(self._in_order)

    def _in_order(self, _: str, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows as they are read most quickly: by point, as planned, and by replication."""
        import numpy as np

        rank = {key: place for place, key in enumerate(self.labels)}
        place = rows["key"].map(rank).astype("float64")
        by = [rows["replication"], place] if "replication" in rows else [place]
        return rows.iloc[np.lexsort(by)]

    def result(self, *, healed: Iterable[str], interrupted: bool, stopped: bool) -> Result:
        """Return what is stored as a result."""
        notes = [f"set aside, and run again: {problem}" for problem in healed]
        return gather(self.plan, self.store, notes=notes, interrupted=interrupted, stopped=stopped)


def _name(tally: Tally, which: Which) -> str:
    replication, corner = which
    place = tally.corners.index(corner) + 1 if corner else 0
    return f"{tally.key}-{replication}-{place}.json.z"


def _which(rest: str, tally: Tally) -> Which | None:
    """Return the run that the end of a name means; None if it means none."""
    parts = rest.removesuffix(".json.z").split("-")
    corners: Mapping[int, str] = dict(enumerate(("", *tally.corners)))
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        return None
    corner = corners.get(int(parts[1]))
    return None if corner is None else (int(parts[0]), corner)
