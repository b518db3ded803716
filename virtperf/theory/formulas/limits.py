"""Bounds of closed networks, from demands alone.

References
----------
.. [2] E. D. Lazowska, J. Zahorjan, G. S. Graham, K. C. Sevcik, "Quantitative System
   Performance", Prentice-Hall, 1984.
.. [3] A. Seidmann, P. J. Schweitzer, S. Shalev-Oren, "Computerized closed queueing network
   models of flexible manufacturing systems", Large Scale Systems 12, 1987.
"""

from collections.abc import Sequence
from math import inf

from virtperf.theory.formulas.checks import Centre, Range, network


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
    network("asymptotic_bounds", n, think_ns, centres)
    total = sum(centre.demand for centre in centres)
    narrowest = max((centre.demand / centre.servers for centre in centres), default=0.0)
    return Range(
        lower=_per(n, n * total + think_ns),
        upper=min(_per(1, narrowest), _per(n, total + think_ns)),
    )


def balanced_job_bounds(n: int, think_ns: float, centres: Sequence[Centre]) -> Range:
    """Throughput bounds of a closed product-form network; [2]_, section 5.4.

    For the lower bound a station of c servers stands for one server c times as fast and a delay
    of the rest of its demand [3]_; for the upper one nobody waits there at all, unless it is the
    bottleneck. The bounds hold where service is exponential or resources are shared without
    priority; a system with batches or constant service times may do better than the upper one.

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
    network("balanced_job_bounds", n, think_ns, centres)
    total = sum(centre.demand for centre in centres)
    shares = [centre.demand / centre.servers for centre in centres]
    single = [centre.demand for centre in centres if centre.servers == 1 and centre.demand > 0]
    narrowest = max(shares, default=0.0)
    slow = (n - 1) * narrowest * _queueing(n, sum(shares), think_ns + total - sum(shares))
    evenly = sum(single) / max(1, len(single))
    fast = (n - 1) * evenly * _queueing(1, sum(single), think_ns + total - sum(single))
    return Range(
        lower=_per(n, total + think_ns + slow),
        upper=min(_per(1, narrowest), _per(n, total + think_ns + fast)),
    )


def _queueing(n: int, queues: float, away: float) -> float:
    """Return the share of its time that a customer spends in queues, were it served n times."""
    return n * queues / (n * queues + away) if queues else 0.0


def _per(count: float, time: float) -> float:
    return count / time if time > 0 else inf
