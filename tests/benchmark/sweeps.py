"""What a sweep costs beyond its runs, what it costs again, and how long a large store takes."""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.benchmark.measure import QUICK, Effort, Figure, spread

POINTS, RUN_S, WASTE = 200, 0.05, 0.15
AGAIN_S, TIMES = 2.0, 3
ROWS, OPEN_S = 10_000_000, 10.0
METRICS, REPLICATIONS = 50, 10  # of a point in the large store
SWEEP = """
import sys
from virtperf import Experiment, Scenario
store, points, requests = sys.argv[1], *map(int, sys.argv[2:])
load = {"kind": "open", "size": "4KiB", "arrivals": {"kind": "poisson"}}
Experiment(
    scenario=Scenario.load("fast-device"), name="sweep", engine="fast", requests=requests,
    design=[{"vm.load": load | {"rate": 30_000.0 + n}} for n in range(points)], outputs={},
).run(store)
"""
OPEN = """
import sys
from virtperf import Result
assert len(Result.load(sys.argv[1]).summary()) == int(sys.argv[2])
"""


def measure(effort: Effort) -> list[Figure]:
    """Return the figures of sweeps; a quick run has few points and few rows."""
    quick = effort == QUICK
    points, rows = (4, 20_000) if quick else (POINTS, ROWS)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        sweep = [SWEEP, str(store), str(points), str(_requests())]
        return [_waste(sweep, store), _again(sweep, 1 if quick else TIMES), _large(store, rows)]


def _requests() -> int:
    """Return how many requests a run of 0.05 s has, on this machine, now."""
    from virtperf import Scenario
    from virtperf.experiment.engines import FAST, run_one
    from virtperf.experiment.plan import make

    load = {"kind": "open", "rate": 30_000.0, "size": "4KiB", "arrivals": {"kind": "poisson"}}
    system = make(Scenario.load("fast-device"), {"vm.load": load}, band=False).system
    run_one(system, 0, 0, 1_000, FAST)
    taken = []
    for replication in range(5):
        began = perf_counter()
        run_one(system, 0, replication, 8_000, FAST)
        taken.append(perf_counter() - began)
    return round(8_000 * RUN_S / median(taken))


def _waste(sweep: list[str], store: Path) -> Figure:
    """Return the wall time of a sweep, start-up included, over that of its bare runs."""
    import os

    from virtperf.store import Store

    cores = os.cpu_count() or 1
    wall = _seconds(sweep)
    runs = Store(store / "sweep").read("runs")
    bare = float(runs["seconds"].sum()) / cores
    return Figure(
        name=f"a sweep of {len(runs):,} runs over its runs alone on {cores} cores",
        unit="x",
        **spread([wall / bare]),
        target=f"below {1 + WASTE:g}",
        met=wall / bare < 1 + WASTE,
        parts={"wall time [s]": wall, "a run [s]": bare * cores / len(runs)},
    )


def _again(sweep: list[str], times: int) -> Figure:
    taken = [_seconds(sweep) for _ in range(times)]
    return Figure(
        name="the same sweep from its store, the whole process",
        unit="s",
        **spread(taken),
        target=f"below {AGAIN_S:g}",
        met=median(taken) < AGAIN_S,
    )


def _large(store: Path, rows: int) -> Figure:
    """Return how long a store of so many rows takes from the start of Python to its summary."""
    points = rows // (METRICS * REPLICATIONS)
    fill(store / "sweep", store / "large", points)
    began = perf_counter()
    subprocess.run(
        [sys.executable, "-c", OPEN, str(store / "large"), str(points * METRICS)], check=True
    )
    taken = perf_counter() - began
    return Figure(
        name=f"summary of a store of {rows:,} rows, the whole process",
        unit="s",
        **spread([taken]),
        target=f"below {OPEN_S:g}",
        met=taken < OPEN_S,
        parts={"points": points, "metrics": METRICS},
    )


def fill(small: Path, large: Path, points: int) -> None:
    """Make a store of many points like the first of a small one, with made-up metrics."""
    import numpy as np
    import pandas as pd
    from virtperf.store import Store

    plan = Store(small).plan
    first = plan["points"][0]
    keys = [f"{number:032x}" for number in range(points)]
    outlines = [first["outline"] | {"label": f"point={number}"} for number in range(points)]
    plan["points"] = [
        first | {"key": key, "outline": one} for key, one in zip(keys, outlines, strict=True)
    ]
    labels = [one["label"] for one in outlines]
    each = np.repeat(np.arange(points), REPLICATIONS)
    run = Store(small).read("runs").iloc[0].to_dict()
    runs = {name: [value] * len(each) for name, value in run.items()}
    runs |= {"key": pd.Categorical.from_codes(each, keys)}
    runs |= {"point": pd.Categorical.from_codes(each, labels)}
    runs |= {"replication": np.tile(np.arange(REPLICATIONS), points)}
    metrics = ["throughput", *(f"metric {number}" for number in range(1, METRICS))]
    metric = np.tile(np.arange(METRICS), len(each))
    data = {
        "key": pd.Categorical.from_codes(np.repeat(each, METRICS), keys),
        "point": pd.Categorical.from_codes(np.repeat(each, METRICS), labels),
        "replication": np.repeat(runs["replication"], METRICS),
        "metric": pd.Categorical.from_codes(metric, metrics),
        "value": np.random.default_rng(1).normal(size=len(metric)),
        "unit": pd.Categorical.from_codes(np.zeros(len(metric), dtype=int), ["1"]),
    }
    cut = {"key": keys, "point": labels, "cut": 0, "rule": "MSER-5", "steady": True}
    store = Store(large)
    store.write_plan(plan)
    store.add({"runs": pd.DataFrame(runs), "data": pd.DataFrame(data), "cuts": pd.DataFrame(cut)})


def _seconds(sweep: list[str]) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-c", *sweep], check=True)
    return perf_counter() - began
