"""Saltelli's design, from which Sobol indices are estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import virtperf.design.sampled as sampled
from virtperf.design.factorial import Design
from virtperf.design.reading import ranges

if TYPE_CHECKING:
    from virtperf.design.sampled import Ranges


def saltelli(factors: Ranges, n: int, seed: int = 1) -> Design:
    """Return ``n * (factors + 2)`` points: for each base sample A, B, and A with one factor of B.

    Rows come base sample by base sample, ``A, B, AB_1, ..., AB_k``, so that a study which stops
    early has whole base samples; `virtperf.stats.sobol_indices` reads the answers in this order.
    Where factors have few levels two points may be the same.

    Parameters
    ----------
    factors : mapping of address to range
        As in `latin_hypercube`; levels that are equally likely, independent of each other.
    n : int
        Base samples, a power of 2.
    seed : int
        The same seed gives the same points.

    References
    ----------
    .. [1] A. Saltelli et al., "Variance based sensitivity analysis of model output. Design and
       estimator for the total sensitivity index", Computer Physics Communications 181, 2010.

    Examples
    --------
    >>> design = saltelli({"vm.count": "1..8", "vm.vcpus": "1..8"}, n=2)
    >>> a, b, first, second = design[:4]
    >>> first == a | {"vm.count": b["vm.count"]}, second == a | {"vm.vcpus": b["vm.vcpus"]}
    (True, True)
    """
    known = ranges(factors)
    rows = sampled.sequence(2 * len(known), n, seed, owner="saltelli")
    half = len(known)
    design: Design = []
    for a, b in zip(
        sampled.at(known, rows[:, :half]), sampled.at(known, rows[:, half:]), strict=True
    ):
        design += [a, b, *(a | {address: b[address]} for address in known)]
    return design
