"""How often pages move when memory is short: least recently used, in closed form.

References that do not depend on each other, each to page i with probability p_i, keep under LRU
about those pages in memory that were used within the last T references, with T such that as many
pages are expected as there is room for (Che's approximation; exact for equal p_i and many pages).
A guest and its host may both be short. The host's list knows nothing of the guest's: it holds the
frames used within its own, shorter T, and what the guest has kept beyond that is on the host's
disk when the guest comes to it, to use it or to page it out.

`mechanism.memory.guest` on a `pmap` does the same page by page, and tests hold the two together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, expm1, log

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.resident import LEAST_PAGES

Popularity = Sequence[tuple[float, float]]
"""Groups of pages: how many, and the probability that a reference is to one of them."""

_EXACT, _GROWTH = 256, 1.02  # ranks that are groups of their own; how much wider each next one is


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Pages moved per reference.

    Attributes
    ----------
    guest_reads, guest_writes : float
        Pages that the guest reads from its disk (major faults), and writes to it.
    host_reads, host_writes : float
        Pages that the host reads from its disk, and writes to it.
    host_faults : float
        Those of the host's reads for which a reference of the guest waits; for the others a
        transfer of the guest's own paging does.
    double : float
        Pages that the host reads back only for the guest to write them to its disk.
    """

    guest_reads: float = 0.0
    guest_writes: float = 0.0
    host_reads: float = 0.0
    host_writes: float = 0.0
    host_faults: float = 0.0
    double: float = 0.0


NOTHING_MOVES = Moves()


@cache
def popularity(pages: int, skew: float) -> Popularity:
    """Return pages whose k-th is referred to in proportion to ``k ** -skew``, in groups.

    The first ranks are groups of their own, further ones share a group within 2 %.

    Examples
    --------
    >>> popularity(1000, 0.0)
    ((1000, 0.001),)
    """
    if pages < 1:
        raise ParameterError("memory", "pages", "at least 1", pages)
    if not skew:
        return ((pages, 1 / pages),)
    groups, first = [], 1
    while first <= pages:
        last = first if first < _EXACT else min(pages, int(first * _GROWTH))
        groups.append((last - first + 1, _area(first, last, skew)))
        first = last + 1
    total = sum(weight for _, weight in groups)
    return tuple((count, weight / count / total) for count, weight in groups)


def moves(
    pages: int,
    skew: float,
    write_share: float,
    *,
    guest: int | None = None,
    host: int | None = None,
) -> Moves:
    """Return how often pages move between memory and disks.

    Parameters
    ----------
    pages : int
        Pages of the data.
    skew : float
        Exponent of Zipf's law over them; 0 for equal ones.
    write_share : float
        Share of the references that write.
    guest, host : int, optional
        Pages that guest and host have for them; by default enough.

    Returns
    -------
    Moves
        In the steady state, in which every page has once been written: a page is read from a
        disk, never found to be zeros.

    Raises
    ------
    ParameterError
        If a limit is below what one instruction may need.

    References
    ----------
    .. [1] H. Che, Y. Tung, Z. Wang, "Hierarchical Web caching systems: modeling, design and
       experimental results", IEEE J-SAC 20(7), 2002.
    """
    for owner, limit in (("guest", guest), ("host", host)):
        if limit is not None and limit < LEAST_PAGES:
            must = f"at least the {LEAST_PAGES} pages that one instruction may need"
            raise ParameterError(owner, "memory", must, limit)
    pool = popularity(pages, skew)
    there = pages if guest is None else min(guest, pages)
    lasts = _memory(pool, there)
    returns = _sum(pool, lambda p: p * _gone(p, lasts))
    writes = _sum(pool, lambda p: p * _gone(p, lasts) * _written(p, lasts, write_share))
    if host is None or host >= there:
        return Moves(guest_reads=returns, guest_writes=writes)
    stays = _memory(pool, host)
    faults = _sum(pool, lambda p: p * (_gone(p, stays) - _gone(p, lasts)))
    dirtied = _sum(
        pool, lambda p: p * (_gone(p, stays) - _gone(p, lasts)) * _written(p, stays, write_share)
    )
    return Moves(
        guest_reads=returns,
        guest_writes=writes,
        host_reads=faults + returns,  # whatever the guest makes room with lies on the host's disk
        host_writes=dirtied + returns,  # and what it reads into that is new to the host
        host_faults=faults,
        double=writes,
    )


def _area(first: int, last: int, skew: float) -> float:
    """Return the sum of ``k ** -skew``; of many by the middle of each, within 0.01 %."""
    if last - first < _EXACT:
        return sum(exp(-skew * log(k)) for k in range(first, last + 1))
    low, high, power = first - 0.5, last + 0.5, 1 - skew
    if abs(power) < 1e-9:
        return log(high / low)
    return (exp(power * log(high)) - exp(power * log(low))) / power


def _sum(pool: Popularity, term: Callable[[float], float]) -> float:
    return sum(count * term(p) for count, p in pool)


def _memory(pool: Popularity, room: int) -> float:
    """Return how many references a page stays after its last one; infinity if all fit."""
    pages = sum(count for count, _ in pool)
    if room >= pages:
        return float("inf")
    low, high = 0.0, 1.0

    def held(span: float) -> float:
        return _sum(pool, lambda p: -expm1(-p * span))

    while held(high) < room:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if held(middle) < room else (low, middle)
    return high


def _gone(p: float, span: float) -> float:
    """Return the probability that a page's last use is longer ago than `span`."""
    return exp(-p * span)


def _written(p: float, span: float, share: float) -> float:
    """Return the probability that a page is written while it stays, which each use prolongs."""
    again = 1 - _gone(p, span)
    if again == 1:
        return 1.0  # it never leaves, and is written some day
    return 1 - (1 - share) * (1 - again) / (1 - again * (1 - share))
