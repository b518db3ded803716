"""From the rows of all runs to the tables of a Result; whole columns at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from virtperf.experiment.outline import Outline
from virtperf.experiment.samples import QUANTILES
from virtperf.result import TOO_FEW_SAMPLES, TOO_FEW_TAILS
from virtperf.result.summary import without_interval
from virtperf.stats.run_length import limit
from virtperf.store.columns import named
from virtperf.tables.histogram import middle
from virtperf.units import TICKS_PER_NS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Frames = dict[str, pd.DataFrame]

RESOLVED = 0.02  # a mean counts as resolved when its half-width is at most this share of it
_MAIN = {f"latency.{name}": "ns" for name in ("mean", *QUANTILES)}
_MAIN |= {"throughput": "1/s", "cpu_per_request.total": "ns"}
_FLAGS = ["point", "flag", "says"]
_ROUGH = "runs meet too few of the longest for an interval; make them longer"
_TOO_SHORT = "runs are short beside the memory of the system: no interval; make them longer"


def tabulate(experiment: str, outlines: Sequence[Outline], raw: Frames) -> Frames:
    """Return the tables of a Result that come from its runs; names are plain but in long tables.

    Parameters
    ----------
    experiment : str
        Its name.
    outlines : sequence of Outline
        The points, in the order of the design.
    raw : dict of str to DataFrame
        See `virtperf.experiment.raw.COLUMNS`; rows of a point are in the order of replications.
    """
    import numpy as np
    import pandas as pd

    raw = {name: _in_order(table, outlines) for name, table in raw.items()}
    nothing = raw["nothing"]
    raw = {name: _without(table, nothing["point"]) for name, table in raw.items()}
    data, runs = _without_silent_roles(raw["data"]), raw["runs"]
    runs = runs[runs["corner"] == ""]
    null = [
        (point, 0, metric, math.nan, unit)
        for point in nothing["point"]
        for metric, unit in _MAIN.items()
    ]
    if null:
        data = _in_order(pd.concat([data, pd.DataFrame(null, columns=data.columns)]), outlines)
    same = pd.Categorical.from_codes(np.zeros(len(data), np.int8), pd.Index([experiment]))
    data.insert(0, "experiment", pd.Series(same, index=data.index))
    tables = {
        "data": data.reset_index(drop=True),
        "points": _points(outlines, runs, raw["cuts"]),
        "requests": _requests(raw["requests"], runs),
        "cpu": _cpu(raw["cpu"], runs),
        "cdf": _cdf(raw["latencies"]),
        "band": _band(raw["corners"], data),
        "bounds": _bounds(outlines, data, runs),
        "flags": _flags(outlines, nothing, raw["cuts"], data, runs),
        "nulls": _nulls(raw["nulls"], nothing),
    }
    return {name: named(table) for name, table in tables.items()}


def _in_order(table: pd.DataFrame, outlines: Sequence[Outline]) -> pd.DataFrame:
    """Sort the rows by point, in the order of the design; within a point they stay as they are."""
    rank = {outline.label: index for index, outline in enumerate(outlines)}
    order = table["point"].map(rank).to_numpy()
    if len(table) < 2 or bool((order[1:] >= order[:-1]).all()):
        return table
    return table.iloc[order.argsort(kind="stable")]


def _without(table: pd.DataFrame, points: Iterable[str]) -> pd.DataFrame:
    return table[~table["point"].isin(set(points))]


def _without_silent_roles(data: pd.DataFrame) -> pd.DataFrame:
    """Leave out the CPU metrics that are 0 everywhere: accounts of waiting, not of work."""
    names = {name for name in data["metric"].unique() if name.startswith("cpu_per_request.")}
    cpu = data[data["metric"].isin(names)]
    if cpu.empty:
        return data
    total = cpu.groupby(["point", "metric"], sort=False, observed=True)["value"].transform("sum")
    silent: pd.DataFrame = cpu[total.to_numpy() == 0]
    return data.drop(silent.index)


def _points(outlines: Sequence[Outline], runs: pd.DataFrame, cuts: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    count = _counts(runs).to_dict()
    finished = runs.drop_duplicates("point").set_index("point")["finished"].to_dict()
    cut = {row.point: row for row in cuts.itertuples()}
    rows: list[dict[str, Any]] = []
    for outline in outlines:
        at = outline.label
        row = {"point": at, **outline.levels}
        row |= {"replications": count.get(at, 0), "requests": finished.get(at, 0)}
        if at in cut and at in count:
            row |= {"warmup_cut": cut[at].cut, "warmup_rule": cut[at].rule}
            row["events_per_request"] = round(outline.events, 2)
        rows.append(row)
    return pd.DataFrame(rows)


def _requests(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return mean and half-width over replications; an account that is absent took 0."""
    keys, replications = ["point", "group", "account"], _counts(runs)
    grouped = table.groupby(keys, sort=False, observed=True)["ns"]
    found = grouped.agg(["sum", "count"]).reset_index()
    n = _looked_up(found["point"], replications).to_numpy()
    mean = found["sum"].to_numpy(dtype=float) / n
    strays = table["ns"] - grouped.transform("sum") / _looked_up(table["point"], replications)
    squares = (strays**2).groupby([table[key] for key in keys], sort=False, observed=True).sum()
    squares = squares.to_numpy(dtype=float) + (n - found["count"].to_numpy()) * mean**2
    return found[keys].assign(ns=mean, half_width=_half_widths(squares, n))


def _counts(runs: pd.DataFrame) -> pd.Series[int]:
    """Return how many runs each point has, of those that have any."""
    counts = runs["point"].value_counts()
    return counts[counts > 0]


def _looked_up(points: pd.Series[Any], values: pd.Series[Any]) -> pd.Series[float]:
    """Return the value of each row's point, as a number also where there is no row."""
    return points.map(values).astype(float)


def _cpu(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the time of all pCPUs by account: per request, and as a share of all time."""
    keys = ["point", "account"]
    found = table.groupby(keys, sort=False, observed=True)["ticks"].sum().reset_index()
    finished = runs.groupby("point", observed=True)["completed"].sum()
    everything = found.groupby("point", observed=True)["ticks"].transform("sum")
    completed = _looked_up(found["point"], finished)
    found["ns"] = found["ticks"] / completed / TICKS_PER_NS
    found["share"] = found["ticks"] / everything
    return found[completed.to_numpy() > 0][[*keys, "ns", "share"]].reset_index(drop=True)


def _cdf(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share at or below each latency, all replications together."""
    import numpy as np
    import pandas as pd

    keys = ["point", "group"]
    if table.empty:
        return pd.DataFrame(columns=[*keys, "latency_ns", "share"])
    grouped = table.groupby(keys, sort=False, observed=True)
    lengths = table["buckets"].map(len).to_numpy()
    found = pd.DataFrame(
        {
            "row": np.repeat(grouped.ngroup().to_numpy(), lengths),
            "bucket": np.concatenate(table["buckets"].to_list()).astype(np.int64),
            "count": np.concatenate(table["counts"].to_list()).astype(np.int64),
        }
    )
    found = found.groupby(["row", "bucket"])["count"].sum().reset_index()
    counts = found.groupby("row")["count"]
    names = table.drop_duplicates(keys)[keys].reset_index(drop=True)
    middles = {bucket: middle(bucket) / TICKS_PER_NS for bucket in found["bucket"].unique()}
    cdf = names.iloc[found["row"]].reset_index(drop=True)
    cdf["latency_ns"] = found["bucket"].map(middles).astype(float)
    cdf["share"] = counts.cumsum() / counts.transform("sum")
    return cdf


def _band(corners: pd.DataFrame, data: pd.DataFrame) -> pd.DataFrame:
    """Compare each corner with the central numbers: replication 0, the same cut, the same draws."""
    central = data[data["replication"] == 0][["point", "metric", "value"]]
    both = corners.merge(central, on=["point", "metric"], suffixes=("", "_central"))
    both["shift"] = both["value"] - both["value_central"]
    return both.dropna(subset="shift")[["point", "corner", "metric", "shift"]].reset_index(
        drop=True
    )


def _bounds(outlines: Sequence[Outline], data: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rates = data[data["metric"] == "throughput"].groupby("point", observed=True)["value"].mean()
    little = (runs["in_system"] / runs["residence"].where(runs["residence"] > 0)).fillna(1.0)
    littles = little.groupby(runs["point"], observed=True).mean()
    rows = []
    for outline in outlines:
        row = dict(outline.bounds)
        if outline.label in littles.index:
            row |= {"throughput": rates[outline.label], "little": littles[outline.label]}
        rows.append(row)
    return pd.DataFrame(rows)


def _flags(
    outlines: Sequence[Outline],
    nothing: pd.DataFrame,
    cuts: pd.DataFrame,
    data: pd.DataFrame,
    runs: pd.DataFrame,
) -> pd.DataFrame:
    import pandas as pd

    rows = list(nothing[_FLAGS].itertuples(index=False, name=None))
    unsteady = cuts[~cuts["steady"].astype(bool)].drop_duplicates("point")
    rows += [(cut.point, "no_steady_state", cut.rule) for cut in unsteady.itertuples()]
    counts = _counts(runs)
    single = "one replication shows no spread: there are no intervals"
    rows += [(point, "single_replication", single) for point in counts.index[counts == 1]]
    means = data[data["metric"] == "latency.mean"].groupby("point", observed=True)["value"]
    stats = means.agg(["mean", "var", "count"])
    wide = _half_widths(stats["var"] * (stats["count"] - 1), stats["count"]) / stats["mean"]
    for point, share in wide[wide > RESOLVED].items():
        says = f"mean not resolved to {RESOLVED:.0%}: its half-width is {share:.1%} of it"
        rows.append((point, "mean_unresolved", says))
    rows += [(point, TOO_FEW_SAMPLES, _TOO_SHORT) for point in _too_short(runs)]
    rows += [
        (point, TOO_FEW_TAILS, f"{metric}: {_ROUGH}") for point, metric in without_interval(data)
    ]
    ran = set(counts.index)
    for outline in (outline for outline in outlines if outline.label in ran):
        for corner, resource in outline.full_corners.items():
            says = f"{corner} saturates {resource}: the band leaves this end out"
            rows.append((outline.label, "saturated_corner", says))
    return _in_order(pd.DataFrame(rows, columns=_FLAGS), outlines).reset_index(drop=True)


def _too_short(runs: pd.DataFrame) -> Iterator[str]:
    """Yield the points whose runs are too short for an interval."""
    memories = runs.groupby("point", sort=False, observed=True)["memory"].agg(["mean", "count"])
    limits = {count: limit(count) for count in memories["count"].unique() if count}
    short = memories["mean"] > memories["count"].map(limits).astype(float)
    yield from map(str, memories.index[short])


def _nulls(table: pd.DataFrame, nothing: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    columns = ["point", "metric", "reason"]
    rows = [(row.point, metric, row.says) for row in nothing.itertuples() for metric in _MAIN]
    found = table.drop_duplicates(["point", "metric"])[columns]
    return (
        pd.concat([pd.DataFrame(rows, columns=columns), found], ignore_index=True)
        if rows
        else (found.reset_index(drop=True))
    )


def _half_widths(squares: Any, n: Any) -> NDArray[np.float64]:
    """Return Student-t half-widths (95 %) from sums of squared strays of n values each."""
    import numpy as np
    from scipy.special import stdtrit

    squares, n = np.asarray(squares, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 1, stdtrit(n - 1, 0.975) * np.sqrt(squares / (n - 1) / n), np.nan)
