"""Equal sources taken together: a hundred copies cost no more than one."""

from dataclasses import dataclass

from virtperf.tables import NONE, SourceRow, System
from virtperf.theory.demand import Demands
from virtperf.theory.itinerary import think_ticks
from virtperf.theory.tally import Demand
from virtperf.units import TICKS_PER_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Equal sources, taken together: their numbers, customers, arrivals per tick, and needs.

    An open one has no customers, a closed one no `rate`.
    """

    members: tuple[int, ...]
    customers: int
    rate: float
    think: float
    least: Demand
    most: Demand


def groups(system: System, needs: Demands) -> list[Group]:
    """Return the sources, those that are equal as one."""
    alike: dict[object, list[int]] = {}
    for s, row in enumerate(system.sources):
        key = (row.gap == NONE, _pause(system, row), _key(needs.least[s]), _key(needs.most[s]))
        alike.setdefault(key, []).append(s)
    return [_group(system, needs, tuple(members)) for members in alike.values()]


def _group(system: System, needs: Demands, members: tuple[int, ...]) -> Group:
    row = system.sources[members[0]]
    closed, pause = row.gap == NONE, _pause(system, row)
    return Group(
        members=members,
        customers=sum(system.sources[s].outstanding for s in members) if closed else 0,
        rate=0.0 if closed else len(members) / pause,
        think=pause if closed else 0.0,
        least=needs.least[members[0]],
        most=needs.most[members[0]],
    )


def _pause(system: System, row: SourceRow) -> float:
    """Return the mean gap of an open source, or think time of a closed one, in ticks."""
    return think_ticks(system, row) if row.gap == NONE else system.draws[row.gap].a * TICKS_PER_NS


def _key(need: Demand) -> tuple[object, ...]:
    parts = (need.workers, need.stations, need.aside, need.visits)
    return (*(tuple(sorted(part.items())) for part in parts), need.delay)
