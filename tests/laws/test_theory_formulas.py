"""The closed forms against each other, their limits, and brute force."""

from itertools import product
from math import factorial, prod
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from virtperf.errors import ParameterError
from virtperf.rules import doorbell as rule
from virtperf.theory.formulas import (
    Centre,
    asymptotic_bounds,
    balanced_job_bounds,
    convolution,
    entries_per_signal,
    erlang_c,
    exact_mva,
    machine_repair,
    machine_repair_response,
    mg1,
    mixed,
    mm1,
    mm1k,
    mmc,
    moderation_delay,
    schweitzer,
)

pytestmark = pytest.mark.laws

loads = st.floats(0.01, 0.99)
times = st.floats(1.0, 1e6)
centres = st.lists(st.builds(Centre, times, st.integers(1, 32)), min_size=1, max_size=6)
queues = st.lists(times.map(Centre), min_size=1, max_size=5)


def throughput(n, think, queues):
    """Throughput by mean value analysis of one class."""
    return exact_mva([n], [think], [[centre.demand] for centre in queues]).throughputs[0]


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
    expected = throughput(n, think, [Centre(service)])
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
    rate = throughput(n, think, queues)
    wide, close = asymptotic_bounds(n, think, queues), balanced_job_bounds(n, think, queues)
    for bound in (wide, close):
        assert bound.lower * (1 - 1e-9) <= rate <= bound.upper * (1 + 1e-9)


@given(n=st.integers(1, 50), demand=times, count=st.integers(1, 6))
def test_balanced_bounds_meet_where_jobs_are_balanced(n, demand, count):
    bound = balanced_job_bounds(n, 0.0, [Centre(demand)] * count)
    assert bound.lower == pytest.approx(bound.upper)
    assert bound.upper == pytest.approx(throughput(n, 0.0, [Centre(demand)] * count))


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


# -- closed networks ------------------------------------------------------------------------


@given(n=st.integers(1, 60), think=st.floats(0, 1e6), queues=queues)
@example(n=2, think=5e-324, queues=[Centre(1.0)])
def test_convolution_and_mean_value_analysis_agree_on_single_servers(n, think, queues):
    one = convolution(n, think, queues)
    other = exact_mva([n], [think], [[centre.demand] for centre in queues])

    assert one.throughputs == pytest.approx(other.throughputs)
    assert one.responses == pytest.approx(other.responses)
    assert [q for (q,) in one.queues] == pytest.approx([q for (q,) in other.queues], rel=1e-6)


@given(n=st.integers(1, 300), think=times, service=times, servers=st.integers(1, 64))
def test_convolution_is_the_machine_repairman(n, think, service, servers):
    expected = machine_repair(n, think, service, servers)
    assert convolution(n, think, [Centre(service, servers)]).throughputs[0] == pytest.approx(
        expected
    )


def test_many_servers_cost_no_digits():
    """Where mean value analysis by marginal probabilities finds 0.233."""
    found = convolution(64, 100.0, [Centre(100.0, 32)])
    assert found.throughputs[0] == pytest.approx(machine_repair(64, 100.0, 100.0, 32), rel=1e-12)


@given(n=st.integers(1, 400), think=st.floats(0, 1e6), centres=centres)
def test_customers_of_a_network_are_somewhere_and_keep_every_bound(n, think, centres):
    """Of several servers as well: nobody is lost, no bound broken, the balanced ones included."""
    found = convolution(n, think, centres)
    rate = found.throughputs[0]

    assert sum(q for (q,) in found.queues) + rate * think == pytest.approx(n)
    for bound in (asymptotic_bounds(n, think, centres), balanced_job_bounds(n, think, centres)):
        assert bound.lower * (1 - 1e-9) <= rate <= bound.upper * (1 + 1e-9)


def test_a_balanced_network_of_several_servers_keeps_the_upper_bound():
    """Which one server c times as fast and a delay did not: few customers meet at four servers."""
    centres = [Centre(20.0, 4), Centre(1.0)]
    rate = convolution(6, 0.0, centres).throughputs[0]
    assert rate <= balanced_job_bounds(6, 0.0, centres).upper


def test_thousands_of_customers_neither_overflow_nor_vanish():
    for think, servers in ((1e6, 32), (0.0, 2_000), (1e6, 2_000)):
        found = convolution(3_000, think, [Centre(1e6, servers), Centre(10.0)])
        assert sum(q for (q,) in found.queues) + found.throughputs[0] * think == pytest.approx(3e3)


def normalisation(populations, thinks, demands):
    """The constant of a product-form network, summed over all that can be where."""
    weight = {(0,) * len(populations): 1.0}
    places = [None, *demands]
    for place in places:
        after: dict = {}
        for there in product(*(range(n + 1) for n in populations)):
            ways = thinks if place is None else place
            some = prod(d**n / factorial(n) for d, n in zip(ways, there, strict=True))
            some *= 1 if place is None else factorial(sum(there))
            for before, value in weight.items():
                state = tuple(a + b for a, b in zip(before, there, strict=True))
                after[state] = after.get(state, 0.0) + value * some
        weight = after
    return weight


@pytest.mark.parametrize("populations", [(3,), (2, 3), (1, 2, 2)])
def test_mean_value_analysis_of_classes_is_the_product_form(populations):
    thinks = [5.0, 20.0, 1.0][: len(populations)]
    demands = [row[: len(populations)] for row in ([1.0, 3.0, 0.0], [8.0, 1.0, 3.0])]
    weight = normalisation(populations, thinks, demands)
    for c, rate in enumerate(exact_mva(populations, thinks, demands).throughputs):
        fewer = tuple(n - (i == c) for i, n in enumerate(populations))
        assert rate == pytest.approx(weight[fewer] / weight[tuple(populations)])


def test_schweitzer_is_exact_for_one_customer_and_the_same_from_anywhere():
    classes = ([4, 6], [5.0, 20.0], [[1.0, 3.0], [8.0, 1.0]])
    found = schweitzer(*classes)
    again = schweitzer(*classes, [[4.0, 0.1], [0.1, 6.0]])

    assert schweitzer([1], [5.0], [[2.0], [3.0]]) == exact_mva([1], [5.0], [[2.0], [3.0]])
    assert again.throughputs == pytest.approx(found.throughputs, rel=1e-6)


@given(n=st.integers(1, 200), think=st.floats(0, 1e6), queues=queues)
def test_schweitzer_keeps_the_asymptotic_bounds(n, think, queues):
    rate = schweitzer([n], [think], [[centre.demand] for centre in queues]).throughputs[0]
    bound = asymptotic_bounds(n, think, queues)
    assert bound.lower * (1 - 1e-6) <= rate <= bound.upper * (1 + 1e-6)


def test_an_open_class_takes_its_share_of_a_server():
    """Against the balance equations: one customer who thinks for 5, arrivals at 1/4, service 1."""
    import numpy as np

    most = 60  # open ones; 0.45 ** 60 is nothing
    states = [(k, here) for k in range(most + 1) for here in (0, 1)]
    number = {state: i for i, state in enumerate(states)}
    balance = np.zeros((len(states), len(states)))
    for k, here in states:
        moves = {(k + 1, here): 0.25, (k, 1): (1 - here) / 5.0}
        if k + here:
            moves |= {(k - 1, here): k / (k + here), (k, 0): here / (k + here)}
        for state, rate in moves.items():
            if state in number and state != (k, here):
                balance[number[state], number[k, here]] += rate
                balance[number[k, here], number[k, here]] -= rate
    balance[-1] = 1.0
    chances = np.linalg.solve(balance, np.eye(len(states))[-1])
    thinks = sum(chances[number[k, 0]] for k in range(most + 1))

    ((demand,),) = mixed([[1.0]], [0.25])
    assert exact_mva([1], [5.0], [[demand]]).throughputs[0] == pytest.approx(thinks / 5.0)


def test_customers_who_take_no_time_are_refused():
    for refused in (
        lambda: convolution(2, 0.0, []),
        lambda: exact_mva([2, 2], [0.0, 1.0], [[0.0, 1.0]]),
        lambda: schweitzer([2, 2], [0.0, 1.0], [[0.0, 1.0]]),
    ):
        with pytest.raises(ParameterError, match="above 0 if nothing is demanded"):
            refused()


# -- drops and moderation -------------------------------------------------------------------


@pytest.mark.parametrize("load", [0.5, 1.0, 2.0])
def test_many_places_do_not_overflow(load):
    lost, response = mm1k(load, 1.0, 2_000)
    assert lost == pytest.approx(max(0.0, 1 - 1 / load), abs=1e-3)
    assert response < 2_001.0


def watched(timer, count, gaps):
    """Entries per signal and mean delay, by a run of the rule's own state: nothing else."""
    state = SimpleNamespace(pending=0, timer=timer, count=count)
    now, due, waiting, signals, delays = 0, None, [], 0, 0.0
    for gap in gaps:
        now += gap
        if due is not None and now >= due:
            signals, delays = signals + 1, delays + sum(due - at for at in waiting)
            state.pending, due, waiting = 0, None, []
        state.pending, waiting = state.pending + 1, [*waiting, now]
        after = rule.due(state)
        if after == 0:
            signals, delays = signals + 1, delays + sum(now - at for at in waiting)
            state.pending, due, waiting = 0, None, []
        elif after > 0:
            due = now + after
    told = len(gaps) - len(waiting)
    return told / signals, delays / told


@pytest.mark.parametrize("count", [0, 1, 2, 4, 16])
@pytest.mark.parametrize("mean", [0.1, 1.0, 3.0, 20.0])
def test_moderation_is_its_rule_run_alone(count, mean):
    """20,000 Poisson entries: numbers per signal vary by less than their mean.

    So do delays; five standard errors of as many cycles as there are.
    """
    timer, random = 1_000_000, Random(1)
    gaps = [max(1, round(random.expovariate(mean / timer))) for _ in range(20_000)]
    entries, delay = watched(timer, count, gaps)
    error = 5 / (20_000 / entries) ** 0.5

    assert entries == pytest.approx(entries_per_signal(mean / timer, timer, count), rel=error)
    assert delay == pytest.approx(moderation_delay(mean / timer, timer, count), rel=error)
