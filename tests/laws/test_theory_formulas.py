"""The closed forms against each other, their limits, and brute force."""

from math import factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.errors import ParameterError
from virtperf.theory.formulas import (
    Centre,
    asymptotic_bounds,
    balanced_job_bounds,
    erlang_c,
    machine_repair,
    machine_repair_response,
    mg1,
    mm1,
    mmc,
)

pytestmark = pytest.mark.laws

loads = st.floats(0.01, 0.99)
times = st.floats(1.0, 1e6)
centres = st.lists(st.builds(Centre, times, st.integers(1, 32)), min_size=1, max_size=6)
queues = st.lists(times.map(Centre), min_size=1, max_size=5)


def exact_mva(n, think, queues):
    """Throughput by mean value analysis, single servers."""
    waiting = [0.0] * len(queues)
    rate = 0.0
    for k in range(1, n + 1):
        stay = [c.demand * (1 + q) for c, q in zip(queues, waiting, strict=True)]
        rate = k / (think + sum(stay))
        waiting = [rate * r for r in stay]
    return rate


@given(load=loads, service=times)
def test_one_server_is_a_case_of_many(load, service):
    assert mmc(load / service, service, 1) == pytest.approx(mm1(load / service, service))


@given(load=loads, service=times)
def test_constant_service_halves_the_wait(load, service):
    random, constant = mg1(load / service, service, 1), mg1(load / service, service, 0)
    assert constant - service == pytest.approx((random - service) / 2)


@given(load=loads, servers=st.integers(1, 40))
def test_erlang_c_agrees_with_its_sum(load, servers):
    offered = load * servers
    tail = offered**servers / factorial(servers) / (1 - load)
    head = sum(offered**k / factorial(k) for k in range(servers))
    assert erlang_c(servers, offered) == pytest.approx(tail / (head + tail))


def test_tables_of_erlang_c_are_met():
    """M/M/4 at load 0.7: probability of waiting 0.4287, wait 0.3572 service times."""
    assert erlang_c(4, 2.8) == pytest.approx(0.4287, abs=5e-5)
    assert mmc(2.8, 1.0, 4) - 1 == pytest.approx(0.3572, abs=5e-5)


@given(n=st.integers(1, 64), think=times, service=times)
def test_machine_repair_with_one_server_is_mean_value_analysis(n, think, service):
    expected = exact_mva(n, think, [Centre(service)])
    assert machine_repair(n, think, service, 1) == pytest.approx(expected)


@given(n=st.integers(1, 40), think=times, service=times)
def test_with_a_server_each_nobody_waits(n, think, service):
    assert machine_repair_response(n, think, service, n) == pytest.approx(
        service, rel=1e-6, abs=1e-6 * think
    )


@given(n=st.integers(1, 300), think=times, service=times, servers=st.integers(1, 64))
def test_machine_repair_keeps_the_asymptotic_bounds(n, think, service, servers):
    rate = machine_repair(n, think, service, servers)
    bound = asymptotic_bounds(n, think, [Centre(service, servers)])
    assert bound.lower * (1 - 1e-9) <= rate <= bound.upper * (1 + 1e-9)


def test_many_customers_neither_overflow_nor_lose_precision():
    assert machine_repair(100_000, 1.0, 10.0, 5) == pytest.approx(0.5)
    assert machine_repair(5_000, 1e6, 10.0, 64) == pytest.approx(5_000 / (1e6 + 10))


def test_a_tiny_think_time_is_no_cliff():
    assert machine_repair(8, 1e-9, 10.0, 4) == pytest.approx(machine_repair(8, 0.0, 10.0, 4))


@given(n=st.integers(1, 50), think=st.floats(0, 1e6), queues=queues)
def test_mean_value_analysis_lies_within_both_pairs_of_bounds(n, think, queues):
    rate = exact_mva(n, think, queues)
    wide, close = asymptotic_bounds(n, think, queues), balanced_job_bounds(n, think, queues)
    for bound in (wide, close):
        assert bound.lower * (1 - 1e-9) <= rate <= bound.upper * (1 + 1e-9)


@given(n=st.integers(1, 50), demand=times, count=st.integers(1, 6))
def test_balanced_bounds_meet_where_jobs_are_balanced(n, demand, count):
    bound = balanced_job_bounds(n, 0.0, [Centre(demand)] * count)
    assert bound.lower == pytest.approx(bound.upper)
    assert bound.upper == pytest.approx(exact_mva(n, 0.0, [Centre(demand)] * count))


@given(think=st.floats(0, 1e6), centres=centres)
def test_one_customer_never_waits(think, centres):
    total = sum(centre.demand for centre in centres)
    for bounds in (asymptotic_bounds, balanced_job_bounds):
        assert bounds(1, think, centres).lower == pytest.approx(1 / (total + think))
        assert bounds(1, think, centres).upper == pytest.approx(1 / (total + think))


@pytest.mark.parametrize("rate", [1.0, 1.5, -0.1])
def test_a_load_without_a_steady_state_is_refused(rate):
    with pytest.raises(ParameterError, match=r"load must be in \[0, 1\), or there is no steady"):
        mm1(rate, 1.0)


def test_nonsense_is_refused_by_name():
    with pytest.raises(ParameterError, match=r"machine_repair.n must be at least 1, got 0"):
        machine_repair(0, 1.0, 1.0, 1)
    with pytest.raises(ParameterError, match="servers"):
        mmc(0.5, 1.0, 0)
    with pytest.raises(ParameterError, match="think_ns"):
        asymptotic_bounds(1, -1.0, [])
