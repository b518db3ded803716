"""The rows that runs give, table by table, as they are kept: per replication, nothing averaged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from virtperf.experiment.observation import Observation
from virtperf.experiment.observe import Cut

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "runs": "point replication corner finished completed residence in_system events memory",
    "data": "point replication metric value unit",
    "nulls": "point replication metric reason",
    "corners": "point corner metric value unit",
    "requests": "point replication group account ns",
    "cpu": "point replication account ticks",
    "latencies": "point replication group buckets counts",
    "cuts": "point cut rule steady",
    "nothing": "point flag says",
    "failures": "point replication corner error says trace",
}
"""Columns of each table. ``nothing`` has the points that give no number, and why.

A row of ``latencies`` is one histogram: its buckets, and how many latencies fell into each.
"""
WHOLE = {"replication", "finished", "completed", "residence", "in_system", "events", "ticks"}
WHOLE |= {"cut"}
REAL = {"value", "ns", "memory"}


class Raw:
    """Rows of all tables; each is a list of tuples in the order of `COLUMNS`."""

    def __init__(self) -> None:
        self.tables: dict[str, list[tuple[Any, ...]]] = {name: [] for name in COLUMNS}

    def add_cut(self, point: str, cut: Cut) -> None:
        """Add where the warm-up of a point ends."""
        self.tables["cuts"].append((point, cut.requests, cut.rule, cut.steady))

    def add_nothing(self, point: str, flag: str, says: str) -> None:
        """Add a point that gives no number: ``saturated`` or ``failed``."""
        self.tables["nothing"].append((point, flag, says))

    def add(self, point: str, seen: Iterable[Observation]) -> None:
        """Add what runs of one point said."""
        tables = self.tables
        for run in seen:
            totals = (run.finished, run.completed, run.residence, run.in_system, run.events)
            row = (point, run.replication, run.corner, *totals, run.memory)
            tables["runs"].append(row)
            if run.corner:
                tables["corners"] += [(point, run.corner, *row) for row in run.metrics]
                continue
            at = (point, run.replication)
            tables["data"] += [(*at, *row) for row in run.metrics]
            tables["nulls"] += [(*at, *row) for row in run.nulls]
            tables["requests"] += [(*at, *row) for row in run.requests]
            tables["cpu"] += [(*at, *row) for row in run.cpu]
            tables["latencies"] += [
                (*at, group, list(counts), list(counts.values())) for group, counts in run.latencies
            ]

    def columns(self) -> dict[str, dict[str, list[Any]]]:
        """Return the columns of every table that has rows."""
        return {
            name: dict(zip(COLUMNS[name].split(), map(list, zip(*rows, strict=True)), strict=True))
            for name, rows in self.tables.items()
            if rows
        }

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return every table as a frame."""
        import pandas as pd

        given = self.columns()
        return {
            name: pd.DataFrame(given[name]) if name in given else empty(name) for name in COLUMNS
        }


def empty(table: str) -> pd.DataFrame:
    """Return a table without rows; its columns have their types."""
    import pandas as pd

    columns = COLUMNS[table].split()
    types = {c: "int64" if c in WHOLE else "float64" for c in columns if c in WHOLE | REAL}
    return pd.DataFrame(columns=columns).astype(types)
