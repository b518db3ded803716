"""Asking for help takes little longer than starting Python."""

import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from time import perf_counter

from tests.benchmark.measure import Effort, Figure, interleaved

TIMES, PLUS_S = 3.0, 0.15
HELP = "import sys; sys.argv = ['virtperf', '--help']; from virtperf.cli import main; main()"


def measure(effort: Effort) -> list[Figure]:
    """Return the time of ``virtperf --help`` over what it may take."""
    bare, helped = ([sys.executable, "-c", code] for code in ("pass", HELP))
    pairs = interleaved(effort.pairs, lambda: _seconds(bare), lambda: _seconds(helped))
    shares = [ours / (TIMES * bare_s + PLUS_S) for bare_s, ours in pairs]
    return [
        Figure(
            name="virtperf --help over what it may take",
            value=median(shares),
            unit="x",
            low=min(shares),
            high=max(shares),
            target=f"below 1, which is {TIMES:g} x python -c pass + {PLUS_S * 1e3:g} ms",
            met=median(shares) < 1,
            parts={
                "python -c pass [s]": median(bare_s for bare_s, _ in pairs),
                "virtperf --help [s]": median(ours for _, ours in pairs),
            },
        )
    ]


def _seconds(command: Sequence[str]) -> float:
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start
