"""How many requests the resources of a system can carry, as a small linear programme."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from virtperf.rules.siblings import ALONE
from virtperf.tables import Policy, PoolRow, StationKind, System
from virtperf.theory.demand import ticking
from virtperf.theory.tally import Demand

POOL = "host"
TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What sources share: `servers` in parallel, and ticks per request of each source.

    Timers take their part of the servers before anybody comes. `workers` are those that it stands
    for; if none, it is a station.
    """

    name: str
    servers: float
    demand: tuple[float, ...]
    workers: tuple[str, ...] = ()

    def part(self, need: Demand) -> float:
        """Return what a request needs of it, in ticks."""
        if not self.workers:
            return need.stations.get(self.name, 0.0)
        return sum(need.workers.get(name, 0.0) for name in self.workers)

    def load(self, rates: Sequence[float]) -> float:
        """Return the utilization at `rates` requests per tick of each source."""
        return sum(r * d for r, d in zip(rates, self.demand, strict=True) if d) / self.servers


def resources(system: System, demands: Sequence[Demand]) -> list[Resource]:
    """Return everything requests compete for: stations, pCPUs and workers."""
    timers = ticking(system)
    rows = [
        _resource(row.name, 1 if row.kind == StationKind.LOCK else row.servers, (), demands)
        for row in system.stations
    ]
    rows += _pcpus(system, demands, timers)
    rows += _limits(system, demands)
    rows += [
        _resource(row.name, _left(1, timers.get(row.name, 0.0)), (row.name,), demands)
        for row in system.workers
    ]
    return [row for row in rows if any(row.demand)]


def _resource(
    name: str, servers: float, workers: tuple[str, ...], demands: Sequence[Demand]
) -> Resource:
    row = Resource(name=name, servers=servers, demand=(), workers=workers)
    return replace(row, demand=tuple(row.part(demand) for demand in demands))


def _left(servers: float, taken: float) -> float:
    return max(servers - taken, TINY)


def _pcpus(
    system: System, demands: Sequence[Demand], timers: Mapping[str, float]
) -> list[Resource]:
    """Return the pool, or, where workers are pinned, each of its pCPUs."""
    if not system.workers:
        return []
    if system.pool.policy != Policy.PINNED:
        left = _left(_speed(system.pool), sum(timers.values()))
        return [_resource(POOL, left, tuple(row.name for row in system.workers), demands)]
    rows = []
    for pcpu in range(system.pool.pcpus):
        there = tuple(row.name for row in system.workers if row.pin == pcpu)
        left = _left(1, sum(timers.get(name, 0.0) for name in there))
        if there:
            rows.append(_resource(f"{POOL} pCPU {pcpu}", left, there, demands))
    return rows


def _speed(pool: PoolRow) -> float:
    """Return how much work all pCPUs do together, in those that have a core of their own."""
    return pool.pcpus * ALONE / (pool.sharing or ALONE)


def _limits(system: System, demands: Sequence[Demand]) -> Iterator[Resource]:
    """Yield what a scheduler lets some workers have: caps, and the pCPUs of an affinity."""
    capped: dict[int, list[str]] = {}
    bound: dict[tuple[int, ...], list[str]] = {}
    for row in system.workers:
        if row.cap:
            capped.setdefault(row.domain, []).append(row.name)
        if row.affinity:
            bound.setdefault(row.affinity, []).append(row.name)
    for domain, names in capped.items():
        cap = next(row.cap for row in system.workers if row.domain == domain)
        yield _resource(f"cap of {names[0]}", cap / 1000, tuple(names), demands)
    for pcpus, names in bound.items():
        called = f"pCPUs {', '.join(map(str, pcpus))}"
        yield _resource(called, len(pcpus), tuple(names), demands)


def capacity(rows: Sequence[Resource], caps: Sequence[float]) -> tuple[float, ...]:
    """Return the rates of all sources at which their sum is greatest.

    Parameters
    ----------
    rows : sequence of Resource
        None of them may be used beyond its servers.
    caps : sequence of float
        Most of each source by itself, in requests per tick; may be infinite.

    Returns
    -------
    tuple of float
        Requests per tick of each source; infinite where nothing limits it.
    """
    own = [
        min([cap, *(row.servers / row.demand[s] for row in rows if row.demand[s])])
        for s, cap in enumerate(caps)
    ]
    if inf in own:
        return tuple(rate if rate == inf else 0.0 for rate in own)
    shared = [row for row in rows if sum(map(bool, row.demand)) > 1]
    kinds: dict[tuple[float, ...], list[int]] = {}
    for s in range(len(own)):  # equal sources are one: a hundred copies cost no more than one
        kinds.setdefault(tuple(row.demand[s] for row in shared), []).append(s)
    gains = [sum(own[s] for s in members) for members in kinds.values()]
    uses = [
        [gain * key[r] / row.servers for key, gain in zip(kinds, gains, strict=True)]
        for r, row in enumerate(shared)
    ]
    rates = [0.0] * len(own)
    for share, members in zip(_maximise(gains, uses), kinds.values(), strict=True):
        for s in members:
            rates[s] = own[s] * share
    return tuple(rates)


def narrowest(rows: Sequence[Resource], rates: Sequence[float]) -> tuple[str, float]:
    """Return the resource with the highest utilization at `rates`, and that utilization."""
    best, most = "nothing", 0.0
    for row in rows:
        if (load := row.load(rates)) > most * (1 + 1e-9):
            best, most = row.name, load
    return best, most


def _maximise(gains: Sequence[float], uses: Sequence[Sequence[float]]) -> list[float]:
    """Maximise gains . x over 0 <= x <= 1 and uses . x <= 1: the simplex method, Bland's rule.

    At most a row per shared resource and per kind of source, so no library is worth its import.
    """
    n = len(gains)
    bounds = [[float(i == j) for j in range(n)] for i in range(n)]
    table = [[*row, 1.0] for row in (*bounds, *uses)]
    scale = max(gains)
    table.append([*(gain / scale for gain in gains), 0.0])
    columns, basis = list(range(n)), list(range(n, n + len(table) - 1))
    while improving := [(columns[c], c) for c in range(n) if table[-1][c] > TINY]:
        c = min(improving)[1]
        steps = [(table[r][-1] / table[r][c], basis[r], r) for r in _limiting(table, c)]
        r = min(steps)[2]
        _pivot(table, r, c)
        columns[c], basis[r] = basis[r], columns[c]
    shares = [0.0] * n
    for r, variable in enumerate(basis):
        if variable < n:
            shares[variable] = table[r][-1]
    return shares


def _limiting(table: list[list[float]], c: int) -> list[int]:
    return [r for r in range(len(table) - 1) if table[r][c] > TINY]


def _pivot(table: list[list[float]], r: int, c: int) -> None:
    """Exchange the variable of row `r` with that of column `c`."""
    by = table[r][c]
    table[r] = [value / by for value in table[r]]
    table[r][c] = 1 / by
    for i, row in enumerate(table):
        if i != r and (factor := row[c]):
            row[c] = 0.0
            table[i] = [a - factor * b for a, b in zip(row, table[r], strict=True)]
