"""Textbook queues at stations and on a worker: no correct engine misses them.

The tolerance is 1.5 Student-t half-widths over ten replications whose first tenth is dropped; a
second assertion keeps the half-width itself below 1 % (SimPy: 2.5 %), so that the test cannot pass
by being vague. Run lengths follow from that.
"""

import pytest

from tests.systems import SERVICE_NS, station_queue, tandem, worker_queue
from virtperf.dist import Deterministic, Exponential
from virtperf.sim import run
from virtperf.stats import interval
from virtperf.tables import System
from virtperf.theory import formulas

pytestmark = pytest.mark.laws
REPLICATIONS = range(10)
LONGER, TIGHT = 1, 0.025  # an engine's own: see conftest
M, D = Exponential(SERVICE_NS), Deterministic(SERVICE_NS)


def response(system: System, *, requests: int) -> tuple[float, float]:
    """Return mean response and its half-width, in ns."""
    means = []
    for replication in REPLICATIONS:
        result = run(system, seed=1, replication=replication, requests=LONGER * requests)
        sums = result.sums[len(result.sums) // 10 :]
        means.append(sum(sums) / (len(sums) * result.batch) / 1000)
    return interval(means)


def assert_mean(system: System, expected: float, *, requests: int) -> None:
    mean, half_width = response(system, requests=requests)
    assert abs(mean - expected) < 1.5 * half_width
    assert half_width < TIGHT * expected  # else the test proves nothing


@pytest.mark.parametrize(
    ("load", "requests"), [(0.5, 14_000), pytest.param(0.8, 140_000, marks=pytest.mark.long)]
)
def test_a_station_with_poisson_arrivals_is_mm1(load, requests):
    expected = formulas.mm1(load / SERVICE_NS, SERVICE_NS)
    assert expected == pytest.approx(SERVICE_NS / (1 - load))
    assert_mean(station_queue(M, load=load), expected, requests=requests)


def test_four_servers_are_mm4():
    expected = formulas.mmc(4 * 0.7 / SERVICE_NS, SERVICE_NS, 4)
    assert_mean(station_queue(M, load=0.7, servers=4), expected, requests=16_000)


def test_constant_service_is_md1():
    expected = formulas.mg1(0.7 / SERVICE_NS, SERVICE_NS, 0.0)
    assert expected == pytest.approx(SERVICE_NS * (1 + 0.7 / (2 * 0.3)))
    assert_mean(station_queue(D, load=0.7), expected, requests=30_000)


def test_a_thread_with_a_pcpu_of_its_own_is_mm1():
    expected = formulas.mm1(0.5 / SERVICE_NS, SERVICE_NS)
    assert_mean(worker_queue(load=0.5), expected, requests=22_000)


def test_a_closed_tandem_follows_exact_mean_value_analysis():
    first, second = 1000.0, 700.0
    expected = mean_value_analysis([first, second], customers=4)
    assert_mean(tandem(first, second, customers=4), expected, requests=6_000)


def mean_value_analysis(demands: list[float], *, customers: int) -> float:
    """Return the mean response of a closed network of exponential single servers [1]_.

    .. [1] M. Reiser, S. S. Lavenberg, "Mean-value analysis of closed multichain queuing
       networks", J. ACM 27 (1980), 313-322.
    """
    queues = [0.0] * len(demands)
    total = 0.0
    for n in range(1, customers + 1):
        stays = [d * (1 + q) for d, q in zip(demands, queues, strict=True)]
        total = sum(stays)
        queues = [n * stay / total for stay in stays]
    return total
