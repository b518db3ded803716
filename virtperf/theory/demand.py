"""How much of each resource a request needs, at two extremes between which every run lies."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from virtperf.tables import SourceRow, System
from virtperf.theory.itinerary import Stay, classes_of, may_lack_credit, successes, ways
from virtperf.theory.tally import Demand, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """The demand of each source at the two extremes.

    Attributes
    ----------
    least : tuple of Demand, per source
        The largest batches: bells that can be suppressed never ring, the others cost what the
        cheapest state of their consumer costs (nearly always `active`), and what a turn costs is
        shared by so many that nothing is left of it. Where requests may go another way for want
        of a credit, nobody knows how many do: each number is that of the way that needs least.
    most : tuple of Demand, per source
        Every turn serves one request, every bell rings and finds its consumer asleep.
    """

    least: tuple[Demand, ...]
    most: tuple[Demand, ...]


def demands(system: System) -> Demands:
    """Return the service demands of every source.

    Parameters
    ----------
    system : System

    Returns
    -------
    Demands
        In ticks per request.
    """
    return Demands(
        least=tuple(_least(system, row) for row in system.sources),
        most=tuple(Tally(system, row, most=True).demand() for row in system.sources),
    )


def _least(system: System, source: SourceRow) -> Demand:
    if not may_lack_credit(system, source):
        return Tally(system, source, most=False).demand()
    each = [
        _of_way(system, source, stays)
        for row, _ in classes_of(system, source)
        for stays in successes(system, source, row)
    ]
    return Demand(
        workers=_smallest([way.workers for way in each]),
        stations=_smallest([way.stations for way in each]),
        aside=_smallest([way.aside for way in each]),
        visits=_smallest([way.visits for way in each]),
        delay=min((way.delay for way in each), default=0.0),
        latency=min((way.latency for way in each), default=0.0),
    )


def each_way(system: System, source: SourceRow) -> list[tuple[Demand, float]]:
    """Return the least demand of every way that requests of a source take, and its chance."""
    return [
        (_of_way(system, source, stays), share * chance)
        for row, share in classes_of(system, source)
        for stays, chance in ways(system, source, row)
    ]


def _of_way(system: System, source: SourceRow, stays: Iterable[Stay]) -> Demand:
    tally = Tally(system, source, most=False)
    tally.go(stays, 1.0)
    return tally.total()


def _smallest(each: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return the smallest value of each name; one that is missing somewhere is 0 there."""
    each = list(each)
    names = set.intersection(*map(set, each)) if each else set()
    return {name: min(way[name] for way in each) for name in sorted(names)}


def ticking(system: System) -> dict[str, float]:
    """Return the share of each worker's time that its timers take at the least.

    A timer that is silent while its worker sleeps may take nothing.
    """
    taken: dict[str, float] = defaultdict(float)
    nobody = system.sources[0]  # a timer's path draws nothing
    for timer in system.timers:
        side = Tally(system, nobody, most=False)
        side.add(system.classes[timer.klass], 1.0)
        for name, ticks in side.workers.items():
            taken[name] += 0.0 if timer.tickless else ticks / timer.period
    return dict(taken)
