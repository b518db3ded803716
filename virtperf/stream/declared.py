"""What a declared stream is, and how its words are made: the same ones, however they are cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from virtperf.errors import ParameterError
from virtperf.stream.chunks import limited, regroup

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 1 << 16
"""Words a declaration makes at a time: what it draws depends on this, and on no chunk size."""
CHUNK = 1 << 20
"""Words of a chunk, if nobody asks for another size: 8 MiB."""


class Stream(Protocol):
    """A declaration of accesses without end."""

    def blocks(self, seed: int, replication: int, purpose: str) -> Iterator[NDArray[np.uint64]]:
        """Yield words without end, in blocks as long as suits the declaration, none empty.

        The arguments name the random numbers, see `virtperf.rng.stream`; a part of a stream adds
        its own name to `purpose`.
        """
        ...


def generate(
    stream: Stream,
    accesses: int,
    *,
    seed: int,
    replication: int = 0,
    purpose: str = "stream",
    chunk: int = CHUNK,
) -> Iterator[NDArray[np.uint64]]:
    """Return the first words of a stream, in chunks.

    Parameters
    ----------
    stream : Stream
        A declaration, for example `Uniform`.
    accesses : int
        How many words, at least 1.
    seed, replication, purpose
        Name of the random numbers, see `virtperf.rng.stream`.
    chunk : int
        Words at a time. The words do not depend on it.

    Raises
    ------
    ParameterError
        If `accesses`, `chunk`, `seed` or `replication` is impossible.

    Examples
    --------
    >>> from virtperf.stream import Strided
    >>> every_page = Strided(footprint_bytes=3 * 4096, stride_bytes=4096)
    >>> [[hex(word) for word in words] for words in generate(every_page, 4, seed=1)]
    [['0x0', '0x1000', '0x2000', '0x0']]
    """
    for field, value, least in (("accesses", accesses, 1), ("seed", seed, 0)):
        if value < least:
            raise ParameterError("generate", field, f"at least {least}", value)
    return regroup(limited(stream.blocks(seed, replication, purpose), accesses), chunk)
