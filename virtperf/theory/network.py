"""A system as a network of queues: where requests are served, and how long, at a given load."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from virtperf.tables import ConsumerState, Policy, StationKind, System
from virtperf.theory.demand import Demands, ticking
from virtperf.theory.groups import Group, groups
from virtperf.theory.itinerary import mean_cost
from virtperf.theory.pool import crowding
from virtperf.theory.rates import held_back, moderated, rates
from virtperf.theory.tally import Demand, longest_wait
from virtperf.theory.visits import used_workers


class Place(NamedTuple):
    """Where requests queue: a station, or a worker."""

    name: str
    servers: int
    worker: bool


class Needs(NamedTuple):
    """What a request of one group needs, in ticks: service at each place, and how long that takes.

    `ticks` is longer than `service` where workers share pCPUs; `delay` is beside all places;
    `aside` is the service of side paths.
    """

    service: tuple[float, ...]
    ticks: tuple[float, ...]
    delay: float
    aside: tuple[float, ...]


def places(system: System, needs: Sequence[Demand]) -> list[Place]:
    """Return the stations and workers that somebody needs."""
    stations = [
        Place(row.name, row.servers, False)
        for row in system.stations
        if row.kind == StationKind.SERVERS
    ]
    workers = [Place(row.name, 1, True) for row in system.workers]
    return [
        place
        for place in (*stations, *workers)
        if any(
            (need.workers if place.worker else need.stations).get(place.name)
            or need.aside.get(place.name)
            for need in needs
        )
    ]


class Network:
    """The demands of a system between its extremes, as its load decides.

    A request finds its worker idle with some probability p: then the worker is told and wakes up,
    else it sees the request by itself. So the demand is p times the most and 1 - p times the
    least; moderated doorbells cost as often as they signal. Where workers share pCPUs, work takes
    longer by as much as others want to run.
    """

    def __init__(self, system: System, needs: Demands) -> None:
        self.system = system
        self.groups = groups(system, needs)
        self.places = places(system, needs.most)
        self.timers = ticking(system)
        self.pools = _pools(system, needs.most)

    def entries(self, throughputs: Sequence[float]) -> dict[str, float]:
        """Return the entries per tick of each moderated doorbell."""
        return {
            bell.name: sum(
                x * group.most.visits.get(bell.name, 0.0)
                for x, group in zip(throughputs, self.groups, strict=True)
            )
            for bell in moderated(self.system)
        }

    def needs(
        self, throughputs: Sequence[float], slower: Mapping[str, float]
    ) -> tuple[list[Needs], dict[str, float]]:
        """Return what a request of each group needs at a load, and how much slower workers are.

        Parameters
        ----------
        throughputs : sequence of float, per group
            Requests per tick.
        slower : mapping of worker to factor
            How much longer its work took at a similar load, 1 by default.
        """
        entries = self.entries(throughputs)
        most = [self._signalled(group.most, entries) for group in self.groups]
        idle = self._idle([workers for workers, _ in most], throughputs, slower)
        workers = [
            {
                name: ticks - (1 - idle[name]) * (ticks - group.least.workers.get(name, 0.0))
                for name, ticks in at_most.items()
            }
            for group, (at_most, _) in zip(self.groups, most, strict=True)
        ]
        slower = self._slower(workers, throughputs, slower)
        found = [
            self._needs(group, now, slower, delay * _mean(idle, at_most))
            for group, now, (at_most, delay) in zip(self.groups, workers, most, strict=True)
        ]
        return found, slower

    def _needs(
        self,
        group: Group,
        workers: Mapping[str, float],
        slower: Mapping[str, float],
        delay: float,
    ) -> Needs:
        service = tuple(
            (workers if place.worker else group.most.stations).get(place.name, 0.0)
            for place in self.places
        )
        longer = [slower.get(p.name, 1.0) if p.worker else 1.0 for p in self.places]
        return Needs(
            service,
            tuple(ticks * factor for ticks, factor in zip(service, longer, strict=True)),
            delay,
            tuple(group.most.aside.get(place.name, 0.0) for place in self.places),
        )

    def ticking(self) -> list[float]:
        """Return the share of each place's servers that timers take."""
        return [self.timers.get(place.name, 0.0) / place.servers for place in self.places]

    def _signalled(
        self, most: Demand, entries: Mapping[str, float]
    ) -> tuple[dict[str, float], float]:
        """Return the CPU time and delay of a request, less what moderation saves of them."""
        signals = rates(self.system, entries).visits
        workers, delay = dict(most.workers), most.delay
        for bell in moderated(self.system):
            if visits := most.visits.get(bell.name, 0.0):
                name = self.system.workers[self.system.inboxes[bell.inbox].worker].name
                debt = self._ticks(bell.debt[ConsumerState.ASLEEP])
                workers[name] -= visits * (1 - signals[bell.name]) * debt
                delay -= visits * (longest_wait(bell) - held_back(bell, entries[bell.name]))
        return workers, delay

    def _ticks(self, sequence: tuple[int, int]) -> float:
        steps = self.system.steps[slice(*sequence)]
        return sum(mean_cost(self.system, self.system.sources[0], step) for step in steps)

    def _idle(
        self,
        most: Sequence[Mapping[str, float]],
        throughputs: Sequence[float],
        slower: Mapping[str, float],
    ) -> dict[str, float]:
        """Return the chance that a request finds each worker idle: 1 - U of all others.

        U is the share of time in which it runs or waits for a pCPU, and solves, with work that
        takes s times as long, U = s sum X (least + (1 - U) (most - least)).
        """
        idle = {}
        for name in dict.fromkeys(name for workers in most for name in workers):
            fixed, saved = self.timers.get(name, 0.0), 0.0
            for x, group, workers in zip(throughputs, self.groups, most, strict=True):
                others = x * (1 - 1 / group.customers) if group.customers else x
                least = group.least.workers.get(name, 0.0)
                fixed += others * (least + group.most.aside.get(name, 0.0))
                saved += others * (workers.get(name, 0.0) - least)
            longer = slower.get(name, 1.0)
            idle[name] = max(0.0, (1 - longer * fixed) / (1 + longer * saved))
        return idle

    def _slower(
        self,
        workers: Sequence[Mapping[str, float]],
        throughputs: Sequence[float],
        slower: Mapping[str, float],
    ) -> dict[str, float]:
        """Return by how much the work of each worker takes longer as others have the pCPUs."""
        found = dict[str, float]()
        for pcpus, names in self.pools:
            wants = {name: self.timers.get(name, 0.0) for name in names}
            alone = dict.fromkeys(names, 0.0)
            for x, group, now in zip(throughputs, self.groups, workers, strict=True):
                both = {
                    name: x
                    * slower.get(name, 1.0)
                    * (now.get(name, 0.0) + group.most.aside.get(name, 0.0))
                    for name in (now.keys() | group.most.aside.keys()) & wants.keys()
                }
                for name, share in both.items():
                    wants[name] += share
                    if group.customers:  # of the others, a request makes none runnable itself
                        alone[name] += share * (sum(both.values()) - share) / group.customers
            total = sum(min(1.0, share) for share in wants.values())
            for name, share in wants.items():
                others = total - min(1.0, share) - (alone[name] / share if share else 0.0)
                found[name] = crowding(max(0.0, others), len(names), pcpus)
        return found


def _pools(system: System, needs: Sequence[Demand]) -> list[tuple[int, tuple[str, ...]]]:
    """Return how many pCPUs which threads share, where there are more threads."""
    used = [row for row in used_workers(system, needs) if not row.host]
    if system.pool.policy == Policy.PINNED:
        pins = [tuple(row.name for row in used if row.pin == p) for p in range(system.pool.pcpus)]
        return [(1, names) for names in pins if len(names) > 1]
    names = tuple(row.name for row in used)
    return [(system.pool.pcpus, names)] if len(names) > system.pool.pcpus else []


def _mean(shares: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the mean of the shares by weight; 1 if there is no weight."""
    total = sum(weights.values())
    return sum(shares[name] * w for name, w in weights.items()) / total if total else 1.0
