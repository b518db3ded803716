"""Results as plain text: the answer first, then values, band, and what to know before use."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from virtperf.report.answer import answer
from virtperf.result import NOISE, SUMMARY
from virtperf.result.exits import exits
from virtperf.result.payers import PAYERS, payers
from virtperf.result.words import amount, plus_minus, quantity, span

if TYPE_CHECKING:
    from virtperf.result import Result

_NOISE = f"{NOISE.format(0.95)}; quantiles are within 0.8% (histogram)"
HEADLINES = {
    "latency.p50": "p50",
    "latency.p95": "p95",
    "latency.p99": "p99",
    "latency.mean": "mean",
    "throughput": "throughput",
    "utilization.host": "host busy",
    "cpu_per_request.total": "CPU/request",
    "kicks_per_request": "kicks",
    "interrupts_per_request": "interrupts",
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return aligned columns; all but the first are flush right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def show(result: Result) -> str:
    """Return a whole result as text."""
    blocks = ["\n".join(answer(result))]
    blocks += [_by_metric(result)] if len(result.labels) == 1 else _by_point(result)
    blocks += [
        _payers(result),
        _exits(result),
        _memory(result),
        _theory(result),
        _list("Null because", _nulls(result)),
    ]
    blocks += [_list("Note", list(result.flags["point"] + ": " + result.flags["says"]))]
    blocks += [_list("How", result.notes)]
    return "\n\n".join(block for block in blocks if block)


def csv(result: Result) -> str:
    """Return the summary as ``point,metric,unit,mean,ci_low,ci_high,n``; null is empty."""
    return result.summary()[list(SUMMARY)].to_csv(index=False).rstrip("\n")


def _cells(result: Result) -> dict[tuple[str, str], dict[str, Any]]:
    rows = result.summary().to_dict("records")
    return {(row["point"], row["metric"]): row for row in rows}  # type: ignore[misc]


def cell(row: dict[str, Any] | None) -> str:
    """Return mean and half-width of a row of a summary."""
    if row is None:
        return "-"
    if math.isnan(row["mean"]):
        return "null"
    half = row["ci_high"] - row["mean"]
    return plus_minus(row["mean"], 0.0 if math.isnan(half) else half, row["unit"])


def _band(row: dict[str, Any] | None) -> str:
    return "-" if row is None else span(row["band_low"], row["band_high"], row["unit"]) or "-"


def _by_metric(result: Result) -> str:
    cells = _cells(result).values()
    rows = [(row["metric"], cell(row), _band(row)) for row in cells]
    return f"± is {_NOISE}\n" + table(("metric", "value", "parameter band"), rows)


def _by_point(result: Result) -> list[str]:
    cells = _cells(result)
    metrics = [m for m in HEADLINES if any((p, m) in cells for p in result.labels)]
    header = ["point", *(HEADLINES[m] for m in metrics)]
    values = [[p, *(cell(cells.get((p, m))) for m in metrics)] for p in result.labels]
    bands = [[p, *(_band(cells.get((p, m))) for m in metrics)] for p in result.labels]
    blocks = [f"± is {_NOISE}\n{table(header, values)}"]
    if not result.band.empty:
        kept = [i for i, _ in enumerate(header) if any(row[i] != "-" for row in bands)]
        narrow = [[row[i] for i in kept] for row in bands]
        blocks.append("parameter band\n" + table([header[i] for i in kept], narrow))
    return blocks


def _payers(result: Result) -> str:
    """Return who pays for a request, where host threads do."""
    found = payers(result)
    if not found["host threads"].any():
        return ""
    shown = [who for who in PAYERS if found[who].any()]
    rows = [
        [str(row["point"]), *(quantity(row[who], "ns") for who in (*shown, "total"))]
        for row in found.to_dict("records")
    ]
    return f"CPU per request by who pays\n{table(['point', *shown, 'total'], rows)}"


def _exits(result: Result) -> str:
    """Return exits by reason, as ``perf kvm stat`` lists them."""
    found = exits(result)
    if found.empty:
        return ""
    rows = [
        (
            row["point"],
            row["VM-EXIT"],
            plus_minus(row["exits/s"], 0.0, "1/s"),
            f"{row['Samples%']:.2f}%",
            f"{row['Time%']:.2f}%",
            plus_minus(row["Avg time [ns]"], 0.0, "ns"),
        )
        for row in found.to_dict("records")
    ]
    return "exits\n" + table(("point", "VM-EXIT", "exits/s", "Samples%", "Time%", "Avg time"), rows)


def _memory(result: Result) -> str:
    """Return what memory does: a line per quantity, a column per point."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in result.memory.to_dict("records"):
        cells = rows.setdefault((row["vm"], row["quantity"]), {})
        cells[row["point"]] = amount(row["value"], row["unit"])
    if not rows:
        return ""
    several = len({vm for vm, _ in rows}) > 1
    lines = [
        (f"{vm}: {name}" if several else name, *(cells.get(p, "-") for p in result.labels))
        for (vm, name), cells in rows.items()
    ]
    return "memory, faults and pages per request\n" + table(("", *result.labels), lines)


def _theory(result: Result) -> str:
    """Return the simulation beside what theory allows, and what mean value analysis expects."""
    header = ("point", "simulated", "at most", "limited by", "MVA", "zero load", "MVA latency")
    rows = []
    for row in result.bounds.to_dict("records"):
        rates = (row.get("throughput"), row["throughput_bound"], row["mva_throughput"])
        simulated, most, mva = (_plain(rate, "1/s") for rate in rates)
        mark = "" if row["mva_exact"] else "~"
        rows.append(
            (
                str(row["point"]),
                simulated,
                most,
                str(row["bottleneck"]),
                mark + mva,
                _plain(row["zero_load_ns"], "ns"),
                mark + _plain(row["mva_latency_ns"], "ns"),
            )
        )
    reasons: dict[str, str] = {}
    for says in (says for row in result.bounds["mva_because"] for says in str(row).split("; ")):
        alike = re.sub(r" and \d+ more$", "", says)  # points differ in how many copies there are
        reasons[alike] = max(reasons.get(alike, ""), says, key=len)
    listed = "; ".join(sorted(filter(None, reasons.values())))
    why = f"\n~ approximate: {listed}" if listed else ""
    return f"theory\n{table(header, rows)}{why}" if rows else ""


def _plain(value: float | None, unit: str) -> str:
    return "-" if value is None or math.isnan(value) else plus_minus(value, 0.0, unit)


def _nulls(result: Result) -> list[str]:
    """Return one line per metric; the first point's reason stands for all."""
    first = result.nulls.drop_duplicates("metric")
    counts = result.nulls["metric"].value_counts()
    return [
        f"{row['metric']}: {row['reason']}"
        + (f" (and {counts[row['metric']] - 1} more points)" if counts[row["metric"]] > 1 else "")
        for row in first.to_dict("records")
    ]


def _list(title: str, lines: Iterable[str]) -> str:
    lines = list(lines)
    return f"{title}:\n" + "\n".join(f"  - {line}" for line in lines) if lines else ""
