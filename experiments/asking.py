"""What every experiment does: read its file, run what its store lacks, draw, write, answer.

A script is a question. It says how the figure is drawn and how the answer comes out of the numbers;
what is run stands in the file of the same name beside it. Results go to the folder ``results``, or
to the one that is named: ``python experiments/dom0.py elsewhere``.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes

from virtperf import Experiment, plot
from virtperf.result import Result


def ask(script: str, draw: Callable[[Result], Axes], answer: Callable[[Result], str]) -> None:
    """Carry out the experiment of a script, write ``figure.png`` and tables, print the answer."""
    path = Path(script)
    result = Experiment.load(path.with_suffix(".toml")).run(results() / "sweeps")
    folder = result.to_csv(results() / path.stem)
    plot.save(draw(result), folder / "figure.png")
    print(answer(result))


def results() -> Path:
    """Return the folder for results."""
    return Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "results"


def means(result: Result, metric: str, **levels: object) -> dict[object, float]:
    """Return the mean of a metric by the level of the factor that is given as None.

    Factors are named by the last part of their addresses: ``means(r, "throughput", count=None,
    vcpus=2)``.
    """
    factors = {name: _address(result, name) for name in levels}
    free = next(factors[name] for name, level in levels.items() if level is None)
    fixed = {factors[name]: level for name, level in levels.items() if level is not None}
    rows = result.points
    for address, level in fixed.items():
        rows = rows[rows[address] == level]
    pairs = zip(rows[free], rows["point"], strict=True)
    return {level: result.value(point, metric)[0] for level, point in pairs}


def _address(result: Result, name: str) -> str:
    (found,) = (a for a in result.provenance["factors"] if a.split(".")[-1] == name)
    return str(found)
