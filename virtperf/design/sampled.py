"""Designs that fill a space evenly with few points: Latin hypercubes and Sobol sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from virtperf.design.factorial import Design
from virtperf.design.ranges import Range
from virtperf.design.reading import ranges
from virtperf.errors import ParameterError
from virtperf.rng import stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ranges = Mapping[str, Range | str | Iterable[Any]]


def latin_hypercube(factors: Ranges, n: int, seed: int = 1) -> Design:
    """Return `n` points, of which each n-th part of each range holds exactly one.

    Parameters
    ----------
    factors : mapping of address to range
        A `Range`, a text that `Range.read` takes, or a list of levels.
    n : int
        Points, at least 1.
    seed : int
        The same seed gives the same points.

    References
    ----------
    .. [1] M. D. McKay, R. J. Beckman, W. J. Conover, "A comparison of three methods for selecting
       values of input variables in the analysis of output from a computer code", Technometrics
       21(2), 1979.

    Examples
    --------
    >>> design = latin_hypercube({"vm.count": "1..4", "vm.disk": ["native", "virtio"]}, n=4)
    >>> sorted(point["vm.count"] for point in design)
    [1, 2, 3, 4]
    """
    from scipy.stats import qmc

    known = ranges(factors)
    if n < 1:
        raise ParameterError("latin_hypercube", "n", "at least 1", n)
    draws = stream(seed, 0, "design/latin-hypercube")
    return at(known, qmc.LatinHypercube(len(known), seed=draws).random(n))


def sobol(factors: Ranges, n: int, seed: int = 1) -> Design:
    """Return the first `n` points of a scrambled Sobol sequence.

    Parameters
    ----------
    factors, seed
        As in `latin_hypercube`.
    n : int
        Points, a power of 2: any other number leaves the sequence unbalanced [2]_.

    References
    ----------
    .. [1] I. M. Sobol, "The distribution of points in a cube and the accurate evaluation of
       integrals", USSR Comput. Math. Math. Phys. 7(4), 1967.
    .. [2] A. B. Owen, "On dropping the first Sobol' point", MCQMC 2020.

    Examples
    --------
    >>> design = sobol({"vm.count": "1..4", "vm.vcpus": "1..2"}, n=8)
    >>> sorted((point["vm.count"], point["vm.vcpus"]) for point in design)
    [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2)]
    """
    known = ranges(factors)
    return at(known, sequence(len(known), n, seed, owner="sobol"))


def sequence(columns: int, n: int, seed: int, *, owner: str) -> NDArray[np.float64]:
    """Return `n` rows of a scrambled Sobol sequence, in [0, 1)."""
    from scipy.stats import qmc

    if n < 1 or n & (n - 1):
        below = 1 << max(0, n.bit_length() - 1)
        must = f"a power of 2, such as {below} or {2 * below}, or the sequence is unbalanced"
        raise ParameterError(owner, "n", must, n)
    draws = stream(seed, 0, f"design/{owner}")
    made = qmc.Sobol(columns, scramble=True, bits=53, seed=draws)  # as fine as a double is
    rows: NDArray[np.float64] = made.random(n)
    return rows


def at(known: Mapping[str, Range], rows: NDArray[np.float64]) -> Design:
    """Return the points at rows of positions, a column per factor."""
    return [
        {address: one.at(u) for (address, one), u in zip(known.items(), row, strict=True)}
        for row in rows.tolist()
    ]
