"""What a sweep costs beyond its runs, what it costs again, and how large a store may grow."""

CORES = 2
POINTS, REPLICATIONS, RUN_S = 200, 10, 0.05
WASTE, AGAIN_S = 0.15, 2.0
ROWS, OPEN_S = 10_000_000, 10.0
METRICS, OPENED = 50, 5  # of a row's point; times that the store is opened
SWEEP = """
import sys, time
from virtperf import Experiment, Scenario
from virtperf.experiment.executors import Processes
store, points, requests, cores = sys.argv[1], *map(int, sys.argv[2:])
base = Scenario.load("fast-device")
rates = [20_000.0 + 100.0 * n for n in range(points)]
load = {"kind": "open", "size": "4KiB", "arrivals": {"kind": "poisson"}}
result = Experiment(
    scenario=base, design=[{"vm.load": load | {"rate": rate}} for rate in rates], name="sweep",
    requests=requests, outputs={}, engine="fast",
).run(store)
print(len(result.points), flush=True)
"""
RUN = """
import sys, time
from virtperf import Scenario
from virtperf.experiment.engines import run_one
from virtperf.experiment.plan import make
"""
