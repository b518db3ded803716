"""How streams are cut: into chunks of any size, without a word lost or moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Reader:
    """Takes as many words off a stream as asked for, wherever its chunks end.

    Parameters
    ----------
    chunks : iterable of arrays of uint64
        Words, in chunks of any size.
    """

    def __init__(self, chunks: Iterable[NDArray[np.uint64]]) -> None:
        self._chunks = iter(chunks)
        self._rest: NDArray[np.uint64] | None = None

    def take(self, count: int) -> NDArray[np.uint64]:
        """Return the next `count` words; fewer, or none, if the stream ends."""
        rest = self._rest
        if rest is not None and count < len(rest):  # as short turns nearly always find it
            self._rest = rest[count:]
            return rest[:count]
        return self._joined(count)

    def _joined(self, count: int) -> NDArray[np.uint64]:
        import numpy as np

        pieces: list[NDArray[np.uint64]] = []
        while count:
            piece = self._rest if self._rest is not None else next(self._chunks, None)
            if piece is None:
                break
            self._rest = piece[count:] if len(piece) > count else None
            pieces.append(piece[:count])
            count -= len(pieces[-1])
        if not pieces:
            return np.empty(0, dtype=np.uint64)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def regroup(chunks: Iterable[NDArray[np.uint64]], size: int) -> Iterator[NDArray[np.uint64]]:
    """Return the same words in chunks of `size`; only the last may be shorter, and none is empty.

    Parameters
    ----------
    chunks : iterable of arrays of uint64
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
    return _regrouped(Reader(chunks), size)


def _regrouped(reader: Reader, size: int) -> Iterator[NDArray[np.uint64]]:
    while len(words := reader.take(size)):
        yield words


def limited(chunks: Iterable[NDArray[np.uint64]], count: int) -> Iterator[NDArray[np.uint64]]:
    """Yield the first `count` words, and ask for no more chunks than that takes."""
    if count < 1:
        return
    for chunk in chunks:
        yield chunk[:count]
        count -= len(chunk)
        if count <= 0:
            return
