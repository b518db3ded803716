"""Misses against size: what the one-pass analyses return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class MissCurve:
    """The misses of a fully associative LRU TLB of every size.

    Parameters
    ----------
    distances : array of int64
        How many accesses have each stack distance: the number of different pages since the last
        access to theirs, itself included. Those to pages never touched before stand at 0.
    """

    distances: NDArray[np.int64]

    @property
    def lookups(self) -> int:
        """Number of accesses."""
        return int(self.distances.sum())

    @property
    def cold(self) -> int:
        """First touches: different pages. No TLB of this page size misses less, whatever it is."""
        return int(self.distances[0])

    def misses(self, entries: int) -> int:
        """Return the misses of one size.

        Raises
        ------
        ParameterError
            If `entries` is below 1.
        """
        return int(self.at([entries])[0])

    def at(self, entries: NDArray[np.int64] | list[int]) -> NDArray[np.int64]:
        """Return the misses of several sizes. See `misses`."""
        sizes = np.asarray(entries, dtype=np.int64)
        if len(sizes) and sizes.min() < 1:
            raise ParameterError("MissCurve", "entries", "at least 1", int(sizes.min()))
        hits = np.concatenate([[0], np.cumsum(self.distances[1:])])
        return self.lookups - hits[np.minimum(sizes, len(hits) - 1)]

    def frame(self, label: str) -> pd.DataFrame:
        """Return the curve where it changes, as rows of ``stream, entries, misses, lookups``.

        Parameters
        ----------
        label : str
            What the column `stream` says.
        """
        import pandas as pd

        steps = np.flatnonzero(self.distances[1:]) + 1
        sizes = np.unique(np.concatenate([[1], steps]))
        return pd.DataFrame(
            {
                "stream": label,
                "entries": sizes,
                "misses": self.at(sizes),
                "lookups": self.lookups,
            }
        )
