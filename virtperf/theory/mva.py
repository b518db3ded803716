"""Mean values of a built system under its load, by mean value analysis: exact where it may be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from virtperf.tables import NONE, DrawKind, Kind, Rule, StationKind, System
from virtperf.theory.bounds import TICKS_PER_S
from virtperf.theory.demand import Demand, demands
from virtperf.theory.formulas import (
    Centre,
    Means,
    erlang_c,
    exact_mva,
    exact_mva_classes,
    schweitzer,
)
from virtperf.theory.formulas.closed import STATES
from virtperf.theory.itinerary import classes_of, think_ticks, ways
from virtperf.theory.rates import rings_per_entry
from virtperf.units import TICKS_PER_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanValues:
    """What mean value analysis says of a system under its load.

    Attributes
    ----------
    latency_ns : float
        Mean of all requests.
    throughput_per_s : float
        Of all sources together.
    utilization : dict of name to share
        Of each station and worker that requests go through.
    queue : dict of name to count
        Mean number of requests there, those being served included.
    rates : dict of doorbell to count
        Signals per entry of each moderated doorbell.
    exact : bool
        Whether the system has the product form that makes these exact.
    because : tuple of str
        Why they are only approximate.
    """

    latency_ns: float
    throughput_per_s: float
    utilization: dict[str, float]
    queue: dict[str, float]
    rates: dict[str, float]
    exact: bool
    because: tuple[str, ...]


def mean_values(system: System) -> MeanValues | None:
    """Return the mean values of a system under its load.

    Parameters
    ----------
    system : System

    Returns
    -------
    MeanValues or None
        None if open and closed sources are mixed, or if open ones bring more than can be served.

    Notes
    -----
    Stations and workers are the centres; each serves first come first served. A request costs
    what it costs when every turn serves one, every doorbell rings and finds its consumer asleep:
    what load saves is not in it. Waiting for a pCPU, a lock, a credit or an interrupt is not in
    it either. `because` says which of these there are.
    """
    needs = demands(system).most
    names = [name for name in _servers(system) if any(_demand(need, name) for need in needs)]
    if all(row.gap != NONE for row in system.sources):
        found = _open(system, needs, names)
    elif all(row.gap == NONE for row in system.sources):
        found = _closed(system, needs, names)
    else:
        return None
    if found is None:
        return None
    servers = _servers(system)
    total = sum(found.throughputs)
    pairs = zip(found.throughputs, found.responses, strict=True)
    because = tuple(dict.fromkeys(_reasons(system, needs, names)))
    return MeanValues(
        latency_ns=sum(x * r for x, r in pairs) / total / TICKS_PER_NS,
        throughput_per_s=total * TICKS_PER_S,
        utilization={
            name: sum(
                x * _demand(need, name) for x, need in zip(found.throughputs, needs, strict=True)
            )
            / servers[name]
            for name in names
        },
        queue={name: sum(row) for name, row in zip(names, found.queues, strict=True)},
        rates={
            bell.name: rings_per_entry(bell, _entries(needs, found, bell.name) * TICKS_PER_S)
            for bell in system.bells
            if bell.rule == Rule.MODERATED
        },
        exact=not because,
        because=because,
    )


def _servers(system: System) -> dict[str, int]:
    stations = {row.name: row.servers for row in system.stations if row.kind == StationKind.SERVERS}
    return stations | {row.name: 1 for row in system.workers}


def _demand(need: Demand, name: str) -> float:
    return need.stations.get(name, 0.0) + need.workers.get(name, 0.0)


def _entries(needs: Sequence[Demand], found: Means, bell: str) -> float:
    pairs = zip(needs, found.throughputs, strict=True)
    return sum(need.visits.get(bell, 0.0) * rate for need, rate in pairs)


# -- closed and open loads --------------------------------------------------------------------


def _closed(system: System, needs: Sequence[Demand], names: Sequence[str]) -> Means:
    servers = _servers(system)
    thinks = [
        think_ticks(system, row) + need.delay
        for row, need in zip(system.sources, needs, strict=True)
    ]
    populations = [row.outstanding for row in system.sources]
    if len(set(zip(thinks, map(_key, needs), strict=True))) == 1:  # all are one class
        centres = [Centre(_demand(needs[0], name), servers[name]) for name in names]
        merged = exact_mva(sum(populations), thinks[0], centres)
        return _shared(merged, populations, needs[0].delay)
    table = [[_demand(need, name) / servers[name] for need in needs] for name in names]
    thinks = [think + beside for think, beside in zip(thinks, _beside(needs, servers), strict=True)]
    states = 1
    for population in populations:
        states *= population + 1
    solve = exact_mva_classes if states <= STATES // 10 else schweitzer
    found = solve(populations, thinks, table)
    responses = tuple(
        response + think - think_ticks(system, row)
        for response, think, row in zip(found.responses, thinks, system.sources, strict=True)
    )
    return Means(found.throughputs, responses, found.queues)


def _beside(needs: Sequence[Demand], servers: dict[str, int]) -> list[float]:
    """Return the part of a multiple server's demand that nobody waits for (Seidmann)."""
    return [
        sum(_demand(need, name) * (1 - 1 / count) for name, count in servers.items())
        for need in needs
    ]


def _key(need: Demand) -> tuple[object, ...]:
    return tuple(sorted(need.workers.items())), tuple(sorted(need.stations.items()))


def _shared(merged: Means, populations: Sequence[int], delay: float) -> Means:
    """Give each source its part of what all have together."""
    parts = [population / sum(populations) for population in populations]
    return Means(
        tuple(merged.throughputs[0] * part for part in parts),
        tuple(merged.responses[0] + delay for _ in parts),
        tuple(tuple(row[0] * part for part in parts) for row in merged.queues),
    )


def _open(system: System, needs: Sequence[Demand], names: Sequence[str]) -> Means | None:
    servers = _servers(system)
    rates = [1 / (system.draws[row.gap].a * TICKS_PER_NS) for row in system.sources]
    responses, queues = [need.delay for need in needs], []
    for name in names:
        offered = sum(x * _demand(need, name) for x, need in zip(rates, needs, strict=True))
        if offered >= servers[name]:
            return None
        waits = erlang_c(servers[name], offered) / (servers[name] - offered)
        stays = [_demand(need, name) * (1 + waits) for need in needs]
        responses = [a + b for a, b in zip(responses, stays, strict=True)]
        queues.append(tuple(x * stay for x, stay in zip(rates, stays, strict=True)))
    return Means(tuple(rates), tuple(responses), tuple(queues))


# -- why not exact ----------------------------------------------------------------------------


def _reasons(system: System, needs: Sequence[Demand], names: Sequence[str]) -> Iterator[str]:
    """Yield what keeps the system from having a product form."""
    used = [row for row in system.workers if row.name in names]
    if len(used) > system.pool.pcpus:
        yield f"{len(used)} workers share {system.pool.pcpus} pCPUs"
    if any(row.host for row in used) or any(
        system.inboxes[bell.inbox].level for bell in system.bells
    ):
        yield "interrupts go before other work"
    if system.bells:
        yield "doorbells, wake-ups and batches cost less under load"
    if system.timers:
        yield "timers tick"
    yield from (f"requests wait for {name}" for name in _limits(system, needs))
    kinds = {step.kind for step in system.steps}
    if kinds & {Kind.JOIN, Kind.SPAWN}:
        yield "requests have side paths"
    for source, row in enumerate(system.sources):
        if row.gap != NONE and system.draws[row.gap].kind != DrawKind.EXPONENTIAL:
            yield f"arrivals of {row.name} are not Poisson"
        yield from _not_exponential(system, source)
    for name in names:
        each = {_demand(need, name) / max(need.visits.get(name, 1.0), 1e-9) for need in needs}
        if len({round(ticks, 6) for ticks in each if ticks}) > 1:
            yield f"sources take different times at {name}"
    several = any(count > 1 for name, count in _servers(system).items() if name in names)
    if several and len({_key(need) for need in needs}) > 1:
        yield "several servers under several classes are approximated"


def _limits(system: System, needs: Sequence[Demand]) -> Iterator[str]:
    """Yield locks, and credits of which there may be too few."""
    closed = all(row.gap == NONE for row in system.sources)
    most = sum(row.outstanding for row in system.sources) if closed else inf
    for row in system.stations:
        few = row.kind == StationKind.LOCK or (
            row.kind == StationKind.CREDIT and row.servers < most
        )
        if few and any(row.name in need.stations for need in needs):
            yield row.name


def _not_exponential(system: System, source: int) -> Iterator[str]:
    """Yield the centres of a source whose service is not one exponential time per visit."""
    row = system.sources[source]
    for klass, _ in classes_of(system, row):
        for stays, _ in ways(system, row, klass):
            for stay in stays:
                timed = [system.steps[i] for i in (*stay.steps, stay.last)]
                timed = [step for step in timed if step.draw != NONE or step.ticks]
                kinds = [
                    DrawKind.DETERMINISTIC
                    if step.draw == NONE
                    else system.draws[row.draws.first + step.draw].kind
                    for step in timed
                ]
                if kinds and kinds != [DrawKind.EXPONENTIAL]:
                    yield "service times are not exponential"
