"""Many points as text: a line each, then what to know before use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from virtperf.cli.text import HEADLINES, cell, table
from virtperf.result import NOISE

if TYPE_CHECKING:
    from virtperf.result import Result

SHOWN = ("latency.mean", "latency.p50", "latency.p99", "throughput", "cpu_per_request.total")
MOST = 60  # points, or lines of one kind


def many(result: Result) -> str:
    """Return the points of a sweep, their flags and failures as text."""
    rows = result.summary().to_dict("records")
    cells = {(row["point"], row["metric"]): row for row in rows}
    metrics = [metric for metric in SHOWN if any((p, metric) in cells for p in result.labels)]
    lines = [
        [point, *(cell(cells.get((point, m))) for m in metrics), str(n), str(stopped)]  # type: ignore[arg-type]
        for point, n, stopped in result.points[["point", "replications", "stopped"]].itertuples(
            index=False
        )
    ]
    shown = _cut(lines)
    header = ["point", *(HEADLINES[m] for m in metrics), "runs", "stopped"]
    blocks = [f"± is {NOISE.format(0.95)}\n{table(header, shown)}"]
    if len(lines) > len(shown):
        blocks.append(f"... {len(lines) - len(shown):,} more points; --format csv has them all")
    flags = dict.fromkeys(result.flags["point"] + ": " + result.flags["says"])
    blocks += [_listed("Note", flags), _listed("How", result.notes)]
    return "\n\n".join(block for block in blocks if block)


def _cut(lines: list[list[str]]) -> list[list[str]]:
    return lines[:MOST]


def _listed(title: str, lines: Iterable[str]) -> str:
    every = list(lines)
    shown = [f"  - {line}" for line in every[:MOST]]
    if len(every) > MOST:
        shown.append(f"  ... and {len(every) - MOST:,} more")
    return "\n".join([f"{title}:", *shown]) if every else ""
