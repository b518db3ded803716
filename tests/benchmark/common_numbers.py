"""What common random numbers save: the half-width of a difference, against independent draws."""

from statistics import median

from tests.benchmark.measure import Effort, Figure, spread
from tests.systems import scenario
from virtperf.experiment.engines import FAST, run_one
from virtperf.experiment.observation import observed
from virtperf.experiment.observe import warmup
from virtperf.experiment.plan import Point, make
from virtperf.stats import crn_saving

SEEDS, LEAST = 20, 4.0
OTHER = 1_000  # added to a seed: independent draws
LOAD, CHANNELS, SERVICE_US = 0.8, 4, 80
DEARER = {f"platform.{name}": "1.1x" for name in ("exit_hardware", "exit_kernel")}


def measure(effort: Effort) -> list[Figure]:
    """Return how much narrower +10 % of what an exit costs is told apart under common numbers."""
    before, after = points()
    seeds = range(SEEDS if effort.pairs > 1 else 1)
    requests = effort.requests // 4
    shared, apart, spreads = [], [], []
    for seed in seeds:
        base = means(before, seed, effort.replications, requests)
        same = crn_saving(base, means(after, seed, effort.replications, requests))
        other = crn_saving(base, means(after, seed + OTHER, effort.replications, requests))
        shared.append(same.half_widths)
        apart.append(other.half_width / same.half_width)
        spreads.append(same.half_width / same.difference)
    return [
        Figure(
            name="half-width of +10 % exit cost, independent over common random numbers",
            unit="x",
            **spread(apart),
            target=f"at least {LEAST:g}",
            met=median(apart) >= LEAST,
            parts={
                "Welch of the same replications, over paired": median(shared),
                "seeds": len(seeds),
                "half-width of the difference, as a share of it": median(spreads),
            },
        )
    ]


def points() -> tuple[Point, Point]:
    """Return an open virtio path at load 0.8 of its device, and one whose exits cost 10 % more."""
    rate = LOAD * CHANNELS / (SERVICE_US * 1e-6)
    base = scenario(
        platform="x86-kvm-2020",
        channels=CHANNELS,
        service={"kind": "exponential", "mean": f"{SERVICE_US}us"},
        load={"kind": "open", "rate": rate, "size": "4KiB", "arrivals": {"kind": "poisson"}},
    )
    return make(base, {}, band=False), make(base, DEARER, band=False)


def means(point: Point, seed: int, replications: int, requests: int) -> list[float]:
    """Return the mean latency of each replication, in ns."""
    runs = [run_one(point.system, seed, r, requests, FAST) for r in range(replications)]
    cut = warmup(runs)
    seen = [observed(point.system, run, cut, r) for r, run in enumerate(runs)]
    return [value for one in seen for name, value, _ in one.metrics if name == "latency.mean"]
