"""Streams of one pattern: in order, with a stride, at random, along a ring of pointers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf import rng
from virtperf.errors import ParameterError
from virtperf.stream.declared import BLOCK
from virtperf.stream.region import Region, whole
from virtperf.stream.words import PAGE_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Strided(Region):
    """Access number i is at byte ``i * stride_bytes`` of the range, modulo its length.

    Parameters
    ----------
    stride_bytes : int
        From one access to the next, at least 1.
    footprint_bytes, base, write_fraction
        See `Region`. If the stride does not divide the footprint, each round touches other bytes.
    """

    stride_bytes: int

    def __post_init__(self) -> None:
        Region.__post_init__(self)
        whole("Strided", "stride_bytes", self.stride_bytes, 1, 1 << 63)

    def blocks(self, seed: int, replication: int, purpose: str) -> Iterator[NDArray[np.uint64]]:
        """Yield words without end."""
        import numpy as np

        writes = self._writes(seed, replication, purpose)
        length, stride = self.footprint_bytes, self.stride_bytes % self.footprint_bytes
        steps = np.arange(BLOCK, dtype=np.uint64) * np.uint64(stride)  # below 2**63
        start = 0
        while True:
            yield self._words((np.uint64(start) + steps) % np.uint64(length), writes)
            start = (start + BLOCK * stride) % length


def sequential(
    footprint_bytes: int, *, access_bytes: int = 8, base: int = 0, write_fraction: float = 0.0
) -> Strided:
    """Return the stream that reads a range from its first byte to its last, over and over.

    Parameters
    ----------
    footprint_bytes, base, write_fraction
        See `Region`.
    access_bytes : int
        Size of an access, which is the stride: 8 bytes give 512 accesses to each page.
    """
    return Strided(
        footprint_bytes=footprint_bytes,
        base=base,
        write_fraction=write_fraction,
        stride_bytes=access_bytes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform(Region):
    """Each access is to any page of the range, with the same probability, whatever came before.

    Parameters
    ----------
    footprint_bytes, base, write_fraction
        See `Region`; the footprint is a number of whole pages.
    """

    def __post_init__(self) -> None:
        Region.__post_init__(self)
        self._in_pages()

    def blocks(self, seed: int, replication: int, purpose: str) -> Iterator[NDArray[np.uint64]]:
        """Yield words without end."""
        import numpy as np

        pages, draw = self._in_pages(), rng.stream(seed, replication, f"{purpose}/pages")
        writes = self._writes(seed, replication, purpose)
        while True:
            drawn = draw.integers(0, pages, BLOCK, dtype=np.uint64)
            yield self._words(drawn * np.uint64(PAGE_BYTES), writes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointerChase(Region):
    """Elements hold the address of the next: a ring through all of them, in random order.

    Every ring is equally likely, as of Sattolo's algorithm: n elements put into a random order and
    closed give each of the (n - 1)! rings n times out of n! orders. Memory: 4 bytes per element.

    Parameters
    ----------
    stride_bytes : int
        From one element to the next in memory: 4,096 for one line per page.
    footprint_bytes, base, write_fraction
        See `Region`; the footprint is at least one element, at most 2**32, and no part of one.
    """

    stride_bytes: int = PAGE_BYTES

    def __post_init__(self) -> None:
        Region.__post_init__(self)
        whole("PointerChase", "stride_bytes", self.stride_bytes, 1, 1 << 47)
        if self.footprint_bytes % self.stride_bytes:
            must = f"a multiple of stride_bytes, {self.stride_bytes}"
            raise ParameterError("PointerChase", "footprint_bytes", must, self.footprint_bytes)
        if self.elements > 1 << 32:
            must = f"at most 2**32 strides of {self.stride_bytes} bytes"
            raise ParameterError("PointerChase", "footprint_bytes", must, self.footprint_bytes)

    @property
    def elements(self) -> int:
        """Number of elements: the period of the stream."""
        return self.footprint_bytes // self.stride_bytes

    def blocks(self, seed: int, replication: int, purpose: str) -> Iterator[NDArray[np.uint64]]:
        """Yield words without end."""
        import numpy as np

        writes = self._writes(seed, replication, purpose)
        order = np.arange(self.elements, dtype=np.uint32)
        rng.stream(seed, replication, f"{purpose}/order").shuffle(order)
        at = 0
        while True:
            part = order[at : at + BLOCK]
            yield self._words(part.astype(np.uint64) * np.uint64(self.stride_bytes), writes)
            at = (at + len(part)) % len(order)
