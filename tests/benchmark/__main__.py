"""``python -m tests.benchmark [--quick]``: prints every figure, writes results/benchmarks.json."""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmark import (
    answer,
    cache_simulator,
    common_numbers,
    compiled,
    memory,
    one_pass,
    queues,
    slices,
    speed,
    startup,
    sweeps,
    translation,
)
from tests.benchmark.measure import QUICK, Effort, Figure
from virtperf import __version__

OUT = Path(__file__).parents[2] / "results" / "benchmarks.json"


def main(arguments: list[str] | None = None) -> int:
    """Run all benchmarks; 1 if a target is missed. A quick run judges and writes nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    quick = parser.parse_args(arguments).quick
    about = {
        "virtperf": __version__,
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
    }
    print(", ".join(f"{key} {value}" for key, value in about.items()), flush=True)
    figures: list[Figure] = []
    parts = (
        speed,
        slices,
        queues,
        translation,
        cache_simulator,
        one_pass,
        answer,
        memory,
        compiled,
        startup,
        common_numbers,
        sweeps,
    )
    for benchmark in parts:
        for figure in benchmark.measure(QUICK if quick else Effort()):
            figures.append(figure)
            print(figure, flush=True)
    if quick:
        print("a quick run: neither judged nor written down")
        return 0
    OUT.parent.mkdir(exist_ok=True)
    text = json.dumps(about | {"figures": [asdict(figure) for figure in figures]}, indent=1)
    OUT.write_text(text + "\n", encoding="utf-8")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
