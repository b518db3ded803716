"""Throughputs, responses and queues of a network of queues, by the best formula that fits it.

References
----------
.. [3] A. Seidmann, P. J. Schweitzer, S. Shalev-Oren, "Computerized closed queueing network
   models of flexible manufacturing systems", Large Scale Systems 12, 1987.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from virtperf.theory.formulas import (
    Centre,
    Means,
    convolution,
    erlang_c,
    exact_mva,
    mixed,
    mva_steps,
    schweitzer,
)
from virtperf.theory.formulas.classes import STEPS
from virtperf.theory.groups import Group
from virtperf.theory.network import Needs, Place

TERMS = 100_000_000  # products of a convolution: about a fifth of a second
Rows = Sequence[Sequence[float]]


class Solution(NamedTuple):
    """Mean values per group, in ticks, and customers per place; `because` says why not exact.

    `waiting` are the queues of the solver's own centres, to start the next similar network from.
    """

    throughputs: tuple[float, ...]
    responses: tuple[float, ...]
    queues: tuple[float, ...]
    because: tuple[str, ...]
    waiting: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The closed groups of a network, as customers of single servers and of delays.

    `demands` are what they need of the servers that open ones leave them. A place with a server
    for each is a delay; one with fewer, but several, stands for one server c times as fast and a
    delay of the rest of its demand (Seidmann [3]_): `rows`, and what is `beside` them.
    """

    customers: list[int]
    away: list[float]
    servers: list[int]
    demands: Rows
    rows: Rows
    beside: Rows

    @property
    def several(self) -> bool:
        """Whether a place needed Seidmann's approximation."""
        pairs = zip(self.rows, self.servers, strict=True)
        return any(count > 1 and any(row) for row, count in pairs)


def solve(
    groups: Sequence[Group],
    places: Sequence[Place],
    needs: Sequence[Needs],
    taken: Sequence[float],
    start: Rows | None = None,
) -> Solution | None:
    """Return the mean values of a network.

    Parameters
    ----------
    groups : sequence of Group
    places : sequence of Place
    needs : sequence of Needs, per group
    taken : sequence of float, per place
        Share of the servers that is gone before any request comes.
    start : sequence of sequence of float, optional
        `Solution.waiting` of a similar network.

    Returns
    -------
    Solution or None
        None where open sources bring more than can be served.
    """
    loads = [
        busy
        + sum(g.rate * need.ticks[k] for g, need in zip(groups, needs, strict=True)) / p.servers
        for k, (p, busy) in enumerate(zip(places, taken, strict=True))
    ]
    if any(load >= 1 for load in loads):
        return None
    inside = [c for c, group in enumerate(groups) if group.customers]
    closed = _closed([groups[c] for c in inside], places, [needs[c] for c in inside], loads)
    means, because = Means((), (), ((),) * len(places)), list[str]()
    if inside:
        means, because = _means(closed, start)
    because += ["several servers under open and closed load are approximated"] * any(
        load and servers > 1 and any(row)
        for load, servers, row in zip(loads, closed.servers, closed.demands, strict=True)
    )
    return _together(groups, places, needs, loads, closed, means, because)


def _closed(
    groups: Sequence[Group],
    places: Sequence[Place],
    needs: Sequence[Needs],
    loads: Sequence[float],
) -> Closed:
    table = [[need.ticks[k] for need in needs] for k in range(len(places))]
    demands = mixed(table, loads)
    rows, beside = [], []
    for place, row, load in zip(places, demands, loads, strict=True):
        there = sum(group.customers for group, ticks in zip(groups, row, strict=True) if ticks)
        fast = 0.0 if place.servers >= there and not load else 1 / place.servers
        rows.append([ticks * fast for ticks in row])
        beside.append([ticks * (1 - fast) for ticks in row])
    return Closed(
        customers=[group.customers for group in groups],
        away=[group.think + need.delay for group, need in zip(groups, needs, strict=True)],
        servers=[place.servers for place in places],
        demands=demands,
        rows=rows,
        beside=beside,
    )


def _means(closed: Closed, start: Rows | None) -> tuple[Means, list[str]]:
    """Return the means of the closed groups at single servers, and what is not exact in them.

    Responses are those at all places. A cycle takes a tick at least, here as everywhere.
    """
    n, k = closed.customers[0], len(closed.servers)
    if len(closed.customers) == 1 and n * n * k * k <= TERMS:
        return _of_one_group(closed), []
    thinks = [z + sum(row[c] for row in closed.beside) for c, z in enumerate(closed.away)]
    empty = [not (z or any(row[c] for row in closed.rows)) for c, z in enumerate(thinks)]
    thinks = [z + idle for z, idle in zip(thinks, empty, strict=True)]
    because = ["several servers under several classes are approximated"] * closed.several
    if mva_steps(closed.customers, k) <= STEPS:
        found = exact_mva(closed.customers, thinks, closed.rows)
    else:
        found = schweitzer(closed.customers, thinks, closed.rows, start)
        because.append("what a request finds is estimated (Schweitzer)")
    responses = tuple(
        response + sum(row[c] for row in closed.beside)
        for c, response in enumerate(found.responses)
    )
    return found._replace(responses=responses), because


def _of_one_group(closed: Closed) -> Means:
    away, (n,) = closed.away[0], closed.customers
    centres = [Centre(row[0], c) for row, c in zip(closed.demands, closed.servers, strict=True)]
    empty = not (away or any(centre.demand for centre in centres))
    found = convolution(n, away + empty, centres)
    (rate,) = found.throughputs
    pairs = zip(found.queues, closed.beside, strict=True)
    return found._replace(queues=tuple((queue - rate * row[0],) for (queue,), row in pairs))


def _together(
    groups: Sequence[Group],
    places: Sequence[Place],
    needs: Sequence[Needs],
    loads: Sequence[float],
    closed: Closed,
    means: Means,
    because: Sequence[str],
) -> Solution:
    """Return closed and open groups in their order, and how many of both are at each place."""
    queued = [sum(row) for row in means.queues]
    numbers = [
        queue + sum(x * ticks for x, ticks in zip(means.throughputs, row, strict=True))
        for queue, row in zip(queued, closed.beside, strict=True)
    ]
    rates, responses, found = [], [], zip(means.throughputs, means.responses, strict=True)
    for group, need in zip(groups, needs, strict=True):
        if group.customers:
            rate, response = next(found)
        else:
            rate = group.rate
            stays = [
                _open_stay(place.servers, *at)
                for place, *at in zip(places, loads, need.ticks, queued, strict=True)
            ]
            numbers = [old + rate * stay for old, stay in zip(numbers, stays, strict=True)]
            response = sum(stays)
        rates.append(rate)
        responses.append(response + need.delay)
    return Solution(tuple(rates), tuple(responses), tuple(numbers), tuple(because), means.queues)


def _open_stay(servers: int, load: float, ticks: float, queued: float) -> float:
    """Return the stay of an open request at a place where `queued` closed ones are in line."""
    if not queued:
        offered = load * servers
        return ticks * (1 + erlang_c(servers, offered) / (servers - offered))
    fast = ticks / servers
    return fast * (1 + queued) / (1 - load) + ticks - fast
