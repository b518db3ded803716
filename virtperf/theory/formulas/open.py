"""Single queues with open arrivals.

References
----------
.. [1] L. Kleinrock, "Queueing Systems, Volume 1: Theory", Wiley, 1975.
.. [4] L. Kleinrock, "Queueing Systems, Volume 2: Computer Applications", Wiley, 1976.
.. [5] H. Takagi, "Queueing Analysis, Volume 1: Vacation and Priority Systems", North-Holland,
   1991; the set-up first in P. D. Welch, "On a generalized M/G/1 queuing process in which the
   first customer of each busy period receives exceptional service", Operations Research 12, 1964.
"""

from collections.abc import Sequence
from math import exp, log

from virtperf.errors import ParameterError
from virtperf.theory.formulas.checks import load_of, servers_of


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
    load = load_of("mg1", rate, service_ns, 1)
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
    load = load_of("erlang_c", offered, 1.0, servers)
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
    load = load_of("mmc", rate, service_ns, servers)
    return service_ns + erlang_c(servers, rate * service_ns) * service_ns / (servers * (1 - load))


def priority(
    rates: Sequence[float], services_ns: Sequence[float], scvs: Sequence[float] | None = None
) -> tuple[float, ...]:
    """Mean response times of M/G/1 with preemptive-resume priorities; Kleinrock [4]_, section 3.4.

    Parameters
    ----------
    rates, services_ns : sequence of float
        Arrivals per unit of time and mean service time of each class, the most urgent first.
    scvs : sequence of float, optional
        Squared coefficients of variation of the service times; 1 by default.

    Returns
    -------
    tuple of float
        Mean time from arrival to departure of each class.

    Examples
    --------
    >>> priority([0.25, 0.25], [1.0, 1.0])
    (1.3333333333333333, 2.6666666666666665)
    """
    scvs = [1.0] * len(rates) if scvs is None else scvs
    responses, above, rest = [], 0.0, 0.0
    for rate, service, scv in zip(rates, services_ns, scvs, strict=True):
        with_ours = above + rate * service
        load_of("priority", with_ours, 1.0, 1)
        rest += rate * service**2 * (1 + scv) / 2
        responses.append(service / (1 - above) + rest / ((1 - above) * (1 - with_ours)))
        above = with_ours
    return tuple(responses)


def mg1_setup(
    rate: float, service_ns: float, scv: float, setup_ns: float, setup_square: float | None = None
) -> float:
    """Mean response time of M/G/1 whose server needs a set-up when it is woken; Takagi [5]_.

    The server sleeps when it has nothing to do; the first arrival starts the set-up, and all wait
    for its end. A server that polls for a time w before it sleeps has a set-up of mean p D and
    second moment p D^2, where p = exp(-rate w) is the chance that nobody comes while it polls.

    Parameters
    ----------
    rate, service_ns, scv : float
        As in `mg1`.
    setup_ns, setup_square : float
        Mean and second moment of the set-up; by default it is constant.

    Returns
    -------
    float
        Mean time from arrival to departure.

    Examples
    --------
    >>> mg1_setup(0.5, 1.0, 1.0, 0.0)
    2.0
    >>> mg1_setup(0.5, 1.0, 1.0, 2.0)
    3.5
    """
    square = setup_ns**2 if setup_square is None else setup_square
    waits = (2 * setup_ns + rate * square) / (2 * (1 + rate * setup_ns))
    return mg1(rate, service_ns, scv) + waits


def mm1k(rate: float, service_ns: float, places: int) -> tuple[float, float]:
    """Loss and mean response time of M/M/1/K; Kleinrock [1]_, section 3.6.

    Parameters
    ----------
    rate, service_ns : float
        As in `mm1`; any load has a steady state.
    places : int
        Requests that are in the system at most, the one in service included.

    Returns
    -------
    lost : float
        Share of the arrivals that find no place.
    response : float
        Mean time from arrival to departure of the others.

    Raises
    ------
    ParameterError
        If a number makes no sense.

    Examples
    --------
    >>> mm1k(1.0, 1.0, 1)
    (0.5, 1.0)
    """
    servers_of("mm1k", places)
    if rate <= 0 or service_ns <= 0:
        raise ParameterError("mm1k", "rate, service_ns", "above 0", (rate, service_ns))
    step = log(rate * service_ns)
    most = max(0.0, places * step)
    weights = [exp(n * step - most) for n in range(places + 1)]  # powers overflow
    total = sum(weights)
    lost = weights[-1] / total
    inside = sum(n * weight for n, weight in enumerate(weights)) / total
    return lost, inside / (rate * (1 - lost))
