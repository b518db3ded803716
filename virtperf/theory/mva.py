"""Mean values of a built system under its load, by mean value analysis: exact where it may be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from virtperf.tables import System
from virtperf.theory.bounds import TICKS_PER_S, upper
from virtperf.theory.capacity import narrowest
from virtperf.theory.demand import Demands, demands
from virtperf.theory.network import Needs, Network
from virtperf.theory.product_form import named, obstacles
from virtperf.theory.rates import rates
from virtperf.theory.solver import Solution, solve
from virtperf.units import TICKS_PER_NS

ROUNDS = 200  # halving the step each time, far more than are needed
SETTLED = 1e-6  # relative: what is approximate at all is so by percents
LEAST_LEFT = 0.02  # of a server that side paths would take whole


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
        Of each station and worker that requests go through, by them and by what they start.
    queue : dict of name to count
        Mean number of requests there, those being served included.
    rates : dict of doorbell to count
        Signals per entry of each moderated doorbell.
    how : str
        Where `rates` come from.
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
    how: str
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
        None if open sources bring more than can be served.

    Notes
    -----
    Stations and workers are the centres; each serves first come first served. What a request
    costs lies between its least and its most as far as its workers are idle (`Network`), so that
    demands and throughputs are found together; so is how much longer work takes where workers
    share pCPUs. Waiting for a lock, a credit or an interrupt is left out,
    but no throughput is above the bound that they set. `because` says which of these there are.
    """
    needs = demands(system)
    network = Network(system, needs)
    if (found := _settled(network)) is None:
        return None
    solution, at_load, piled = found
    solution, capped = _capped(system, needs, network, solution)
    total = sum(solution.throughputs)
    pairs = zip(solution.throughputs, solution.responses, strict=True)
    ringing = rates(system, network.entries(solution.throughputs))
    because = (
        *obstacles(system, needs.most),
        *solution.because,
        *_approximations(network, needs),
        *named("side paths pile up at", piled),
        *capped,
    )
    return MeanValues(
        latency_ns=sum(x * r for x, r in pairs) / total / TICKS_PER_NS,
        throughput_per_s=total * TICKS_PER_S,
        utilization=_utilization(network, at_load, solution),
        queue={
            place.name: number
            for place, number in zip(network.places, solution.queues, strict=True)
        },
        rates=dict(ringing.visits),
        how=ringing.how,
        exact=not because,
        because=because,
    )


def _settled(network: Network) -> tuple[Solution, list[Needs], list[str]] | None:
    """Return the solution whose throughputs are those that its demands were taken at."""
    throughputs = [group.rate for group in network.groups]
    waiting, slower, first = None, dict[str, float](), True
    for _ in range(ROUNDS):
        needs, slower = network.needs(throughputs, slower)
        taken, piled = _taken(network, needs, throughputs)
        solution = solve(network.groups, network.places, needs, taken, waiting)
        if solution is None:
            break
        pairs = list(zip(throughputs, solution.throughputs, strict=True))
        if all(abs(new - old) <= SETTLED * new for old, new in pairs):
            break
        throughputs = [new if first else (old + new) / 2 for old, new in pairs]
        waiting, first = solution.waiting, False
    return (solution, needs, piled) if solution is not None else None


def _taken(
    network: Network, needs: Sequence[Needs], throughputs: Sequence[float]
) -> tuple[list[float], list[str]]:
    """Return what timers and side paths take of each place, and where these cannot keep up."""
    shares, piled = [], []
    for k, (place, share) in enumerate(zip(network.places, network.ticking(), strict=True)):
        busy = sum(x * need.aside[k] for x, need in zip(throughputs, needs, strict=True))
        share += busy / place.servers
        own = sum(x * need.service[k] for x, need in zip(throughputs, needs, strict=True))
        if busy and share + own / place.servers > 1:
            piled.append(place.name)
        shares.append(min(share, 1 - LEAST_LEFT))
    return shares, piled


def _capped(
    system: System, needs: Demands, network: Network, solution: Solution
) -> tuple[Solution, list[str]]:
    """Return the solution within the bound of its throughput, with what has bound it."""
    rows, most = upper(system, needs.least)
    closed = [bool(group.customers) for group in network.groups]
    pairs = list(zip(solution.throughputs, closed, strict=True))
    ours = sum(x for x, is_closed in pairs if is_closed)
    room = sum(most) - sum(x for x, is_closed in pairs if not is_closed)
    if ours <= room * (1 + SETTLED) or room <= 0:
        return solution, []
    throughputs = tuple(x * room / ours if is_closed else x for x, is_closed in pairs)
    responses = tuple(
        group.customers / x - group.think if group.customers else response
        for group, x, response in zip(network.groups, throughputs, solution.responses, strict=True)
    )
    name, load = narrowest(rows, most)
    limit = name if load > 1 - SETTLED else "the latency of a request that never waits"
    return solution._replace(throughputs=throughputs, responses=responses), [f"capped at {limit}"]


def _utilization(network: Network, needs: Sequence[Needs], solution: Solution) -> dict[str, float]:
    return {
        place.name: sum(
            x * (need.service[k] + need.aside[k])
            for x, need in zip(solution.throughputs, needs, strict=True)
        )
        / place.servers
        for k, place in enumerate(network.places)
    }


def _approximations(network: Network, needs: Demands) -> Iterator[str]:
    """Yield the approximations that the system calls for."""
    if any(
        least.workers.get(name, 0.0) < ticks
        for least, most in zip(needs.least, needs.most, strict=True)
        for name, ticks in most.workers.items()
    ):
        yield "what load saves is interpolated by utilization"
    if network.pools:
        yield "runnable workers are taken to share pCPUs evenly"
