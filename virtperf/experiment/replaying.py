"""One run of a stored sweep again."""

from __future__ import annotations

import tomllib
from pathlib import Path

from virtperf.errors import StoreError, UnknownNameError
from virtperf.experiment.engines import run_one
from virtperf.experiment.plan import make
from virtperf.store import Store
from virtperf.tables import Run


def again(folder: str | Path, point: str, replication: int, corner: str = "") -> Run:
    """Make one run of a sweep again, in this process; what fails raises here as it did there.

    Parameters
    ----------
    folder : path
        Of the sweep.
    point : str
        Its label.
    replication : int
    corner : str
        "" for the central numbers, else which numbers stand at an end of their range.

    Raises
    ------
    StoreError
        If no sweep is stored there.
    UnknownNameError
        If the sweep has no such point or corner.
    """
    from virtperf.scenario import Scenario

    store = Store(Path(folder))
    if not store.exists:
        raise StoreError(folder, "has no sweep in it")
    plan = store.plan
    rows = {row["outline"]["label"]: row for row in plan["points"]}
    if point not in rows:
        raise UnknownNameError("point", point, rows)
    scenario = Scenario.from_dict(tomllib.loads(plan["scenario"]), name=plan["name"])
    built = make(scenario, rows[point]["outline"]["levels"], band=bool(corner))
    if corner and corner not in built.corners:
        raise UnknownNameError("corner", corner, built.corners)
    system = built.corners[corner] if corner else built.system
    return run_one(system, plan["seed"], replication, plan["requests"], plan["engine"])
