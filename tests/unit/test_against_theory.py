"""Runs that theory allows are not refused for their noise; those that it does not are."""

from types import SimpleNamespace

import pandas as pd
import pytest

from tests.random_systems import RandomSystem
from virtperf.assembly import Assembly
from virtperf.cli.text import _theory
from virtperf.dist import Deterministic, Exponential, Gamma
from virtperf.errors import SimulationError
from virtperf.experiment.against_theory import refuse_impossible, refuse_too_quick, theory
from virtperf.experiment.observe import Window
from virtperf.path import Choice, end, serve
from virtperf.sim import run
from virtperf.theory import bounds, variation

ONCE_REFUSED = (80, 126, 147, 150, 165, 178, 204, 259, 266, 361, 390, 510)


def point(system):
    return SimpleNamespace(label="here", system=system, theory=bounds(system))


def jobs(*, outstanding=1, **classes):
    """One customer of a disk; class by class, its weight and the steps of its path."""
    assembly = Assembly("jobs")
    assembly.station("disk", 1)
    rows = {name: (weight, (*steps, end())) for name, (weight, steps) in classes.items()}
    assembly.source("in", rows, outstanding=outstanding)
    return assembly.system()


def disk(us, cost=Deterministic, purpose=""):
    return serve("disk", cost(us * 1e3), "disk", purpose=purpose)


def windows_of(system, *, requests=300, replications=3):
    found = []
    for replication in range(replications):
        snapshots = run(system, seed=1, replication=replication, requests=requests).snapshots
        last = snapshots[-1]
        start = next(s for s in snapshots if sum(s.completed) >= sum(last.completed) // 4)
        found.append(Window(system=system, snapshots=(start, last), histograms=(), wakes=()))
    return found


def rate(windows):
    return sum(seen.completed / seen.time for seen in windows) / len(windows) * 1e12


def window(completed, residence, inside):
    """A window that saw so many requests, their latencies in ns, and ns in the system."""
    return SimpleNamespace(completed=completed, residence=residence * 1000, in_system=inside * 1000)


@pytest.mark.parametrize("seed", ONCE_REFUSED)
def test_a_random_system_is_within_its_bounds(seed):
    system = RandomSystem(seed).system()
    windows = windows_of(system)

    refuse_impossible(point(system), rate(windows), windows)
    refuse_too_quick(point(system), windows)


def test_a_mix_of_constant_times_strays_by_its_own_variation():
    """7 of 10 take 10 us, 3 take 100: mean 37, second moment 3,070, squared variation 1.2425."""
    mix = jobs(reads=(0.7, (disk(10),)), writes=(0.3, (disk(100),)))
    way = Choice(branches=((0.7, (disk(10),)), (0.3, (disk(100),))), purpose="way")

    assert variation(mix) == pytest.approx(3_070 / 37**2 - 1)
    assert variation(jobs(one=(1.0, (way,)))) == pytest.approx(3_070 / 37**2 - 1)
    seen = windows_of(mix, requests=100, replications=1)
    bound = bounds(mix).throughput_upper_per_s
    refuse_impossible(point(mix), bound * (1 + 5 * (1.2425 / seen[0].completed) ** 0.5), seen)


def test_draws_and_mixture_multiply():
    def drawn(us, purpose):
        return disk(us, lambda mean: Gamma(mean, 2.0), purpose)

    mix = jobs(reads=(0.7, (drawn(10, "r"),)), writes=(0.3, (drawn(100, "w"),)))
    assert variation(mix) == pytest.approx((1 + 4) * 3_070 / 37**2 - 1)
    assert variation(jobs(one=(1.0, (disk(5, Exponential, "x"),)))) == pytest.approx(1.0)


def test_what_is_no_bottleneck_does_not_count():
    assembly = Assembly("two")
    assembly.station("disk", 1)
    assembly.station("rare", 1)
    rare = serve("rare", Deterministic(1.0), "rare")
    way = Choice(branches=((1.0, (rare,)), (9_999.0, ())), purpose="way")
    path = (disk(10), way, end())
    assembly.source("in", {"job": (1.0, path)}, outstanding=50)
    assert variation(assembly.system()) < 1e-6


def test_more_than_theory_allows_is_an_error():
    system = jobs(one=(1.0, (disk(10),)), outstanding=2)
    seen = [window(10_000, 0, 0)]

    refuse_impossible(point(system), 1e5, seen)
    with pytest.raises(SimulationError, match=r"here: 100,100/s were finished, but theory allows"):
        refuse_impossible(point(system), 1.001e5, seen)


def test_quicker_than_theory_needs_is_an_error():
    """Two customers of a disk that takes 10 us: 20 us each, whatever happens."""
    system = jobs(one=(1.0, (disk(10),)), outstanding=2)

    refuse_too_quick(point(system), [window(10_000, 20_000 * 10_000, 0)])
    with pytest.raises(SimulationError, match=r"requests took 19,900 ns, but theory needs 20,000"):
        refuse_too_quick(point(system), [window(10_000, 19_900 * 10_000, 0)])


def test_requests_that_have_not_finished_count_for_the_time_they_took():
    """In a run of few slices the lucky ones finish early."""
    system = jobs(one=(1.0, (disk(10),)), outstanding=2)
    refuse_too_quick(point(system), [window(10_000, 10_000 * 10_000, 20_000 * 10_000)])


def test_the_row_of_a_point_holds_what_theory_says():
    row = theory(point(jobs(one=(1.0, (disk(10),)), outstanding=2)))

    assert row["mva_throughput"] == pytest.approx(row["throughput_bound"]) == pytest.approx(1e5)
    assert row["mva_latency_ns"] == pytest.approx(20e3)
    assert not row["mva_exact"] and "not exponential" in row["mva_because"]


def test_points_that_differ_in_the_number_of_copies_give_their_reasons_once():
    row = theory(point(jobs(one=(1.0, (disk(10),)), outstanding=2)))
    rows = [
        row | {"mva_because": f"requests wait for the big lock{more}; timers tick"}
        for more in ("", " and 3 more", " and 31 more")
    ]
    text = _theory(SimpleNamespace(bounds=pd.DataFrame(rows)))

    assert text.splitlines()[-1] == (
        "~ approximate: requests wait for the big lock and 31 more; timers tick"
    )
