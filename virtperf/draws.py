"""The random numbers of a source, as the rows of the draw table describe them.

Engines use them one at a time, or a block at a time: the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, cycle, repeat
from typing import TYPE_CHECKING

from virtperf import rng
from virtperf.dist import Cycle, Distribution, Empirical, Exponential, Gamma, LogNormal, Mmpp
from virtperf.errors import ParameterError
from virtperf.rng import BLOCK, stream
from virtperf.tables import NONE, DrawKind, DrawRow, SourceRow, System
from virtperf.units import ticks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Blocks = Iterator[NDArray[np.int64]]


def draws(
    system: System, source_name: str, number: int, seed: int, replication: int
) -> Iterator[int]:
    """Return the endless numbers of one row of the draw table, one at a time.

    Parameters as in `blocks`.
    """
    row = system.draws[number]
    if row.kind == DrawKind.DETERMINISTIC:
        return repeat(ticks(row.a))
    return _one_at_a_time(blocks(system, source_name, number, seed, replication))


def blocks(system: System, source_name: str, number: int, seed: int, replication: int) -> Blocks:
    """Return the endless numbers of one row of the draw table, 1,024 at a time.

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
    iterator of array of int
        Ticks; of a `CHOICE`, the number of what was chosen. A constant draws nothing.

    Raises
    ------
    ParameterError
        If the row is of a kind that is not drawn.
    """
    row = system.draws[number]
    purpose = f"{source_name}/{row.purpose}"
    if row.kind == DrawKind.DETERMINISTIC:
        return _constant(ticks(row.a))
    if row.kind == DrawKind.CHOICE:
        return _choices(system.weights[slice(*row.values)], seed, replication, purpose)
    return rng.blocks(seed, replication, purpose, _distribution(system, row).sampler())


def chooses(source: SourceRow) -> bool:
    """Return whether the requests of a source are of several classes, or come in an order."""
    return source.order != NONE or source.classes.last - source.classes.first > 1


def kinds(system: System, source: SourceRow, seed: int, replication: int) -> Iterator[int]:
    """Return the class of each request of a source, 0 the first, one after the other."""
    if not chooses(source):
        return repeat(0)
    return _one_at_a_time(kind_blocks(system, source, seed, replication))


def kind_blocks(system: System, source: SourceRow, seed: int, replication: int) -> Blocks:
    """Return the class of each request of a source, 1,024 at a time."""
    if source.order != NONE:
        return _order(system.values[slice(*system.draws[source.order].values)])
    weights = [row.weight for row in system.classes[slice(*source.classes)]]
    return _choices(weights, seed, replication, f"{source.name}/class")


def _one_at_a_time(many: Blocks) -> Iterator[int]:
    return chain.from_iterable(block.tolist() for block in many)


def _constant(number: int) -> Blocks:
    import numpy as np

    return repeat(np.full(BLOCK, number))


def _order(values: Sequence[float]) -> Blocks:
    """Yield the values as whole numbers, one after the other, again and again."""
    import numpy as np

    endless = cycle(map(int, values))
    while True:
        yield np.fromiter(endless, np.int64, BLOCK)


def _choices(weights: Sequence[float], seed: int, replication: int, purpose: str) -> Blocks:
    """Yield 0, 1, ... with these weights; one uniform number each, of the stream `purpose`."""
    import numpy as np

    *edges, total = accumulate(weights)
    uniform = stream(seed, replication, purpose)
    while True:
        yield np.searchsorted(edges, uniform.random(BLOCK) * total, side="right").astype(np.int64)


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
