"""Streams over one range of addresses: how large it is, where it begins, how much is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf import rng
from virtperf.errors import ParameterError
from virtperf.stream.words import PAGE_BYTES, WRITE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST = 1 << 47  # half of a 48-bit address space
_HALF = 1 << 56  # half of a 57-bit one


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A range of addresses that a stream stays within.

    Parameters
    ----------
    footprint_bytes : int
        Length of the range, from 1 byte to 128 TiB.
    base : int
        Address of its first byte, on a page's boundary. The range lies within one half of the
        addresses that are canonical in 57 bits.
    write_fraction : float
        Probability that an access writes, each by itself.

    Raises
    ------
    ParameterError
        If one of these cannot be.
    """

    footprint_bytes: int
    base: int = 0
    write_fraction: float = 0.0

    def __post_init__(self) -> None:
        owner = type(self).__name__
        whole(owner, "footprint_bytes", self.footprint_bytes, 1, _MOST)
        whole(owner, "base", self.base, 0, (1 << 64) - 1)
        end = self.base + self.footprint_bytes
        if self.base % PAGE_BYTES:
            raise ParameterError(owner, "base", f"a multiple of {PAGE_BYTES}", self.base)
        if not (end <= _HALF or (self.base >= (1 << 64) - _HALF and end <= 1 << 64)):
            must = f"such that {self.footprint_bytes} bytes from it are canonical"
            raise ParameterError(owner, "base", must, hex(self.base))
        fraction(owner, "write_fraction", self.write_fraction)

    def _in_pages(self) -> int:
        """Return the footprint in pages, and refuse one of a part of a page."""
        pages, over = divmod(self.footprint_bytes, PAGE_BYTES)
        if over:
            owner, must = type(self).__name__, f"a multiple of {PAGE_BYTES}"
            raise ParameterError(owner, "footprint_bytes", must, self.footprint_bytes)
        return pages

    def _writes(self, seed: int, replication: int, purpose: str) -> np.random.Generator | None:
        """Return what decides which accesses write, or None if none does."""
        if not self.write_fraction:
            return None
        return rng.stream(seed, replication, f"{purpose}/writes")

    def _words(
        self, offsets: NDArray[np.uint64], writes: np.random.Generator | None
    ) -> NDArray[np.uint64]:
        """Return the words of accesses at offsets into the range."""
        import numpy as np

        words = np.uint64(self.base) + (offsets & np.uint64((1 << 64) - PAGE_BYTES))
        if writes is not None:
            written = writes.random(len(words)) < self.write_fraction
            words |= written.astype(np.uint64) * np.uint64(WRITE)
        return words


def whole(owner: str, field: str, value: object, least: int, most: int) -> None:
    """Refuse what is no whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ParameterError(owner, field, f"a whole number from {least} to {most}", value)


def fraction(owner: str, field: str, value: object) -> None:
    """Refuse what is no number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ParameterError(owner, field, "a number from 0 to 1", value)
