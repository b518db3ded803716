"""From a store to a result: the rows of the points that a plan asks for, and of no others."""

from __future__ import annotations

import math
import platform as machine
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from virtperf.experiment.outline import Outline
from virtperf.experiment.prepare import Plan
from virtperf.experiment.question import Question, asked
from virtperf.experiment.raw import COLUMNS, empty
from virtperf.experiment.tabulate import tabulate
from virtperf.experiment.tally import PRECISE, Tally
from virtperf.result import TOO_FEW_SAMPLES, TOO_FEW_TAILS
from virtperf.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from virtperf.result import Result

STATE = ("runs", "failures", "nothing", "cuts")  # tables that tell how far a point is


def gather(
    plan: Plan,
    store: Store,
    *,
    notes: Iterable[str] = (),
    interrupted: bool = False,
    stopped: bool = False,
) -> Result:
    """Return the result of a plan, as far as its store has it.

    Parameters
    ----------
    notes : iterable of str
        What happened on the way.
    interrupted, stopped : bool
        Whether somebody, or the clock, ended the sweep.
    """
    return answer(asked(plan), store, notes=notes, interrupted=interrupted, stopped=stopped)


def answer(
    question: Question,
    store: Store,
    *,
    notes: Iterable[str] = (),
    interrupted: bool = False,
    stopped: bool = False,
) -> Result:
    """Return what a store says to a question; parameters as in `gather`."""
    import pandas as pd

    from virtperf.result import MEMORY, Result

    tallies = question.tallies()
    raw = {name: of_points(store, name, tallies) for name in COLUMNS}
    fill(tallies, raw)
    targets = {key: tally.target for key, tally in tallies.items()}
    rank = {entry.key: place for place, entry in enumerate(question.entries)}
    raw = {name: _labelled(_within(rows, targets, rank), question) for name, rows in raw.items()}
    failures = raw.pop("failures")
    raw["nothing"] = pd.concat([raw["nothing"], _no_number(question, raw, failures)])
    outlines = _unique([entry.outline for entry in question.entries])
    tables = tabulate(question.name, outlines, raw.copy())
    tables["points"] = _with_verdicts(tables["points"], question, tallies, tables["flags"])
    flags = pd.DataFrame(
        _flags(question, tallies, failures, stopped), columns=["point", "flag", "says"]
    )
    tables["flags"] = pd.concat([tables["flags"], flags], ignore_index=True)
    said = [*notes, *(note for outline in outlines for note in outline.notes), question.note]
    return Result(
        **tables,
        memory=pd.DataFrame(question.memory, columns=list(MEMORY)),
        sources=pd.DataFrame(question.sources),
        notes=tuple(dict.fromkeys(note for note in said if note)),
        provenance=_provenance(question, interrupted),
    )


def _no_number(
    question: Question, raw: Mapping[str, pd.DataFrame], failures: pd.DataFrame
) -> pd.DataFrame:
    """Return a row of ``nothing`` for each point that theory refused, or that always failed."""
    import pandas as pd

    ran = set(raw["runs"]["point"]) | set(raw["nothing"]["point"])
    full = [entry.outline for entry in question.entries if entry.outline.saturated]
    rows = [(outline.label, "saturated", outline.saturated) for outline in full]
    lost = failures[~failures["point"].isin(ran)].drop_duplicates("point")
    rows += [(point, "failed", says) for point, says in columns(lost, "point error")]
    return pd.DataFrame(rows, columns=["point", "flag", "says"])


def of_points(store: Store, table: str, keys: Container[str]) -> pd.DataFrame:
    """Return the rows of these points, the points by their keys again.

    Rows of other keys are of another question, or of another version of the model.
    """
    rows = store.read(table, plain=False)
    if not len(rows.columns):
        return empty(table)
    rows = rows.drop(columns="point").rename(columns={"key": "point"})
    wanted = [key for key in rows["point"].unique() if key in keys]
    own = rows["point"].isin(wanted)
    return rows if own.all() else rows[own]


def columns(rows: pd.DataFrame, names: str) -> Iterator[tuple[Any, ...]]:
    """Yield the values of some columns, row by row."""
    return zip(*(rows[name] for name in names.split()), strict=True)


def fill(tallies: Mapping[str, Tally], rows: Mapping[str, pd.DataFrame]) -> None:
    """Note in the tallies what the rows of their points say."""
    for key, r, corner in columns(rows["runs"], "point replication corner"):
        tallies[key].done.add((r, corner))
    for key, r, corner in columns(rows["failures"], "point replication corner"):
        tallies[key].lost.add((r, corner))
    for key, says in columns(rows["nothing"], "point says"):
        tallies[key].over = says
    outputs = {output for tally in tallies.values() for output in tally.effort.outputs}
    data = rows["data"][rows["data"]["metric"].isin(outputs)]
    for key, metric, r, value in columns(data, "point metric replication value"):
        values = tallies[key].values.setdefault(metric, {})
        values[r] = None if math.isnan(value) else value


def _within(
    rows: pd.DataFrame, targets: Mapping[str, int], rank: Mapping[str, int]
) -> pd.DataFrame:
    """Return the rows of the replications that the plan asks for, by point and replication."""
    import numpy as np

    if "replication" not in rows or rows.empty:
        return rows
    replication = rows["replication"].to_numpy(dtype=np.int64)
    kept = replication < rows["point"].map(targets).to_numpy(dtype=np.int64)
    order = (rows["point"].map(rank).to_numpy(dtype=np.int64) << 32) + replication
    if not kept.all():
        rows, order = rows[kept], order[kept]
    if (order[1:] < order[:-1]).any():
        rows = rows.iloc[order.argsort(kind="stable")]
    return rows


def _labelled(rows: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return rows with labels in place of keys; points of one key have the same rows."""
    import pandas as pd

    labels = {entry.key: entry.outline.label for entry in question.entries}
    if len(labels) < len(question.entries):
        pairs = [(entry.key, entry.outline.label) for entry in question.entries]
        table = pd.DataFrame(pairs, columns=["point", "label"])
        merged = rows.merge(table, on="point", how="left").drop(columns="point")
        return merged.rename(columns={"label": "point"})[list(rows.columns)]
    if str(rows["point"].dtype) == "category":
        point = rows["point"].cat.remove_unused_categories()
        return rows.assign(point=point.cat.rename_categories(labels))
    return rows.assign(point=rows["point"].map(labels).astype("str"))


def _unique(outlines: Sequence[Outline]) -> list[Outline]:
    return list({outline.label: outline for outline in outlines}.values())


def _with_verdicts(
    points: pd.DataFrame, question: Question, tallies: Mapping[str, Tally], flags: pd.DataFrame
) -> pd.DataFrame:
    """Add to each point whether its outputs are precise enough, and why it got no more runs.

    Runs that are too short for an interval are not precise, however alike they are.
    """
    because = {entry.outline.label: _because(tallies[entry.key]) for entry in question.entries}
    says = points["point"].map(because)
    short = points["point"].isin(flags.loc[_no_interval(flags, question.effort.outputs), "point"])
    return points.assign(met=(says == PRECISE) & ~short, stopped=says)


def _no_interval(flags: pd.DataFrame, outputs: Container[str]) -> pd.Series[bool]:
    """Return which flags take the interval of an output."""
    tail = flags["says"].map(lambda says: str(says).partition(": ")[0] in outputs).astype(bool)
    return flags["flag"].eq(TOO_FEW_SAMPLES) | (flags["flag"].eq(TOO_FEW_TAILS) & tail)


def _because(tally: Tally) -> str:
    if not tally.done:
        return "not run"
    if tally.missing():
        return "incomplete"
    return tally.because()


def _flags(
    question: Question, tallies: Mapping[str, Tally], failures: pd.DataFrame, stopped: bool
) -> list[tuple[str, str, str]]:
    flags = []
    for entry in question.entries:
        label, tally = entry.outline.label, tallies[entry.key]
        missing = [] if entry.outline.saturated else tally.missing()
        if missing and stopped:
            says = f"{len(missing)} runs missing when the time was up: not reproducible"
            flags.append((label, "stopped_by_clock", says))
        if missing:
            flags.append((label, "partial", f"{len(missing)} runs missing"))
    alike = failures.groupby(["point", "error"], sort=False, observed=True)
    for (at_point, error), rows in alike:
        at, again = rows["replication"].iloc[0], rows["says"].iloc[0]
        says, more = f"{error} (replication {at}; again: {again})", len(rows) - 1
        flags.append((str(at_point), "failed", f"{says}; so do {more} more runs" if more else says))
        flags.append((str(label), "partial", f"{len(rows)} runs failed"))
    return flags


def _provenance(question: Question, interrupted: bool) -> dict[str, Any]:
    return {
        "python": machine.python_version(),
        "experiment": question.name,
        "interrupted": interrupted,
        "requests": dict.fromkeys(
            (entry.outline.label for entry in question.entries), question.requests
        ),
        **question.about,
    }
