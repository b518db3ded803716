"""Closed systems of one class of customers: the machine repairman, and networks.

References
----------
.. [1] L. Kleinrock, "Queueing Systems, Volume 1: Theory", Wiley, 1975.
.. [6] J. P. Buzen, "Computational algorithms for closed queueing networks with exponential
   servers", Communications of the ACM 16, 1973.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from math import exp, inf, log
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.theory.formulas.checks import Centre, Means, customers, network, servers_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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


def convolution(n: int, think_ns: float, centres: Sequence[Centre]) -> Means:
    """Exact means of a closed product-form network of one class; Buzen [6]_.

    The chances of j customers at a centre are ``f[j] * others[n - j] / whole[n]``, where ``f`` is
    the series D^j / (1 2 ... c c ...) of the centre and `whole` the convolution of all of them:
    sums of positive terms, hence as accurate with many servers as with one. (Mean value analysis
    subtracts to find the chance that a server is free, and loses all digits.)

    Parameters
    ----------
    n : int
        Customers.
    think_ns : float
        Mean time a customer spends away from all centres.
    centres : sequence of Centre
        First come first served with exponential service, or processor sharing; where there are as
        many servers as customers, service of any distribution.

    Returns
    -------
    Means
        Of the single class.

    Raises
    ------
    ParameterError
        If customers spend no time anywhere.

    Examples
    --------
    >>> convolution(2, 0.0, [Centre(1.0), Centre(1.0)]).throughputs
    (0.6666666666666666,)
    """
    network("convolution", n, think_ns, centres)
    narrowest = max((centre.demand / centre.servers for centre in centres), default=0.0)
    total = sum(centre.demand for centre in centres)
    cycle = max(narrowest, (think_ns + total) / n)  # unit of time in which no term grows far
    if cycle <= 0:
        raise ParameterError("convolution", "think_ns", "above 0 if nothing is demanded", think_ns)
    away = _series(n, think_ns / cycle, n)
    series = [_series(n, centre.demand / cycle, centre.servers) for centre in centres]
    whole = reduce(_convolved, series, away)
    queues = []
    for k, ours in enumerate(series):
        others = reduce(_convolved, series[:k] + series[k + 1 :], away)
        queues.append(float(sum(j * ours[j] * others[n - j] for j in range(n + 1)) / whole[n]))
    rate = float(whole[n - 1] / whole[n]) / cycle
    return Means((rate,), (sum(queues) / rate,), tuple((queue,) for queue in queues))


def _series(n: int, demand: float, servers: int) -> NDArray[np.float64]:
    """Return weights of 0 to n customers at a centre; by logarithms, the largest set to 1."""
    import numpy as np

    one = log(demand) if demand else -inf
    logs = list(accumulate((one - log(min(j, servers)) for j in range(1, n + 1)), initial=0.0))
    weights: NDArray[np.float64] = np.exp(np.array(logs) - max(logs))
    return weights


def _convolved(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    product: NDArray[np.float64] = np.convolve(a, b)
    return product[: len(a)]
