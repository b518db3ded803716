"""What keeps a system from having a product form, in which mean value analysis is exact.

References
----------
.. [10] F. Baskett, K. M. Chandy, R. R. Muntz, F. G. Palacios, "Open, closed, and mixed networks of
   queues with different classes of customers", J. ACM 22, 1975.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from virtperf.tables import (
    NONE,
    Discipline,
    DrawKind,
    Hold,
    Kind,
    Policy,
    Rule,
    StationKind,
    System,
    WorkerRow,
)
from virtperf.tables import Sequence as Steps
from virtperf.theory.itinerary import may_fail, may_lack_credit
from virtperf.theory.tally import Demand
from virtperf.theory.visits import all_ways, most_customers, steps_of, used_workers, visits

ORDINARY = 0
_IN_A_ROW = (DrawKind.CYCLE, DrawKind.MMPP)


def obstacles(system: System, needs: Sequence[Demand]) -> list[str]:
    """Return what keeps a system from a product form; Baskett et al. [10]_.

    Exponential service of one mean per centre, first come first served, or a server for each
    customer; Poisson arrivals; nothing that costs more or less under load. A single customer
    meets nobody, so that only his own costs matter.

    Parameters
    ----------
    system : System
    needs : sequence of Demand, per source
        With the visits and what is held.

    Returns
    -------
    list of str
        Reasons in words; none if mean value analysis is exact.
    """
    found = [*_changing(system, needs), *_sides(system), *_arrivals(system)]
    if most_customers(system, needs) > 1:
        found += [*_shared_pcpus(system, needs), *_levels(system, needs), *_limits(system, needs)]
        found += [*_services(system, needs), *_ways(system), *_spinning(system, needs)]
        if system.pool.sharing:
            found.append("the threads of a core slow each other down")
    return list(dict.fromkeys(found))


def named(says: str, names: Sequence[str]) -> Iterator[str]:
    """Yield one reason for all `names`, if there are any: a hundred copies are one."""
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{says} {names[0]}{more}"


# -- what costs more or less under load ---------------------------------------------------------


def _changing(system: System, needs: Sequence[Demand]) -> Iterator[str]:
    used = used_workers(system, needs)
    visited = set[str]().union(*(need.visits for need in needs))
    bells = [bell for bell in system.bells if bell.name in visited]
    turns = any(_costs(system, _turn_costs(system, row)) for row in used)
    rings = any(_costs(system, (*bell.pay, *bell.debt)) or any(bell.delay) for bell in bells)
    if turns or rings:
        yield "doorbells, wake-ups and batches cost less under load"
    if any(bell.rule == Rule.MODERATED and bell.count != 1 for bell in bells):
        yield "moderation delays signals"
    if any(row.poll for row in used):
        yield "workers poll before they sleep"
    if any(box.batch for box in system.inboxes if system.workers[box.worker] in used):
        yield "turns are limited"
    if system.pool.switch and len(used) > 1:
        yield "pCPUs switch between workers"
    yield from _guests(system, used)


def _turn_costs(system: System, row: WorkerRow) -> Iterator[Steps]:
    yield row.wake
    yield row.pickup
    for box in system.inboxes:
        if system.workers[box.worker] is row:
            yield from (box.prologue, box.epilogue)


def _costs(system: System, sequences: Iterable[Steps]) -> bool:
    """Whether any of the sequences takes time."""
    steps = (step for sequence in sequences for step in system.steps[slice(*sequence)])
    return any(step.ticks or step.draw != NONE for step in steps)


def _guests(system: System, used: Sequence[WorkerRow]) -> Iterator[str]:
    tasks: dict[int, int] = defaultdict(int)
    for box in system.inboxes:
        tasks[box.worker] += box.level == ORDINARY
    several = [row for w, row in enumerate(system.workers) if tasks[w] > 1 and row in used]
    if any(row.slice or row.switch for row in several):
        yield "guests switch between tasks"


# -- paths and arrivals -------------------------------------------------------------------------


def _sides(system: System) -> Iterator[str]:
    if {step.kind for step in system.steps} & {Kind.JOIN, Kind.SPAWN}:
        yield "requests have side paths"
    if system.timers:
        yield "timers tick"
    if any(may_lack_credit(system, row) or may_fail(system, row) for row in system.sources):
        yield "requests may be dropped or fail"
    yield from named(
        "classes take turns in", [row.name for row in system.sources if row.order != NONE]
    )


def _arrivals(system: System) -> Iterator[str]:
    gaps = [
        row.name
        for row in system.sources
        if row.gap != NONE and system.draws[row.gap].kind != DrawKind.EXPONENTIAL
    ]
    yield from named("arrivals are not Poisson in", gaps)
    thinks = [
        row.name
        for row in system.sources
        if row.think != NONE and system.draws[row.think].kind in _IN_A_ROW
    ]
    yield from named("think times depend on each other in", thinks)


def _ways(system: System) -> Iterator[str]:
    for source in system.sources:
        for stays in all_ways(system, source):
            steps = [step for stay in stays for step in steps_of(system, stay)]
            drawn = [step.draw for step in steps if step.draw != NONE]
            if len(set(drawn)) < len(drawn):
                yield "a request takes the same random time twice"
            if any(step.kind == Kind.SERVE and step.hold != Hold.ASYNC for step in steps):
                yield "workers wait for stations"
            if any(step.defer for step in steps):
                yield "requests wait for the end of their batch"


# -- who shares what ----------------------------------------------------------------------------


def _shared_pcpus(system: System, needs: Sequence[Demand]) -> Iterator[str]:
    threads = [row for row in used_workers(system, needs) if not row.host]
    if system.pool.policy == Policy.PINNED:
        shared = len({row.pin for row in threads}) < len(threads)
    else:
        shared = len(threads) > system.pool.pcpus
    if shared:
        yield "workers share pCPUs"
    if shared and any(row.cap or row.affinity for row in threads):
        yield "caps and affinities keep workers from pCPUs"
    if shared and len({row.weight for row in threads}) > 1:
        yield "weights differ"


def _levels(system: System, needs: Sequence[Demand]) -> Iterator[str]:
    inboxes = [
        system.inboxes[stay.inbox]
        for source in system.sources
        for stays in all_ways(system, source)
        for stay in stays
        if stay.inbox != NONE
    ]
    if any(box.level != ORDINARY for box in inboxes) or any(
        row.host for row in used_workers(system, needs)
    ):
        yield "interrupts go before other work"


def _limits(system: System, needs: Sequence[Demand]) -> Iterator[str]:
    few = []
    for row in system.stations:
        held = any(row.name in need.stations or row.name in need.aside for need in needs)
        lock = row.kind == StationKind.LOCK
        credit = row.kind == StationKind.CREDIT
        if held and (lock or (credit and row.servers < most_customers(system, needs, row.name))):
            few.append(row.name)
    yield from named("requests wait for", few)


def _spinning(system: System, needs: Sequence[Demand]) -> Iterator[str]:
    """Yield what waiting costs beyond the wait: its length decides, and that others decide."""
    if any(row.pause_window for row in used_workers(system, needs)):
        yield "vCPUs that spin exit and give way"
    halting = [row.name for row in system.stations if row.discipline == Discipline.PARAVIRTUAL]
    yield from named("waiters halt, and are kicked, at", halting)


# -- service times ------------------------------------------------------------------------------


def _services(system: System, needs: Sequence[Demand]) -> Iterator[str]:
    """Yield centres at which some wait and service is not one exponential time for all."""
    servers = {row.name: row.servers for row in system.stations}
    means: dict[str, set[float]] = defaultdict(set)
    other: dict[str, None] = {}
    for visit in visits(system):
        if servers.get(visit.centre, 1) < most_customers(system, needs, visit.centre):
            means[visit.centre].add(round(visit.ticks, 3))
            if visit.ticks and not visit.exponential:
                other[visit.centre] = None
    yield from named("service times are not exponential at", list(other))
    different = [name for name, ticks in means.items() if len(ticks) > 1]
    yield from named("requests take different times at", different)
