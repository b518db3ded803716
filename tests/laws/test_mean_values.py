"""Mean values of product-form systems against the simulation: exact means exact.

Tolerances as in `test_queues`: 1.5 Student-t half-widths over ten replications without their
first tenth, and a half-width below 1 % (SimPy: 2.5 %).
"""

import pytest

from tests.systems import tandem
from virtperf.assembly import Assembly
from virtperf.dist import Deterministic, Exponential
from virtperf.path import Bell, Step, end, ring, serve
from virtperf.sim import run
from virtperf.stats import interval
from virtperf.tables import System
from virtperf.theory import mean_values

pytestmark = pytest.mark.laws
REPLICATIONS = range(10)
LONGER, TIGHT = 1, 0.025  # an engine's own: see conftest


def times(station: str, mean_ns: float) -> Step:
    return serve(station, Exponential(mean_ns), station, purpose=station)


def measured(system: System, requests: int) -> tuple[list[float], list[float]]:
    """Return mean latencies in ns and throughputs per s of ten runs after their first tenth."""
    latencies, throughputs = [], []
    for replication in REPLICATIONS:
        snapshots = run(
            system, seed=1, replication=replication, requests=LONGER * requests
        ).snapshots
        last = snapshots[-1]
        start = next(s for s in snapshots if sum(s.completed) >= sum(last.completed) // 10)
        count = sum(last.completed) - sum(start.completed)
        latencies.append((sum(last.residence) - sum(start.residence)) / count / 1000)
        throughputs.append(count / (last.time - start.time) * 1e12)
    return latencies, throughputs


def assert_exact(system: System, *, requests: int) -> None:
    expected = mean_values(system)
    assert expected is not None and expected.because == ()
    for values, mean in zip(
        measured(system, requests), (expected.latency_ns, expected.throughput_per_s), strict=True
    ):
        found, half_width = interval(values)
        assert abs(found - mean) < 1.5 * half_width
        assert half_width < TIGHT * mean  # else the test proves nothing


def test_a_closed_tandem():
    system = tandem(1000.0, 1000.0, customers=2)
    assert 0.6 <= mean_values(system).utilization["first"] <= 0.7
    assert_exact(system, requests=6_000)


def test_customers_of_several_servers_who_think():
    assembly = Assembly("repair")
    assembly.station("server", 4)
    path = (times("server", 1000.0), end())
    assembly.source("in", {"job": (1.0, path)}, outstanding=12, think=Exponential(3_000.0))
    assert 0.6 <= mean_values(assembly.system()).utilization["server"] <= 0.75
    assert_exact(assembly.system(), requests=16_000)


def test_two_closed_sources():
    assembly = Assembly("classes")
    for name in ("s", "t"):
        assembly.station(name, 1)
    here, there = (times("s", 700.0), times("t", 500.0), end()), (times("s", 700.0), end())
    assembly.source("a", {"job": (1.0, here)}, outstanding=2, think=Exponential(2_000.0))
    assembly.source("b", {"job": (1.0, there)}, outstanding=3, think=Exponential(6_000.0))
    assert 0.6 <= mean_values(assembly.system()).utilization["s"] <= 0.75
    assert_exact(assembly.system(), requests=16_000)


def test_open_and_closed_sources_on_one_station():
    assembly = Assembly("mixed")
    assembly.station("s", 1)
    path = (times("s", 1000.0), end())
    assembly.source("open", {"job": (1.0, path)}, gap=Exponential(3_000.0))
    assembly.source("closed", {"job": (1.0, path)}, outstanding=1, think=Exponential(1_500.0))
    assert 0.6 <= mean_values(assembly.system()).utilization["s"] <= 0.75
    assert_exact(assembly.system(), requests=24_000)


def test_threads_that_free_doorbells_connect_and_a_constant_delay():
    assembly = Assembly("threads", pcpus=2)
    assembly.worker("first", "thread")
    assembly.worker("second", "thread")
    assembly.station("delay", 5)
    free = Bell(name="", to="", rule="always", costs={})
    assembly.bell("next", free, to="second", sender="first")
    cost = [
        Step(kind="work", where=name, cost=Exponential(ns), account=name, purpose=name)
        for name, ns in (("first", 600.0), ("second", 1000.0))
    ]
    path = (cost[0], ring("next"), cost[1], serve("delay", Deterministic(3000.0), "delay"), end())
    assembly.source("in", {"job": (1.0, path)}, to="first", outstanding=5)
    assert_exact(assembly.system(), requests=10_000)
