"""What the formulas refuse, and the words for a centre, a range and mean values."""

from collections.abc import Sequence
from typing import NamedTuple

from virtperf.errors import ParameterError


class Centre(NamedTuple):
    """A resource of a closed network: time one request needs of it, and how many serve."""

    demand: float
    servers: int = 1


class Range(NamedTuple):
    """The least and the most a quantity can be."""

    lower: float
    upper: float


class Means(NamedTuple):
    """Mean values of a network, per class of customers.

    `queues[k][c]` is the mean number of class c at centre k, those in service included.
    """

    throughputs: tuple[float, ...]
    responses: tuple[float, ...]
    queues: tuple[tuple[float, ...], ...]


def customers(owner: str, n: int, think_ns: float) -> None:
    """Refuse a population or a think time that makes no sense."""
    if n < 1:
        raise ParameterError(owner, "n", "at least 1", n)
    if think_ns < 0:
        raise ParameterError(owner, "think_ns", "0 or more", think_ns)


def network(owner: str, n: int, think_ns: float, centres: Sequence[Centre]) -> None:
    """Refuse a closed network that makes no sense."""
    customers(owner, n, think_ns)
    for centre in centres:
        servers_of(owner, centre.servers)


def servers_of(owner: str, servers: int) -> None:
    """Refuse a number of servers below 1."""
    if servers < 1:
        raise ParameterError(owner, "servers", "at least 1", servers)


def load_of(owner: str, rate: float, service_ns: float, servers: int) -> float:
    """Return the load; refuse one without a steady state."""
    servers_of(owner, servers)
    load = rate * service_ns / servers
    if not 0 <= load < 1:
        raise ParameterError(owner, "load", "in [0, 1), or there is no steady state", load)
    return load
