"""Requests a second of the reference engine, over those of a textbook SimPy program."""

from statistics import median
from time import perf_counter

from tests.benchmark import systems, textbook_simpy
from tests.benchmark.measure import Effort, Figure, interleaved, spread
from virtperf.sim import run

PRODUCT = 1_200.0  # textbook's requests/s x seconds of its calibration loop, as stated with it
LEAST_PRODUCT = 0.8
LEAST_RATIO = 0.4


def measure(effort: Effort) -> list[Figure]:
    """Return the textbook's own speed, and the ratio."""
    built = systems.full()
    calibrations = []

    def textbook() -> float:
        calibrations.append(textbook_simpy.calibrate())
        return textbook_simpy.run(effort.requests)[0]

    def virtperf() -> float:
        start = perf_counter()
        run(built, seed=1, replication=0, requests=effort.requests)
        return effort.requests / (perf_counter() - start)

    pairs = interleaved(effort.pairs, textbook, virtperf)
    products = [rate * s for (rate, _), s in zip(pairs, calibrations, strict=True)]
    ratios = [ours / theirs for theirs, ours in pairs]
    return [
        Figure(
            name="textbook requests/s x calibration loop",
            unit="requests",
            **spread(products),
            target=f"at least {LEAST_PRODUCT * PRODUCT:.0f}: the denominator must not be slow",
            met=median(products) >= LEAST_PRODUCT * PRODUCT,
            parts={"calibration loop [s]": median(calibrations)},
        ),
        Figure(
            name="virtperf over textbook, all features on",
            unit="x",
            **spread(ratios),
            target=f"at least {LEAST_RATIO}",
            met=median(ratios) >= LEAST_RATIO,
            parts={
                "textbook [requests/s]": median(rate for rate, _ in pairs),
                "virtperf [requests/s]": median(rate for _, rate in pairs),
            },
        ),
    ]
