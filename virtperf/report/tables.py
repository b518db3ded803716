"""The tables of a report as rows of text, ready for the template."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from virtperf.plot import short
from virtperf.result.words import digits, plus_minus, quantity, span
from virtperf.technique import matrix

if TYPE_CHECKING:
    from virtperf.report.study import Study
    from virtperf.result import Result

COLUMNS = {
    "latency.p50": "median",
    "latency.p95": "p95",
    "latency.p99": "p99",
    "latency.mean": "mean",
    "throughput": "requests",
    "cpu_per_request.total": "CPU per request",
    "kicks_per_request": "kicks",
    "interrupts_per_request": "interrupts",
}
BANDED = ("latency.p50", "latency.mean", "throughput", "cpu_per_request.total")


class Table(NamedTuple):
    """A caption, a header, rows of text, and how many columns at the left are words."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1


def values(result: Result, caption: str) -> Table:
    """Return the main metrics of each point with simulation noise, and theory's bound."""
    cells = _cells(result)
    metrics = [m for m in COLUMNS if any((p, m) in cells for p in result.labels)]
    exits = _exits(result)
    bounds = result.bounds.set_index("point")["throughput_bound"]
    rows = [
        [
            short(point),
            *(_value(cells.get((point, metric))) for metric in metrics),
            digits(exits[point]),
            quantity(float(bounds[point]), "1/s"),
        ]
        for point in result.labels
    ]
    header = ["", *(COLUMNS[m] for m in metrics), "exits", "bound (theory)"]
    return Table(caption, header, rows)


def bands(result: Result, caption: str) -> Table:
    """Return the parameter band of each point."""
    cells = _cells(result)
    rows = [
        [short(point), *(_band(cells.get((point, metric))) for metric in BANDED)]
        for point in result.labels
    ]
    return Table(caption, ["", *(COLUMNS[m] for m in BANDED)], rows)


def accounts(zero: Mapping[str, Mapping[str, float]], caption: str) -> Table:
    """Return the zero-load latency by account, one column per technique."""
    names = list(dict.fromkeys(account for spent in zero.values() for account in spent))
    rows = [[name, *(_us(spent.get(name, 0.0)) for spent in zero.values())] for name in names]
    rows.append(["total", *(_us(sum(spent.values())) for spent in zero.values())])
    return Table(caption, ["us per request", *zero], rows)


def corners(study: Study, caption: str) -> Table:
    """Return how the mean moves over each range, technique by technique."""
    table = study.alone.band[study.alone.band["metric"] == "latency.mean"]
    names = list(table["corner"].unique())
    rows = []
    for point in study.alone.labels:
        here = table[table["point"] == point].set_index("corner")["shift"]
        moved = (plus_minus(float(here.get(n, math.nan)), 0.0, "ns", sign=True) for n in names)
        rows.append([short(point), *moved])
    return Table(caption, ["mean latency moves by", *names], rows)


def flags(results: Iterable[Result]) -> list[str]:
    """Return every flag once, with the points it holds for."""
    said: dict[str, list[str]] = {}
    for result in results:
        for row in result.flags.to_dict("records"):
            says = str(row["says"]).partition(": its half-width")[0]
            said.setdefault(says, []).append(short(str(row["point"])))
    return [f"{says}: {'; '.join(points)}" for says, points in said.items()]


def nulls(results: Iterable[Result]) -> list[str]:
    """Return why a number is not given, once per metric."""
    said: dict[str, str] = {}
    for result in results:
        for row in result.nulls.to_dict("records"):
            said.setdefault(str(row["metric"]), f"{row['metric']}: {row['reason']}")
    return list(said.values())


def combinations() -> Table:
    """Return which techniques go together, with the reason where they do not."""
    rows = [[str(row[key]) for key in row] for row in matrix.table()]
    return Table("Which techniques go together", ["CPU", "disk", "guest", "", "reason"], rows, 5)


def protection() -> Table:
    """Return who can reach what by DMA, path by path."""
    from virtperf.technique.io.protection import table as reached

    rows = [
        [
            one.technique,
            one.guest,
            one.iommu,
            one.own,
            one.others,
            one.host,
            "until a flush" if one.stale else "-",
            one.by,
        ]
        for one in reached()
    ]
    header = ["path", "guest", "IOMMU", "its own", "other guests", "host", "stale", "refused by"]
    return Table("Who can reach what through a device", header, rows, len(header))


def features() -> Table:
    """Return what each path allows and forbids, with the reason."""
    from virtperf.technique.io.features import FEATURES, feature, guards

    rows = []
    for technique in matrix.disk_techniques():
        found = [feature(technique, name) for name in FEATURES]
        rows.append([technique, *(f"{one.can}: {one.why}" for one in found), guards(technique)])
    header = ["path", *FEATURES.values(), "who guards memory"]
    return Table("What each path allows and forbids", header, rows, len(header))


def sources(results: Iterable[Result]) -> Table:
    """Return every number used, with its range and source."""
    seen: dict[str, list[str]] = {}
    for result in results:
        for row in result.sources.to_dict("records"):
            cells = number(str(row["name"]), row)
            seen.setdefault(" ".join(cells[:2]), cells)
    return numbers("Every number used", sorted(seen.values()))


def numbers(title: str, rows: list[list[str]]) -> Table:
    """Return a table of numbers and their sources; its rows are made by `number`."""
    header = ["number", "value", "range", "evidence, checked", "source"]
    return Table(title, header, rows, words=5)


def number(name: str, row: Mapping[Any, Any]) -> list[str]:
    """Return what a report says of one number: value, range, how it is known, source."""
    ends = [row["value"] if _missing(row[end]) else row[end] for end in ("low", "high")]
    known = "-" if ends[0] == ends[1] else f"{ends[0]:g} to {ends[1]:g}"
    value = f"{row['value']:g} {row['unit']}".removesuffix(" 1")
    return [name, value, known, f"{row['evidence']}, {row['checked']}", str(row["source"])]


def validation() -> tuple[Table, list[str]]:
    """Return how far published cases were met, and what the missed ones say is missing."""
    from virtperf.validation import table

    records = table().to_dict("records")
    rows = [
        [
            str(row["says"]),
            digits(row["published"], 4),
            plus_minus(row["predicted"], row["noise"] or 0.0, "1"),
            str(row["unit"]),
            f"{row['error']:+.0%}",
            str(row["verdict"]),
            f"{row['kind']}; {row['how']}, {row['confidence']}",
            str(row["source"]),
        ]
        for row in records
    ]
    header = ["claim", "published", "model", "unit", "error", "", "how known", "source"]
    missed = [f"{row['says']}: {row['lacks']}" for row in records if row["lacks"]]
    return Table("How far published cases are met", header, rows, len(header)), missed


def _cells(result: Result) -> dict[tuple[str, str], dict[str, Any]]:
    rows = result.summary().to_dict("records")
    return {(row["point"], row["metric"]): row for row in rows}  # type: ignore[misc]


def _exits(result: Result) -> dict[str, float]:
    rows = result.data[result.data["metric"].str.startswith("exits_per_request.")]
    means = rows.groupby(["point", "metric"])["value"].mean().groupby("point").sum()
    return {point: float(means.get(point, 0.0)) for point in result.labels}


def _value(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    if math.isnan(row["mean"]):
        return "too few samples"
    half = row["ci_high"] - row["mean"]
    return plus_minus(row["mean"], 0.0 if math.isnan(half) else half, row["unit"])


def _band(row: dict[str, Any] | None) -> str:
    return "-" if row is None else span(row["band_low"], row["band_high"], row["unit"]) or "-"


def _us(ns: float) -> str:
    return f"{ns / 1e3:,.2f}" if ns else "-"


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
