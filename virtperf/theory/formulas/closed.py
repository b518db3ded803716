"""Closed systems: the machine repairman, and mean value analysis of networks.

References
----------
.. [1] L. Kleinrock, "Queueing Systems, Volume 1: Theory", Wiley, 1975.
.. [6] M. Reiser, S. S. Lavenberg, "Mean-value analysis of closed multichain queuing networks",
   J. ACM 27, 1980.
.. [7] P. J. Schweitzer, "Approximate analysis of multiclass closed networks of queues", Int. Conf.
   on Stochastic Control and Optimization, Amsterdam, 1979.
"""

from collections.abc import Sequence
from itertools import accumulate, product
from math import exp, inf, log
from typing import NamedTuple

from virtperf.errors import ParameterError
from virtperf.theory.formulas.checks import Centre, customers, network, servers_of

STATES = 200_000  # populations that exact analysis goes through at most
SETTLED = 1e-10  # relative change at which an iteration has converged


class Means(NamedTuple):
    """What mean value analysis says of a closed network, per class of customers.

    `queues[k][c]` is the mean number of class c at centre k, those in service included.
    """

    throughputs: tuple[float, ...]
    responses: tuple[float, ...]
    queues: tuple[tuple[float, ...], ...]


def machine_repair(n: int, think_ns: float, service_ns: float, servers: int) -> float:
    """Throughput of N customers who think and then need one of c servers.

    The closed M/M/c of the machine repairman (M/M/c//N): exponential think times, exponential
    service; Kleinrock [1]_, section 3.8.

    Parameters
    ----------
    n : int
        Customers.
    think_ns : float
        Mean time between the end of a service and the next arrival of that customer.
    service_ns : float
        Mean service time of one server.
    servers : int
        Servers in parallel.

    Returns
    -------
    float
        Services per unit of time. By Little's law the mean response time is
        ``n / throughput - think_ns``.

    Examples
    --------
    >>> machine_repair(1, 30.0, 10.0, 1)
    0.025
    >>> machine_repair(32, 0.0, 80.0, 8)
    0.1
    """
    customers("machine_repair", n, think_ns)
    servers_of("machine_repair", servers)
    if service_ns <= 0:
        raise ParameterError("machine_repair", "service_ns", "above 0", service_ns)
    if think_ns == 0:
        return min(n, servers) / service_ns
    steps = (log((n - k) * service_ns / (think_ns * min(k + 1, servers))) for k in range(n))
    logs = list(accumulate(steps, initial=0.0))  # logarithms: weights overflow for large n
    largest = max(logs)
    weights = [exp(value - largest) for value in logs]
    busy = sum(weight * min(k, servers) for k, weight in enumerate(weights))
    return busy / (sum(weights) * service_ns)


def machine_repair_response(n: int, think_ns: float, service_ns: float, servers: int) -> float:
    """Mean response time of the machine repairman; parameters as `machine_repair`.

    Returns
    -------
    float
        Mean time from arrival at the servers to departure.

    Examples
    --------
    >>> machine_repair_response(32, 0.0, 80.0, 8)
    320.0
    """
    return n / machine_repair(n, think_ns, service_ns, servers) - think_ns


def exact_mva(n: int, think_ns: float, centres: Sequence[Centre]) -> Means:
    """Exact mean value analysis of one class of customers; Reiser and Lavenberg [6]_.

    Parameters
    ----------
    n : int
        Customers.
    think_ns : float
        Mean time a customer spends away from all centres.
    centres : sequence of Centre
        First come first served with exponential service, or processor sharing; a centre of
        several servers is exact by its marginal probabilities.

    Returns
    -------
    Means
        Of the single class.

    Examples
    --------
    >>> exact_mva(2, 0.0, [Centre(1.0), Centre(1.0)]).throughputs
    (0.6666666666666666,)
    """
    network("exact_mva", n, think_ns, centres)
    queues = [0.0] * len(centres)
    marginal = [[1.0] + [0.0] * (centre.servers - 1) for centre in centres]
    stays, rate = [0.0] * len(centres), 0.0
    for k in range(1, n + 1):
        stays = [_stay(c, q, p) for c, q, p in zip(centres, queues, marginal, strict=True)]
        total = think_ns + sum(stays)
        rate = k / total if total > 0 else inf
        queues = [rate * stay if stay else 0.0 for stay in stays]
        for centre, p in zip(centres, marginal, strict=True):
            _advance(centre, p, rate)
    return Means((rate,), (sum(stays),), tuple((queue,) for queue in queues))


def _stay(centre: Centre, queue: float, marginal: Sequence[float]) -> float:
    """Return the response at a centre whose queue is what one customer fewer would find."""
    idle = sum((centre.servers - 1 - j) * p for j, p in enumerate(marginal[:-1]))
    return centre.demand / centre.servers * (1 + queue + idle)


def _advance(centre: Centre, marginal: list[float], rate: float) -> None:
    """Move the probabilities of 0 to servers - 1 customers on by one customer of the network."""
    busy = rate * centre.demand if centre.demand else 0.0
    after = [busy / j * marginal[j - 1] for j in range(1, centre.servers)]
    used = sum((centre.servers - j) * p for j, p in enumerate(after, start=1))
    marginal[1:] = after
    marginal[0] = max(0.0, 1 - (busy + used) / centre.servers)


def exact_mva_classes(
    populations: Sequence[int], thinks_ns: Sequence[float], demands: Sequence[Sequence[float]]
) -> Means:
    """Exact mean value analysis of several classes at single servers; [6]_.

    Parameters
    ----------
    populations : sequence of int
        Customers of each class.
    thinks_ns : sequence of float
        Time away of each class.
    demands : sequence of sequence of float
        ``demands[k][c]`` is what class c needs of centre k.

    Raises
    ------
    ParameterError
        If there are more populations to go through than can be afforded.
    """
    states = 1
    for population in populations:
        states *= population + 1
    if states > STATES:
        raise ParameterError("exact_mva_classes", "populations", f"up to {STATES} states", states)
    classes = range(len(populations))
    found: dict[tuple[int, ...], list[float]] = {(0,) * len(populations): [0.0] * len(demands)}
    rates, stays = [0.0] * len(populations), [[0.0] * len(populations) for _ in demands]
    for state in product(*(range(n + 1) for n in populations)):
        if not any(state):
            continue
        rates = [0.0] * len(populations)
        for c in classes:
            if state[c]:
                fewer = found[tuple(n - (i == c) for i, n in enumerate(state))]
                for k, row in enumerate(demands):
                    stays[k][c] = row[c] * (1 + fewer[k])
                rates[c] = state[c] / (thinks_ns[c] + sum(stay[c] for stay in stays))
        found[state] = [sum(rates[c] * stay[c] for c in classes if state[c]) for stay in stays]
    responses = tuple(sum(stay[c] for stay in stays) for c in classes)
    queues = tuple(tuple(rates[c] * stay[c] for c in classes) for stay in stays)
    return Means(tuple(rates), responses, queues)


def schweitzer(
    populations: Sequence[int], thinks_ns: Sequence[float], demands: Sequence[Sequence[float]]
) -> Means:
    """Approximate mean value analysis of several classes at single servers; Schweitzer [7]_.

    What a customer finds is taken to be the mean queue less its own class's share of it. Within
    a few percent of the exact solution as a rule; parameters as in `exact_mva_classes`.
    """
    for population, think in zip(populations, thinks_ns, strict=True):
        customers("schweitzer", population, think)
    classes = range(len(populations))
    queues = [[n / len(demands) for n in populations] for _ in demands]
    rates, stays = [0.0] * len(populations), [[0.0] * len(populations) for _ in demands]
    while True:
        for k, row in enumerate(demands):
            for c in classes:
                others = sum(queues[k]) - queues[k][c] / populations[c]
                stays[k][c] = row[c] * (1 + others)
        rates = [populations[c] / (thinks_ns[c] + sum(stay[c] for stay in stays)) for c in classes]
        after = [[rates[c] * stay[c] for c in classes] for stay in stays]
        pairs = [
            pair
            for old, new in zip(queues, after, strict=True)
            for pair in zip(old, new, strict=True)
        ]
        queues = after
        if all(abs(new - old) <= SETTLED * max(new, 1e-30) for old, new in pairs):
            break
    responses = tuple(sum(stay[c] for stay in stays) for c in classes)
    return Means(tuple(rates), responses, tuple(tuple(row) for row in queues))


def _settled(before: Sequence[float], after: Sequence[float]) -> bool:
    pairs = zip(before, after, strict=True)
    return all(abs(new - old) <= SETTLED * max(new, SETTLED) for old, new in pairs)
