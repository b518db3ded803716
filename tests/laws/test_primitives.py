"""Priorities, set-ups, polling, drops, finite populations and slices against closed forms.

Tolerances as in `test_queues`: 1.5 Student-t half-widths over ten replications without their
first tenth, and a half-width below 1 % (SimPy: 2.5 %).
"""

from collections.abc import Sequence
from math import exp

import pytest

from tests.systems import SERVICE_NS, work_of
from virtperf.assembly import Assembly
from virtperf.dist import Exponential, Gamma
from virtperf.path import Bell, end, give, ring, serve, take, work
from virtperf.sim import run
from virtperf.stats import interval
from virtperf.tables import Run, System
from virtperf.theory import formulas

pytestmark = pytest.mark.laws
REPLICATIONS = range(10)
LONGER, TIGHT = 1, 0.025  # an engine's own: see conftest
M = Exponential(SERVICE_NS)
DIRECT = Bell(name="", to="", rule="always", costs={})


def runs(system: System, requests: int) -> list[Run]:
    return [run(system, seed=1, replication=r, requests=LONGER * requests) for r in REPLICATIONS]


def group_means(result: Run, groups: int) -> list[float]:
    """Return the mean response of each group after the first tenth, in ns."""
    last = result.snapshots[-1]
    total = sum(last.completed)
    start = next(s for s in result.snapshots if sum(s.completed) >= total // 10)
    return [
        (last.residence[g] - start.residence[g]) / (last.completed[g] - start.completed[g]) / 1000
        for g in range(groups)
    ]


def assert_means(means: Sequence[float], expected: float) -> None:
    mean, half_width = interval(means)
    assert abs(mean - expected) < 1.5 * half_width
    assert half_width < TIGHT * expected  # else the test proves nothing


def mean_response(result: Run) -> float:
    sums = result.sums[len(result.sums) // 10 :]
    return sum(sums) / (len(sums) * result.batch) / 1000


@pytest.mark.long
def test_interrupt_work_over_ordinary_work_is_a_preemptive_resume_queue():
    load = 0.65
    assembly = Assembly("priorities", pcpus=1)
    assembly.worker("cpu", "cpu")
    assembly.interrupt_level("cpu")
    assembly.bell("irq", DIRECT, to="cpu.interrupt", sender="")
    gap = Exponential(2 * SERVICE_NS / load)
    urgent = (ring("irq"), work_of("cpu", M, purpose="urgent"), end())
    assembly.source("urgent", {"urgent": (1.0, urgent)}, gap=gap)
    ordinary = (work_of("cpu", M, purpose="ordinary"), end())
    assembly.source("ordinary", {"ordinary": (1.0, ordinary)}, to="cpu", gap=gap)
    rate = load / 2 / SERVICE_NS

    found = [group_means(result, 2) for result in runs(assembly.system(), 60_000)]
    expected = formulas.priority([rate, rate], [SERVICE_NS, SERVICE_NS])
    for group, response in enumerate(expected):
        assert_means([means[group] for means in found], response)


def sleeper(load: float, wake_ns: float, poll_ns: float = 0.0) -> System:
    assembly = Assembly("sleeper", pcpus=1)
    assembly.worker("cpu", "cpu", wake=(work("cpu", wake_ns, "cpu: wake-up"),), poll_ns=poll_ns)
    path = (work_of("cpu", M), end())
    assembly.source("in", {"job": (1.0, path)}, to="cpu", gap=Exponential(SERVICE_NS / load))
    return assembly.system()


@pytest.mark.long
def test_a_thread_that_pays_for_each_wake_up_is_a_queue_with_set_up():
    load, wake = 0.65, 1_500.0
    expected = formulas.mg1_setup(load / SERVICE_NS, SERVICE_NS, 1.0, wake)
    means = [mean_response(result) for result in runs(sleeper(load, wake), 40_000)]
    assert_means(means, expected)


@pytest.mark.long
def test_a_thread_that_polls_pays_only_when_nobody_came_meanwhile():
    load, wake, poll = 0.65, 4_000.0, 2_000.0
    sleeps = exp(-load * poll / SERVICE_NS)
    expected = formulas.mg1_setup(
        load / SERVICE_NS, SERVICE_NS, 1.0, sleeps * wake, sleeps * wake**2
    )
    means = [mean_response(result) for result in runs(sleeper(load, wake, poll), 40_000)]
    assert_means(means, expected)


@pytest.mark.long
def test_credits_that_run_out_drop_as_mm1k_does():
    load, places = 0.7, 4
    assembly = Assembly("drops")
    assembly.station("server", 1)
    assembly.credit("places", places, called="places")
    path = (
        take("places", otherwise=(end("dropped"),)),
        serve("server", M, "server", purpose="service"),
        give("places"),
        end(),
    )
    assembly.source("in", {"job": (1.0, path)}, gap=Exponential(SERVICE_NS / load))
    lost, response = formulas.mm1k(load / SERVICE_NS, SERVICE_NS, places)

    requests = 60_000
    found = runs(assembly.system(), requests)
    assert_means([mean_response(result) for result in found], response)
    shares = [
        r.snapshots[-1].sides[0] / (r.snapshots[-1].sides[0] + LONGER * requests) for r in found
    ]
    mean, half_width = interval(shares)
    assert abs(mean - lost) < 1.5 * half_width
    assert half_width < TIGHT * lost


@pytest.mark.long
def test_customers_who_think_are_the_machine_repairman():
    n, servers, think = 8, 2, 4_000.0
    assembly = Assembly("repair")
    assembly.station("server", servers)
    path = (serve("server", M, "server", purpose="service"), end())
    assembly.source("in", {"job": (1.0, path)}, outstanding=n, think=Exponential(think))
    expected = formulas.machine_repair_response(n, think, SERVICE_NS, servers)
    busy = formulas.machine_repair(n, think, SERVICE_NS, servers) * SERVICE_NS / servers

    assert 0.6 <= busy <= 0.75
    assert_means([mean_response(r) for r in runs(assembly.system(), 20_000)], expected)


@pytest.mark.long
def test_ever_shorter_slices_are_processor_sharing():
    """Which does not see how service times vary; first come first served would."""
    n, think = 5, 5_500.0
    assembly = Assembly("slices", pcpus=1, slice_ns=SERVICE_NS / 50)
    for k in range(n):
        assembly.worker(f"t{k}", "t")
        path = (work_of(f"t{k}", Gamma(SERVICE_NS, 2.0)), end())
        assembly.source(
            f"of {k}", {"job": (1.0, path)}, to=f"t{k}", outstanding=1, think=Exponential(think)
        )
    expected = formulas.machine_repair_response(n, think, SERVICE_NS, 1)
    busy = formulas.machine_repair(n, think, SERVICE_NS, 1) * SERVICE_NS

    assert 0.6 <= busy <= 0.7
    assert_means([mean_response(r) for r in runs(assembly.system(), 25_000)], expected)
