"""The built system is plain data: through JSON and arrays and back it is, and runs, the same."""

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from tests.engines import plain
from tests.systems import DISKS, station_queue, system
from virtperf.dist import Empirical
from virtperf.sim import run
from virtperf.tables import Kind, System, WorkerState

SYSTEMS = {disk: system(disk, vms=2, outstanding=3) for disk in DISKS}
SYSTEMS["open"] = station_queue(Empirical((500.0, 1500.0), (1.0, 3.0)), load=0.5)
SYSTEMS["mix"] = system(
    load={"kind": "closed", "outstanding": 4, "mix": {"read": 3.0, "write": 1.0}, "think": "3us"},
    service={"kind": "lognormal", "mean": "20us", "cv": 0.7},
)
EACH = pytest.mark.parametrize("built", SYSTEMS.values(), ids=SYSTEMS)


def to_records(rows: list[dict[str, Any]]) -> np.ndarray:
    """Return rows as a record array: numbers, fixed-length lists of numbers, and names."""
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    layout = [(name, column.dtype, column.shape[1:]) for name, column in columns.items()]
    records = np.zeros(len(rows), dtype=layout)
    for name, column in columns.items():
        records[name] = column
    return records


def to_arrays(built: System) -> dict[str, Any]:
    """Return the tables as arrays; what is not a table as it is."""
    arrays: dict[str, Any] = {}
    for name, value in built.to_dict().items():
        tables = value if isinstance(value, tuple | list) else ()
        arrays[name] = to_records(list(tables)) if tables and isinstance(tables[0], dict) else value
    return arrays


def from_arrays(arrays: dict[str, Any]) -> System:
    def rows(table: np.ndarray) -> list[dict[str, Any]]:
        return [{name: row[name].tolist() for name in table.dtype.names} for row in table]

    return System.from_dict(
        {k: rows(v) if isinstance(v, np.ndarray) else v for k, v in arrays.items()}
    )


@EACH
def test_a_system_survives_json_and_runs_the_same(built):
    again = System.from_dict(json.loads(json.dumps(built.to_dict())))
    assert again == built
    assert outcome(again) == outcome(built)


@EACH
def test_a_system_survives_record_arrays_and_runs_the_same(built):
    arrays = to_arrays(built)
    assert all(
        arrays[name].dtype[field].kind in "ifUV"
        for name in ("workers", "steps", "sources")
        if name in arrays and isinstance(arrays[name], np.ndarray)
        for field in arrays[name].dtype.names
    )
    again = from_arrays(arrays)
    assert again == built
    assert outcome(again) == outcome(built)


@EACH
def test_rows_hold_numbers_and_names_only(built):
    def plain(value: object) -> bool:
        if isinstance(value, tuple):
            return all(map(plain, value))
        return isinstance(value, int | float | str)

    for field in fields(built):
        table = getattr(built, field.name)
        for row in table if isinstance(table, tuple) else (table,):
            values = (
                [getattr(row, f.name) for f in fields(row)]
                if hasattr(row, "__dataclass_fields__")
                else [row]
            )
            assert all(map(plain, values)), (field.name, row)


@EACH
def test_every_reference_points_into_its_table(built):
    sizes = {
        Kind.SERVE: len(built.stations),
        Kind.LOCK: len(built.stations),
        Kind.UNLOCK: len(built.stations),
        Kind.RING: len(built.bells),
    }
    for step in built.steps:
        assert -1 <= step.account < len(built.accounts)
        assert -1 <= step.counter < len(built.counters)
        assert step.kind not in sizes or 0 <= step.target < sizes[Kind(step.kind)]
    for worker in built.workers:
        assert len(worker.waits) == len(WorkerState)
        assert built.inboxes[worker.inbox].name == worker.name


def outcome(built: System) -> dict[str, Any]:
    return plain(run(built, seed=1, replication=0, requests=200))
