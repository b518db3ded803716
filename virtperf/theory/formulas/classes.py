"""Networks of several classes of customers at single servers: closed, exact or not, and mixed.

References
----------
.. [2] E. D. Lazowska, J. Zahorjan, G. S. Graham, K. C. Sevcik, "Quantitative System
   Performance", Prentice-Hall, 1984.
.. [7] M. Reiser, S. S. Lavenberg, "Mean-value analysis of closed multichain queuing networks",
   J. ACM 27, 1980.
.. [8] P. J. Schweitzer, "Approximate analysis of multiclass closed networks of queues", Int. Conf.
   on Stochastic Control and Optimization, Amsterdam, 1979.
"""

from collections.abc import Sequence
from itertools import product
from math import prod

from virtperf.errors import ParameterError
from virtperf.theory.formulas.checks import Means, customers

STEPS = 400_000  # products that exact analysis forms at most: about a fifth of a second
SETTLED = 1e-8  # change per customer at which an iteration has converged
Rows = Sequence[Sequence[float]]


def mva_steps(populations: Sequence[int], centres: int) -> int:
    """Return how many products `exact_mva` forms."""
    return prod(n + 1 for n in populations) * len(populations) * max(1, centres)


def exact_mva(populations: Sequence[int], thinks_ns: Sequence[float], demands: Rows) -> Means:
    """Exact mean value analysis of several classes at single servers; Reiser and Lavenberg [7]_.

    Parameters
    ----------
    populations : sequence of int
        Customers of each class.
    thinks_ns : sequence of float
        Time away of each class.
    demands : sequence of sequence of float
        ``demands[k][c]`` is what class c needs of centre k.

    Returns
    -------
    Means

    Raises
    ------
    ParameterError
        If a class spends no time anywhere, or the analysis takes too many steps.

    Examples
    --------
    >>> exact_mva([1, 1], [0.0, 0.0], [[1.0, 1.0]]).throughputs
    (0.5, 0.5)
    """
    _check("exact_mva", populations, thinks_ns, demands)
    if (steps := mva_steps(populations, len(demands))) > STEPS:
        raise ParameterError("exact_mva", "populations", f"for at most {STEPS} steps", steps)
    classes = range(len(populations))
    found: dict[tuple[int, ...], list[float]] = {(0,) * len(populations): [0.0] * len(demands)}
    rates, stays = [0.0] * len(populations), [[0.0] * len(populations) for _ in demands]
    for state in product(*(range(n + 1) for n in populations)):
        present = [c for c in classes if state[c]]
        for c in present:
            fewer = found[tuple(n - (i == c) for i, n in enumerate(state))]
            for k, row in enumerate(demands):
                stays[k][c] = row[c] * (1 + fewer[k])
            rates[c] = state[c] / (thinks_ns[c] + sum(stay[c] for stay in stays))
        found[state] = [sum(rates[c] * stay[c] for c in present) for stay in stays]
    return _means(rates, stays)


def schweitzer(
    populations: Sequence[int], thinks_ns: Sequence[float], demands: Rows, start: Rows | None = None
) -> Means:
    """Approximate mean value analysis of several classes at single servers; Schweitzer [8]_.

    What a customer finds is taken to be the mean queue less its own class's share of it. Within
    a few percent of the exact solution as a rule.

    Parameters
    ----------
    populations, thinks_ns, demands
        As in `exact_mva`. A think time may be below 0 if part of a demand is no time of its own.
    start : sequence of sequence of float, optional
        Queues to start from, those of a similar network; by default equal ones.

    Returns
    -------
    Means
    """
    _check("schweitzer", populations, thinks_ns, demands)
    used = [
        [(k, row[c]) for k, row in enumerate(demands) if row[c]] for c in range(len(populations))
    ]
    queues = [[0.0] * len(populations) for _ in demands]
    for c, n in enumerate(populations):
        for k, _ in used[c]:
            queues[k][c] = start[k][c] if start is not None else n / len(used[c])
    while True:
        seen = [sum(row) for row in queues]
        rates, stays = [0.0] * len(populations), [[0.0] * len(populations) for _ in demands]
        moved = 0.0
        for c, n in enumerate(populations):
            for k, demand in used[c]:
                stays[k][c] = demand * (1 + seen[k] - queues[k][c] / n)
            rates[c] = n / (thinks_ns[c] + sum(stays[k][c] for k, _ in used[c]))
            for k, _ in used[c]:
                moved = max(moved, abs(rates[c] * stays[k][c] - queues[k][c]) / n)
                queues[k][c] = rates[c] * stays[k][c]
        if moved <= SETTLED:
            return _means(rates, stays)


def mixed(demands: Rows, open_loads: Sequence[float]) -> tuple[tuple[float, ...], ...]:
    """Reduce a mixed network of single servers to a closed one; Lazowska et al. [2]_, section 7.4.

    Closed customers find servers that are left a share 1 - load by the open ones; an open customer
    then stays D (1 + closed queue) / (1 - load).

    Parameters
    ----------
    demands : sequence of sequence of float
        Of the closed classes, as in `exact_mva`.
    open_loads : sequence of float
        Utilization of each centre by all open classes together.

    Returns
    -------
    tuple of tuple of float
        Demands of the closed classes alone on the servers that are left to them.

    Raises
    ------
    ParameterError
        If open classes bring more than a centre can serve.

    Examples
    --------
    >>> mixed([[1.0]], [0.5])
    ((2.0,),)
    """
    for load in open_loads:
        if not 0 <= load < 1:
            raise ParameterError("mixed", "open_loads", "in [0, 1)", load)
    return tuple(
        tuple(ticks / (1 - load) for ticks in row)
        for row, load in zip(demands, open_loads, strict=True)
    )


def _check(
    owner: str, populations: Sequence[int], thinks_ns: Sequence[float], demands: Rows
) -> None:
    for c, (population, think) in enumerate(zip(populations, thinks_ns, strict=True)):
        total = think + sum(row[c] for row in demands)
        customers(owner, population, max(0.0, total))
        if total <= 0:
            raise ParameterError(owner, "thinks_ns", "above 0 if nothing is demanded", think)


def _means(rates: Sequence[float], stays: Rows) -> Means:
    classes = range(len(rates))
    return Means(
        tuple(rates),
        tuple(sum(stay[c] for stay in stays) for c in classes),
        tuple(tuple(rates[c] * stay[c] for c in classes) for stay in stays),
    )
