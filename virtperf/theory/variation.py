"""How much what requests need varies from one to the next, and with it a short run."""

from virtperf.dist import Empirical, Mmpp
from virtperf.tables import NONE, DrawKind, DrawRow, SourceRow, System
from virtperf.theory.bounds import upper
from virtperf.theory.capacity import Resource
from virtperf.theory.demand import demands, each_way
from virtperf.theory.itinerary import may_lack_credit, think_ticks

BINDS = 1 - 1e-9  # a utilization that is 1 but for rounding


def variation(system: System) -> float:
    """Return the largest squared coefficient of variation of what sets the throughput bound.

    That is what requests need of the resources that the bound fills, their time with thinking, or
    the gaps between arrivals. Over n requests, the bound is known to sqrt(variation / n).

    Parameters
    ----------
    system : System

    Returns
    -------
    float
        0 if every request needs the same.
    """
    rows, rates = upper(system, demands(system).least)
    binding = [row for row in rows if row.load(rates) >= BINDS]
    return max(
        max(_of_requests(system, source, s, binding), _of_gaps(system, source))
        for s, source in enumerate(system.sources)
    )


def _of_gaps(system: System, source: SourceRow) -> float:
    return 0.0 if source.gap == NONE else of_draws(system, system.draws[source.gap])


def _of_requests(system: System, source: SourceRow, s: int, binding: list[Resource]) -> float:
    """Return that of the requests of one source, over classes, ways and draws.

    The parts of a way vary by v at most, whether they are drawn together or each by itself; so
    its second moment is at most (1 + v) times the square of its mean.
    """
    drawn = [row for row in system.draws[slice(*source.draws)] if row.kind != DrawKind.CHOICE]
    drawn += [system.draws[source.think]] if source.think != NONE else []
    most = max((of_draws(system, row) for row in drawn), default=0.0)
    if may_lack_credit(system, source):  # its bound is that of one way
        return most
    needs: list[list[tuple[float, float]]] = [[] for _ in (*binding, "time")]
    for way, chance in each_way(system, source):
        time = way.latency + think_ticks(system, source)
        of_way = [*(row.part(way) for row in binding), time]
        for need, ticks in zip(needs, of_way, strict=True):
            need.append((ticks, chance))
    timed = needs if source.gap == NONE else needs[:-1]
    return max(((1 + most) * (1 + _mixture(need)) - 1 for need in timed), default=0.0)


def _mixture(values: list[tuple[float, float]]) -> float:
    """Return the squared coefficient of variation of values with chances; 0 if all are 0."""
    mean = sum(value * chance for value, chance in values)
    square = sum(value**2 * chance for value, chance in values)
    return max(0.0, square / mean**2 - 1) if mean else 0.0


def of_draws(system: System, row: DrawRow) -> float:
    """Return that of a row of draws; of gaps that hang together, of the number of arrivals."""
    points = slice(*row.values)
    if row.kind == DrawKind.EXPONENTIAL:
        return 1.0
    if row.kind in (DrawKind.LOGNORMAL, DrawKind.GAMMA):
        return row.b**2
    if row.kind == DrawKind.EMPIRICAL:
        return Empirical(system.values[points], system.weights[points]).scv
    if row.kind == DrawKind.MMPP:
        return Mmpp(system.values[points], system.weights[points]).dispersion
    return 0.0
