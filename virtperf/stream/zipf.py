"""Zipf's law over pages: few are hot, many are not. Exact over any number of pages, in no table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf import rng
from virtperf.errors import ParameterError
from virtperf.stream.declared import BLOCK
from virtperf.stream.region import Region
from virtperf.stream.words import PAGE_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ROUNDS = 4  # of the permutation; three are a pseudo-random one (Luby, Rackoff 1988), one to spare


@dataclass(frozen=True, slots=True, kw_only=True)
class Zipf(Region):
    """Each access is to the page of rank k with a probability in proportion to ``k ** -exponent``.

    A random permutation says which page has which rank, so hot pages are spread over the range.

    Parameters
    ----------
    exponent : float
        Above 0; at 0 it would be `Uniform`. At most 20.
    footprint_bytes, base, write_fraction
        See `Region`; the footprint is a number of whole pages.
    """

    exponent: float = 1.0

    def __post_init__(self) -> None:
        Region.__post_init__(self)
        self._in_pages()
        if not 0 < self.exponent <= 20:
            raise ParameterError("Zipf", "exponent", "above 0, at most 20", self.exponent)

    def blocks(self, seed: int, replication: int, purpose: str) -> Iterator[NDArray[np.uint64]]:
        """Yield words without end."""
        import numpy as np

        ranks = Ranks(self._in_pages(), self.exponent)
        order = Permutation(self._in_pages(), rng.stream(seed, replication, f"{purpose}/order"))
        draw = rng.stream(seed, replication, f"{purpose}/ranks")
        writes = self._writes(seed, replication, purpose)
        while True:
            pages = order(ranks.draw(draw, BLOCK) - np.uint64(1))
            yield self._words(pages * np.uint64(PAGE_BYTES), writes)


class Ranks:
    """Draws of ranks 1 to n by rejection-inversion: exact, a few operations per draw.

    A point under a curve that lies above the probabilities is found by inversion, and rejected if
    it is not below the bar of its rank.

    Parameters
    ----------
    count : int
        The number n of ranks.
    exponent : float
        Of the law.

    References
    ----------
    .. [1] W. Hoermann, G. Derflinger, "Rejection-inversion to generate variates from monotone
       discrete distributions", ACM TOMACS 6(3), 1996.
    """

    def __init__(self, count: int, exponent: float) -> None:
        import numpy as np

        self.count, self.exponent = count, exponent
        ends = self._area(np.array([1.5, count + 0.5, 2.5]))
        self._first, self._last = float(ends[0]) - 1.0, float(ends[1])
        self._sure = 2.0 - float(self._inverse(ends[2:] - 2.0**-exponent)[0])

    def draw(self, draw: np.random.Generator, count: int) -> NDArray[np.uint64]:
        """Return `count` ranks."""
        import numpy as np

        found = np.empty(count, dtype=np.uint64)
        done = 0
        while done < count:
            area = self._last + draw.random(count - done) * (self._first - self._last)
            x = self._inverse(area)
            rank = np.clip(np.floor(x + 0.5), 1.0, self.count)
            good = rank - x <= self._sure
            doubtful = np.flatnonzero(~good)
            k = rank[doubtful]
            good[doubtful] = area[doubtful] >= self._area(k + 0.5) - k**-self.exponent
            kept = rank[good].astype(np.uint64)
            found[done : done + len(kept)] = kept
            done += len(kept)
        return found

    def _area(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral of ``t ** -exponent`` from 1 to x, exact near an exponent of 1."""
        import numpy as np

        log = np.log(x)
        scaled = (1.0 - self.exponent) * log
        area: NDArray[np.float64] = log * _ratio(np.expm1, scaled)
        return area

    def _inverse(self, area: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the x of an area; rounding may not take it out of the logarithm's range."""
        import numpy as np

        scaled = np.maximum(area * (1.0 - self.exponent), -1.0 + 2.0**-53)
        x: NDArray[np.float64] = np.exp(area * _ratio(np.log1p, scaled))
        return x


def _ratio(function: np.ufunc, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``function(x) / x``, 1 where x is too small to matter."""
    import numpy as np

    small = np.abs(x) < 1e-16
    safe = np.where(small, 1.0, x)
    ratio: NDArray[np.float64] = np.where(small, 1.0, function(safe) / safe)
    return ratio


class Permutation:
    """A random permutation of 0 to n - 1 that needs no table.

    A Feistel network of four rounds over the least even number of bits that holds n; what leaves
    the range goes through it again, until it is back (cycle walking), so it stays one to one.

    Parameters
    ----------
    count : int
        The number n.
    draw : numpy.random.Generator
        Draws the keys.
    """

    def __init__(self, count: int, draw: np.random.Generator) -> None:
        import numpy as np

        self.count = count
        self._half = np.uint64(max(1, ((count - 1).bit_length() + 1) // 2))
        self._keys = draw.integers(0, 1 << 63, _ROUNDS, dtype=np.uint64)

    def __call__(self, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return where each number goes."""
        import numpy as np

        found = self._once(numbers)
        outside = np.flatnonzero(found >= self.count)
        while len(outside):
            found[outside] = self._once(found[outside])
            outside = outside[found[outside] >= self.count]
        return found

    def _once(self, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        import numpy as np

        mask = (np.uint64(1) << self._half) - np.uint64(1)
        left, right = numbers >> self._half, numbers & mask
        for key in self._keys:
            mixed = (right ^ key) * np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio
            mixed ^= mixed >> np.uint64(32)
            mixed *= np.uint64(0xD6E8FEB86659FD93)
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        return (left << self._half) | right
