"""Requests a second of both engines, over those of a textbook SimPy program."""

from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from tests.benchmark import systems, textbook_simpy
from tests.benchmark.measure import Effort, Figure, interleaved, spread
from virtperf import fast, sim

PRODUCT = 1_200.0  # textbook's requests/s x seconds of its calibration loop, as stated with it
LEAST_PRODUCT = 0.8
LEAST_RATIO = {"sim": 0.4, "fast": 30.0}
LONGER = 100  # the compiled engine's runs, or they would be over at once


def measure(effort: Effort) -> list[Figure]:
    """Return the textbook's own speed, and the ratios."""
    built = systems.full()
    calibrations = []

    def textbook() -> float:
        calibrations.append(textbook_simpy.calibrate())
        return textbook_simpy.run(effort.requests)[0]

    def rate(run: Any, requests: int) -> float:
        start = perf_counter()
        run(built, seed=1, replication=0, requests=requests)
        return requests / (perf_counter() - start)

    compiled = partial(rate, fast.run, LONGER * effort.requests)
    compiled()  # also in the literal sense
    by_engine = {
        "sim": interleaved(effort.pairs, textbook, partial(rate, sim.run, effort.requests)),
        "fast": interleaved(effort.pairs, textbook, compiled),
    }
    rates = [theirs for pairs in by_engine.values() for theirs, _ in pairs]
    products = [rate * s for rate, s in zip(rates, calibrations, strict=True)]
    return [
        Figure(
            name="textbook requests/s x calibration loop",
            unit="requests",
            **spread(products),
            target=f"at least {LEAST_PRODUCT * PRODUCT:.0f}: the denominator must not be slow",
            met=median(products) >= LEAST_PRODUCT * PRODUCT,
            parts={"calibration loop [s]": median(calibrations)},
        ),
        *(_ratio(engine, pairs) for engine, pairs in by_engine.items()),
    ]


def _ratio(engine: str, pairs: list[tuple[float, float]]) -> Figure:
    ratios = [ours / theirs for theirs, ours in pairs]
    return Figure(
        name=f"{engine} over textbook, all features on",
        unit="x",
        **spread(ratios),
        target=f"at least {LEAST_RATIO[engine]:g}",
        met=median(ratios) >= LEAST_RATIO[engine],
        parts={
            "textbook [requests/s]": median(theirs for theirs, _ in pairs),
            f"{engine} [requests/s]": median(ours for _, ours in pairs),
        },
    )
