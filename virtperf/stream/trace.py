"""Page traces: files of accesses. 64-bit words, little-endian, compressed by zstd.

A file is one zstd frame or several, one after the other, with windows of at most 128 MiB (what
``zstd --long=27`` writes). Their contents are the words of `virtperf.stream.words`, and nothing
else: no header, no end mark. Both are read and written with a bounded piece in memory at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import ImportFileError, OutputError, ParameterError
from virtperf.stream.chunks import regroup
from virtperf.stream.words import Part, check_address_bits, check_part, complain, part_of, problems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 1 << 20
"""Words that are read at a time."""
_WORD = 8
_MAGIC = b"\x28\xb5\x2f\xfd"
_FRAME = 1 << 23  # words: long enough to find repetitions, and 64 MiB of memory
_LEVEL = 9  # of zstd: a quarter of what its default leaves of such traces, at half its speed
_SHOWN = 3  # bad words a message quotes


def read_trace(
    path: str | Path,
    *,
    part: Part = "all",
    chunk: int = CHUNK,
    limit: int | None = None,
    address_bits: int = 48,
) -> Iterator[NDArray[np.uint64]]:
    """Read a page trace, a chunk at a time.

    Parameters
    ----------
    path : str or Path
        The file.
    part : {'all', 'data', 'ifetch'}
        Which accesses to return.
    chunk : int
        Words to read at a time; chunks of a part are shorter, and none is empty.
    limit : int, optional
        Read only so many words of the file, whatever their part; what follows is not looked at.
    address_bits : int
        Width of canonical addresses: 48, or 57 under page tables of 5 levels.

    Yields
    ------
    array of uint64
        Accesses, in order.

    Raises
    ------
    ParameterError
        If an argument is impossible; at once.
    ImportFileError
        If the file cannot be read, is empty, truncated or no page trace; not before the
        reader gets there.
    """
    check_part(part)
    for field, value in (("chunk", chunk), ("limit", limit)):
        if value is not None and value < 1:
            raise ParameterError("read_trace", field, "at least 1", value)
    check_address_bits(address_bits)
    return _parts(Path(path), part, _checked(Path(path), chunk, limit, address_bits))


def load_trace(
    path: str | Path, *, part: Part = "all", limit: int | None = None, address_bits: int = 48
) -> NDArray[np.uint64]:
    """Read a page trace into one array: 8 bytes of memory per access. See `read_trace`."""
    import numpy as np

    chunks = read_trace(path, part=part, limit=limit, address_bits=address_bits)
    return np.concatenate([np.empty(0, dtype=np.uint64), *chunks])


def write_trace(
    path: str | Path, chunks: Iterable[NDArray[np.uint64]], *, address_bits: int = 48
) -> int:
    """Write a page trace, and return its number of words.

    The file appears when it is whole; nothing is left of one that is not.

    Parameters
    ----------
    path : str or Path
        The file; one that exists is replaced.
    chunks : iterable of arrays of uint64
        Accesses, as of `read_trace` or of a stream.
    address_bits : int
        Width of canonical addresses: 48, or 57 under page tables of 5 levels.

    Raises
    ------
    ParameterError
        If a word is no access, or there is none.
    OutputError
        If the file cannot be written.
    """
    target = Path(path)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            count = _write(file, chunks, address_bits)
        part.replace(target)
    except OSError as error:
        raise OutputError(target, f"cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return count


# -- reading ----------------------------------------------------------------------------------


def _parts(
    path: Path, part: Part, chunks: Iterator[NDArray[np.uint64]]
) -> Iterator[NDArray[np.uint64]]:
    """Return the part of each chunk."""
    seen = 0
    for words in chunks:
        seen += len(words)
        wanted = part_of(words, part)
        if len(wanted):
            yield wanted
    if not seen:
        raise ImportFileError(path, "must hold at least one word of 8 bytes, got none")


def _checked(
    path: Path, chunk: int, limit: int | None, address_bits: int
) -> Iterator[NDArray[np.uint64]]:
    """Yield words once they are known to be accesses."""
    import numpy as np

    done = 0
    for piece in _pieces(path, chunk * _WORD):
        over = len(piece) % _WORD
        if over:
            got = done * _WORD + len(piece)
            raise ImportFileError(path, f"must hold whole words of 8 bytes, got {got} bytes")
        words = np.frombuffer(piece, dtype="<u8").astype(np.uint64)  # a copy: may be written to
        words = words if limit is None else words[: limit - done]
        bad = problems(words, address_bits=address_bits)
        if len(bad):
            raise ImportFileError(path, _complaint(words, bad, done, address_bits))
        yield words
        done += len(words)
        if done == limit:
            return


def _complaint(
    words: NDArray[np.uint64], bad: NDArray[np.intp], before: int, address_bits: int
) -> str:
    said = []
    for at in bad[:_SHOWN].tolist():
        field, must, got = complain(int(words[at]), address_bits=address_bits)
        said.append(f"word {before + at}: {field} must be {must}, got {got}")
    if len(bad) > _SHOWN:
        said.append(f"{len(bad) - _SHOWN} more among the next {len(words) - int(bad[_SHOWN - 1])}")
    return "; ".join(said)


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """Yield what the file holds, `size` bytes at a time; only the last may be shorter."""
    import pyarrow as pa

    _look(path)
    done = 0
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as source:
            while piece := _filled(source, size):
                yield piece
                done += len(piece)
    except OSError as error:
        after = f"somewhere after word {done // _WORD}"
        if "Truncated" in str(error):
            raise ImportFileError(path, f"ends within a zstd frame, {after}") from None
        raise ImportFileError(path, f"has no sound zstd frame {after}: {error}") from None


def _filled(source: Any, size: int) -> bytes:
    """Read until there are `size` bytes, or no more."""
    piece: bytes = source.read(size)
    while 0 < len(piece) < size:
        more: bytes = source.read(size - len(piece))
        if not more:
            break
        piece += more
    return piece


def _look(path: Path) -> None:
    """Refuse a file that does not begin as a page trace does."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise ImportFileError(path, f"cannot be read: {error.strerror}") from None
    if head != _MAGIC:
        got = f"the bytes {head.hex(' ')}" if head else "an empty file"
        must = f"must be a page trace: zstd frames, which begin with {_MAGIC.hex(' ')}"
        raise ImportFileError(path, f"{must}; got {got}")


# -- writing ----------------------------------------------------------------------------------


def _write(file: Any, chunks: Iterable[NDArray[np.uint64]], address_bits: int) -> int:
    """Write one frame after the other; return the number of words."""
    import pyarrow as pa

    codec = pa.Codec("zstd", compression_level=_LEVEL)
    count = 0
    for words in regroup(chunks, _FRAME):
        bad = problems(words, address_bits=address_bits)
        if len(bad):
            at = int(bad[0])
            field, must, got = complain(int(words[at]), address_bits=address_bits)
            raise ParameterError(f"word {count + at}", field, must, got)
        file.write(codec.compress(words.astype("<u8").tobytes(), asbytes=True))
        count += len(words)
    if not count:
        raise ParameterError("write_trace", "chunks", "of at least one word in all", 0)
    return count
