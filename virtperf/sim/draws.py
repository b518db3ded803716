"""The random numbers of a source, one at a time, as the rows of the draw table describe them."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, cycle, repeat

from virtperf import rng
from virtperf.dist import Cycle, Distribution, Empirical, Exponential, Gamma, LogNormal, Mmpp
from virtperf.errors import ParameterError
from virtperf.rng import BLOCK, stream
from virtperf.tables import DrawKind, DrawRow, System
from virtperf.units import ticks


def draws(
    system: System, source_name: str, number: int, seed: int, replication: int
) -> Iterator[int]:
    """Return the endless numbers of one row of the draw table.

    Parameters
    ----------
    system : System
    source_name : str
        Whose draws they are; their stream is ``<source_name>/<purpose>``.
    number : int
        Row of `system.draws`.
    seed, replication : int
        See `virtperf.rng.stream`.

    Returns
    -------
    iterator of int
        Ticks; of a `CHOICE`, the number of what was chosen. A constant draws nothing.

    Raises
    ------
    ParameterError
        If the row is of a kind that is not drawn.
    """
    row = system.draws[number]
    purpose = f"{source_name}/{row.purpose}"
    if row.kind == DrawKind.DETERMINISTIC:
        return repeat(ticks(row.a))
    if row.kind == DrawKind.CHOICE:
        return choices(system.weights[slice(*row.values)], seed, replication, purpose)
    return rng.draws(seed, replication, purpose, _distribution(system, row).sampler())


def order(system: System, number: int) -> Iterator[int]:
    """Return the values of a row as whole numbers, one after the other, again and again."""
    return cycle(map(int, system.values[slice(*system.draws[number].values)]))


def choices(weights: Sequence[float], seed: int, replication: int, purpose: str) -> Iterator[int]:
    """Yield 0, 1, ... with these weights; one uniform number each, of the stream `purpose`."""
    edges = list(accumulate(weights))
    uniform = stream(seed, replication, purpose)
    while True:
        for point in uniform.random(BLOCK) * edges[-1]:
            yield sum(point >= edge for edge in edges[:-1])


def _distribution(system: System, row: DrawRow) -> Distribution:
    """Return what a row of times describes."""
    values, weights = system.values[slice(*row.values)], system.weights[slice(*row.values)]
    if row.kind == DrawKind.EXPONENTIAL:
        return Exponential(row.a)
    if row.kind == DrawKind.LOGNORMAL:
        return LogNormal(row.a, row.b)
    if row.kind == DrawKind.GAMMA:
        return Gamma(row.a, row.b)
    if row.kind == DrawKind.EMPIRICAL:
        return Empirical(values, weights)
    if row.kind == DrawKind.CYCLE:
        return Cycle(values)
    if row.kind == DrawKind.MMPP:
        return Mmpp(values, weights)
    raise ParameterError("draw", row.purpose, "of a kind that can be drawn", row.kind)
