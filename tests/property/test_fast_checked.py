"""The build that checks every index finds none outside of its table, and would."""

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.property, pytest.mark.slow]

BROKEN = """
from tests.random_systems import RandomSystem
from virtperf import fast
from virtperf.errors import SimulationError
from virtperf.fast.engine import Attempt
from virtperf.fast.status import TABLES
from virtperf.fast.warmup import warm_up
warm_up()
room = dict.fromkeys(TABLES.values(), 256)
made = Attempt(RandomSystem(3).system(), 1, 0, 100, room, None)
made.machine.tables["steps"]["target"] += 1_000
try:
    made.drive(None)
except SimulationError as error:
    print(error)
"""


def checked(*arguments: str) -> str:
    """Return what Python prints where the engine is the checked one."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"VIRTPERF_CHECKED": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_index_is_outside_of_its_table():
    assert checked("-m", "tests.property.fuzz", "0", "400") == "400 checked\n"


def test_one_that_is_ends_the_run_with_a_named_error():
    assert "random: a row was asked for that table " in checked("-c", BROKEN)
