"""A sweep that is killed at whatever moment goes on to the same bytes and leaves nobody behind."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from virtperf.result import Result
from virtperf.result.export import canonical_csv

KILLS, QUICK = range(20), range(2)
MARK = "VIRTPERF_TEST_SWEEP"
SCRIPT = """
import sys
from virtperf import Experiment, Scenario
load = {"kind": "open", "size": "4KiB", "arrivals": {"kind": "poisson"}}
Experiment(
    scenario=Scenario.load("fast-device"), name="killed", engine="fast", requests=3_000,
    design=[{"vm.load": load | {"rate": 20_000.0 + 1_000 * n}} for n in range(40)],
    outputs={},
).run(sys.argv[1])
"""

linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="asks /proc who runs")


def start(store, mark=""):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(store)], env=os.environ | {MARK: mark or "none"}
    )


def marked(mark):
    """Return the processes that have inherited a mark, and still run."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
        except OSError:
            pass  # it has ended, or is another user's
    return found


def gone(mark, seconds=30.0):
    until = time.monotonic() + seconds
    while marked(mark) and time.monotonic() < until:
        time.sleep(0.1)
    return not marked(mark)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The bytes of a sweep that nobody disturbs, and how long it takes."""
    store = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    assert start(store).wait() == 0
    return canonical_csv(Result.load(store / "killed")), time.monotonic() - began


@linux
@pytest.mark.parametrize(
    "number", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in KILLS]
)
def test_a_killed_sweep_goes_on_to_the_same_bytes(number, undisturbed, tmp_path):
    expected, seconds = undisturbed
    mark = uuid.uuid4().hex
    sweep = start(tmp_path, mark)
    time.sleep(random.Random(number).uniform(0.1, 1.0) * seconds)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    assert gone(mark), "workers outlive the sweep"

    assert start(tmp_path).wait() == 0
    assert canonical_csv(Result.load(tmp_path / "killed")) == expected
