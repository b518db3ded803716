"""Morris's design: few trajectories that move one factor at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from virtperf.design.factorial import Design
from virtperf.design.reading import ranges
from virtperf.design.sampled import at
from virtperf.errors import ParameterError
from virtperf.rng import stream

if TYPE_CHECKING:
    from virtperf.design.sampled import Ranges


def morris(factors: Ranges, trajectories: int = 10, levels: int = 4, seed: int = 1) -> Design:
    """Return ``trajectories * (factors + 1)`` points, one trajectory after the other.

    A trajectory begins at random and moves every factor once, in random order, up or down by a
    bit more than half of its range. `virtperf.stats.morris` reads what the model answers, in the
    same order; two trajectories may share a point.

    Parameters
    ----------
    factors : mapping of address to range
        As in `latin_hypercube`.
    trajectories : int
        Elementary effects per factor, at least 2; 10 is usual.
    levels : int
        Positions per range, even; the step is ``levels / (2 (levels - 1))`` of the range, which
        makes all of them as likely as each other [1]_.
    seed : int
        The same seed gives the same points.

    References
    ----------
    .. [1] M. D. Morris, "Factorial sampling plans for preliminary computational experiments",
       Technometrics 33(2), 1991.

    Examples
    --------
    >>> design = morris({"vm.count": "1..8", "vm.disk.poll": "0..50000"}, trajectories=2)
    >>> len(design)
    6
    >>> [sum(old[key] != new[key] for key in old) for old, new in zip(design, design[1:3])]
    [1, 1]
    """
    import numpy as np

    known = ranges(factors)
    if trajectories < 2:
        raise ParameterError("morris", "trajectories", "at least 2", trajectories)
    if levels < 2 or levels % 2:
        raise ParameterError("morris", "levels", "even, at least 2", levels)
    draws, count = stream(seed, 0, "design/morris"), len(known)
    step = levels / (2 * (levels - 1))
    rows = []
    for _ in range(trajectories):
        low = draws.integers(levels // 2, size=count) / (levels - 1)
        up = draws.integers(2, size=count).astype(bool)
        here = np.where(up, low, low + step)
        rows.append(here)
        for moved in draws.permutation(count):
            here = here.copy()
            here[moved] = low[moved] + step if up[moved] else low[moved]
            rows.append(here)
    return at(known, np.minimum(np.array(rows), 1.0))


def positions(factors: Ranges, design: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Return where each point lies in the ranges: a row per point, a column per factor, in [0, 1].

    Examples
    --------
    >>> positions({"vm.count": "1..5"}, [{"vm.count": 2}, {"vm.count": 5}])
    [[0.25], [1.0]]
    """
    known = ranges(factors)
    return [[one.position(point[address]) for address, one in known.items()] for point in design]
