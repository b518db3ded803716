"""Textbook queueing results in closed form. Pure functions of numbers; knows no system.

Times are in ns, rates and throughputs per ns; any other unit works as well, used throughout.

References
----------
.. [1] L. Kleinrock, "Queueing Systems, Volume 1: Theory", Wiley, 1975.
.. [2] E. D. Lazowska, J. Zahorjan, G. S. Graham, K. C. Sevcik, "Quantitative System
   Performance", Prentice-Hall, 1984.
.. [3] A. Seidmann, P. J. Schweitzer, S. Shalev-Oren, "Computerized closed queueing network
   models of flexible manufacturing systems", Large Scale Systems 12, 1987.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import exp, inf, log
from typing import NamedTuple

from virtperf.errors import ParameterError


class Centre(NamedTuple):
    """A resource of a closed network: time one request needs of it, and how many serve."""

    demand: float
    servers: int = 1


class Range(NamedTuple):
    """The least and the most a quantity can be."""

    lower: float
    upper: float


def mm1(rate: float, service_ns: float) -> float:
    """Mean response time of M/M/1: service / (1 - load); Kleinrock [1]_, section 3.2.

    Parameters
    ----------
    rate : float
        Arrivals per unit of time.
    service_ns : float
        Mean service time.

    Returns
    -------
    float
        Mean time from arrival to departure.

    Raises
    ------
    ParameterError
        If the load is 1 or more: there is no steady state.

    Examples
    --------
    >>> mm1(0.5, 1.0)
    2.0
    """
    return mg1(rate, service_ns, 1.0)


def mg1(rate: float, service_ns: float, scv: float) -> float:
    """Mean response time of M/G/1 (Pollaczek-Khinchine); Kleinrock [1]_, section 5.6.

    Parameters
    ----------
    rate : float
        Arrivals per unit of time.
    service_ns : float
        Mean service time.
    scv : float
        Squared coefficient of variation of the service time: 0 for M/D/1, 1 for M/M/1.

    Returns
    -------
    float
        Mean time from arrival to departure.

    Examples
    --------
    >>> mg1(0.5, 1.0, 0.0)
    1.5
    """
    load = _load("mg1", rate, service_ns, 1)
    return service_ns + load * service_ns * (1 + scv) / (2 * (1 - load))


def erlang_c(servers: int, offered: float) -> float:
    """Probability that an arrival at M/M/c has to wait; Kleinrock [1]_, section 3.5.

    Parameters
    ----------
    servers : int
        Servers in parallel, at least 1.
    offered : float
        Arrival rate times mean service time, below `servers`.

    Returns
    -------
    float
        Probability in [0, 1].

    Examples
    --------
    >>> round(erlang_c(2, 1.0), 6)
    0.333333
    """
    load = _load("erlang_c", offered, 1.0, servers)
    blocked = 1.0  # Erlang B by its recursion: no factorial, so any number of servers
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked / (1 - load * (1 - blocked))


def mmc(rate: float, service_ns: float, servers: int) -> float:
    """Mean response time of M/M/c; Kleinrock [1]_, section 3.5.

    Parameters
    ----------
    rate : float
        Arrivals per unit of time.
    service_ns : float
        Mean service time of one server.
    servers : int
        Servers in parallel.

    Returns
    -------
    float
        Mean time from arrival to departure.
    """
    load = _load("mmc", rate, service_ns, servers)
    return service_ns + erlang_c(servers, rate * service_ns) * service_ns / (servers * (1 - load))


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
    _customers("machine_repair", n, think_ns)
    _servers("machine_repair", servers)
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


def asymptotic_bounds(n: int, think_ns: float, centres: Sequence[Centre]) -> Range:
    """Throughput bounds of a closed network, whatever its distributions; [2]_, section 5.2.

    Parameters
    ----------
    n : int
        Customers.
    think_ns : float
        Mean think time.
    centres : sequence of Centre
        Demand and servers of every resource; ``Centre(5.0, 2)`` is 5 time units at 2 servers.

    Returns
    -------
    Range
        Requests per unit of time: at least N / (N D + Z), at most min(c / D_max, N / (D + Z)).

    Examples
    --------
    >>> asymptotic_bounds(10, 5.0, [Centre(4.0), Centre(1.0)])
    Range(lower=0.18181818181818182, upper=0.25)
    """
    _network("asymptotic_bounds", n, think_ns, centres)
    total = sum(centre.demand for centre in centres)
    narrowest = max((centre.demand / centre.servers for centre in centres), default=0.0)
    return Range(
        lower=_per(n, n * total + think_ns),
        upper=min(_per(1, narrowest), _per(n, total + think_ns)),
    )


def balanced_job_bounds(n: int, think_ns: float, centres: Sequence[Centre]) -> Range:
    """Throughput bounds of a closed product-form network; [2]_, section 5.4.

    A station of c servers stands for one server c times as fast and a delay of the rest of its
    demand [3]_: exact at one customer and in saturation, an approximation between. The bounds
    hold where service is exponential or resources are shared without priority; a system with
    batches or constant service times may do better than the upper one.

    Parameters
    ----------
    n : int
        Customers.
    think_ns : float
        Mean think time.
    centres : sequence of Centre
        Demand and servers of every resource.

    Returns
    -------
    Range
        Requests per unit of time.

    Examples
    --------
    >>> balanced_job_bounds(10, 0.0, [Centre(1.0), Centre(1.0)])
    Range(lower=0.9090909090909091, upper=0.9090909090909091)
    """
    _network("balanced_job_bounds", n, think_ns, centres)
    queues = [centre.demand / centre.servers for centre in centres if centre.demand > 0]
    total, most = sum(queues), max(queues, default=0.0)
    if not queues:
        return Range(lower=_per(n, think_ns), upper=_per(n, think_ns))
    away = think_ns + sum(centre.demand for centre in centres) - total
    slow = (n - 1) * most / (1 + away / (n * total))
    fast = (n - 1) * total / len(queues) / (1 + away / total)
    return Range(
        lower=_per(n, total + away + slow),
        upper=min(_per(1, most), _per(n, total + away + fast)),
    )


def _per(count: float, time: float) -> float:
    return count / time if time > 0 else inf


def _customers(owner: str, n: int, think_ns: float) -> None:
    if n < 1:
        raise ParameterError(owner, "n", "at least 1", n)
    if think_ns < 0:
        raise ParameterError(owner, "think_ns", "0 or more", think_ns)


def _network(owner: str, n: int, think_ns: float, centres: Sequence[Centre]) -> None:
    _customers(owner, n, think_ns)
    for centre in centres:
        _servers(owner, centre.servers)


def _servers(owner: str, servers: int) -> None:
    if servers < 1:
        raise ParameterError(owner, "servers", "at least 1", servers)


def _load(owner: str, rate: float, service_ns: float, servers: int) -> float:
    _servers(owner, servers)
    load = rate * service_ns / servers
    if not 0 <= load < 1:
        raise ParameterError(owner, "load", "in [0, 1), or there is no steady state", load)
    return load
