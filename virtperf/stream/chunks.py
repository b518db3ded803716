"""How streams are cut: into chunks of any size, without a word lost or moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def regroup(chunks: Iterable[NDArray[np.uint64]], size: int) -> Iterator[NDArray[np.uint64]]:
    """Yield the same words in chunks of `size`; only the last may be shorter, and none is empty.

    Parameters
    ----------
    chunks : iterable of arrays
        Words, in chunks of any size.
    size : int
        Words per chunk, at least 1.

    Raises
    ------
    ParameterError
        If `size` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> [chunk.tolist() for chunk in regroup([np.arange(3), np.arange(3, 5)], 2)]
    [[0, 1], [2, 3], [4]]
    """
    if size < 1:
        raise ParameterError("regroup", "size", "at least 1", size)
    return _regroup(chunks, size)


def _regroup(chunks: Iterable[NDArray[np.uint64]], size: int) -> Iterator[NDArray[np.uint64]]:
    import numpy as np

    held: list[NDArray[np.uint64]] = []
    room = size
    for chunk in chunks:
        start = 0
        while len(chunk) - start >= room:
            end = start + room
            piece = chunk[start:end]
            yield np.concatenate([*held, piece]) if held else piece
            held, room, start = [], size, end
        if start < len(chunk):
            held.append(chunk[start:])
            room -= len(chunk) - start
    if held:
        yield np.concatenate(held)


def limited(chunks: Iterable[NDArray[np.uint64]], words: int) -> Iterator[NDArray[np.uint64]]:
    """Yield the first `words` words, and ask for no more chunks than that takes."""
    left = words
    if left < 1:
        return
    for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return
