"""A run keeps totals, not requests: its memory does not grow with its length."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import resource, sys
from tests.systems import system
from virtperf.sim import run
built = system("virtio", vms=4, outstanding=32)
run(built, seed=1, replication=0, requests=int(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kib(requests: int) -> int:
    """Return the greatest resident size of a fresh process that simulates so many requests."""
    command = [sys.executable, "-c", SCRIPT, str(requests)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    kib = 1024 if sys.platform == "darwin" else 1
    return int(done.stdout) // kib


def test_ten_times_the_requests_take_less_than_five_mebibytes_more():
    assert peak_kib(20_000) - peak_kib(2_000) < 5 * 1024
