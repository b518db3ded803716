"""Traces of valgrind's lackey become page traces: each line is an access, in constant memory.

``valgrind --tool=lackey --trace-mem=yes`` prints a line for each instruction fetch (``I``), load
(``L``), store (``S``) and read-modify-write (``M``)::

    I  04000a90,3
     S 1ffefffe78,8

Each becomes one word, so nothing is merged; an access that crosses the end of a page becomes two,
as the processor looks both pages up. Valgrind's own lines, ``==pid== ...``, are passed over.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from virtperf.errors import ImportFileError
from virtperf.importers.lackey_lines import Parsed, parse
from virtperf.stream import FETCH, WRITE, write_trace

_BLOCK = 1 << 22  # bytes read at a time
_LONGEST = 1 << 12  # bytes of a line; valgrind's own are shorter
_SHOWN = 5  # bad lines a message quotes
_PASSED_OVER = re.compile(rb"\s*|(==|--|\*\*)[\d:. ]+(==|--|\*\*).*")  # pid, or time and pid
_RULE = "`I  `, ` L `, ` S ` or ` M `, a hexadecimal address and a size from 1 to 4096"


@dataclass(slots=True)
class Recording:
    """What an import found.

    Attributes
    ----------
    lines, fetches, writes, crossings, words : int
        Accesses that lackey wrote, how many of them were instruction fetches, how many wrote, how
        many touched two pages; words of the trace.
    """

    lines: int = 0
    fetches: int = 0
    writes: int = 0
    crossings: int = 0
    words: int = 0


def import_lackey(source: str | Path | BinaryIO, output: str | Path) -> Recording:
    """Write what lackey recorded as a page trace.

    Parameters
    ----------
    source : path or binary stream
        Lackey's output; a stream is read once, to its end.
    output : str or Path
        The page trace, see `virtperf.stream.write_trace`. It appears when it is whole.

    Raises
    ------
    ImportFileError
        If the file cannot be read, holds no access, or has lines that cannot be understood: the
        first few are quoted, the others counted.
    OutputError
        If the trace cannot be written.
    """
    recording = Recording()
    chunks = read_lackey(source, recording)
    first = next(chunks, None)  # before any file is made
    if first is None:
        must = "must hold lines such as `I  04000a90,3`; was lackey run with --trace-mem=yes?"
        raise ImportFileError(_name(source), must)
    recording.words = write_trace(output, _with_first(first, chunks))
    return recording


def read_lackey(
    source: str | Path | BinaryIO, recording: Recording | None = None
) -> Iterator[NDArray[np.uint64]]:
    """Yield the words of lackey's output, a few hundred thousand at a time.

    Parameters
    ----------
    source : path or binary stream
        Lackey's output.
    recording : Recording, optional
        Counts what is read.

    Raises
    ------
    ImportFileError
        As of `import_lackey`; after the last line, so that all bad lines are known.
    """
    recording = Recording() if recording is None else recording
    bad = _BadLines(_name(source))
    done = 0
    for block in _blocks(source):
        parsed = parse(block)
        for at in np.flatnonzero(~parsed.good).tolist():
            text = bytes(block[int(parsed.starts[at]) : int(parsed.ends[at])])
            if not _PASSED_OVER.fullmatch(text):
                bad.add(done + at + 1, text)
        done += len(parsed.good)
        _count(recording, parsed)
        words = _words(parsed)
        if len(words):
            yield words
    bad.refuse()


@dataclass(slots=True)
class _BadLines:
    """The first few lines that cannot be understood, and the number of the others."""

    name: str
    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, line: int, text: bytes) -> None:
        self.count += 1
        if len(self.shown) < _SHOWN:
            got = text.decode(errors="replace")[:80]
            self.shown.append(f"line {line}: an access must be {_RULE}, got {got!r}")

    def refuse(self) -> None:
        """Raise one error about all of them."""
        if not self.count:
            return
        lines = [f"{self.count} bad line{'s' if self.count > 1 else ''}", *self.shown]
        if self.count > _SHOWN:
            lines.append(f"and {self.count - _SHOWN} more")
        lines.append("a program's own output stays apart with valgrind's --log-file=FILE")
        raise ImportFileError(self.name, "\n  - ".join(lines))


def _words(parsed: Parsed) -> NDArray[np.uint64]:
    """Return one word for each access, and a second one for each that touches two pages."""
    good = parsed.good
    addresses = parsed.addresses[good]
    crossing = parsed.crossing[good]
    pages = addresses & np.uint64((1 << 64) - 4096)
    words = pages | parsed.flags[good]
    if not crossing.any():
        return words
    twice = np.repeat(words, 1 + crossing)
    second = np.flatnonzero(crossing)
    twice[second + np.arange(1, len(second) + 1)] += np.uint64(4096)
    return twice


def _count(recording: Recording, parsed: Parsed) -> None:
    flags = parsed.flags[parsed.good]
    recording.lines += len(flags)
    recording.fetches += int((flags & np.uint64(FETCH) != 0).sum())
    recording.writes += int((flags & np.uint64(WRITE) != 0).sum())
    recording.crossings += int(parsed.crossing[parsed.good].sum())


# -- reading ----------------------------------------------------------------------------------


def _blocks(source: str | Path | BinaryIO) -> Iterator[NDArray[np.uint8]]:
    """Yield whole lines, about `_BLOCK` bytes at a time."""
    try:
        if not isinstance(source, str | Path):
            yield from _lines(source, _name(source))
            return
        with Path(source).open("rb") as file:
            yield from _lines(file, _name(source))
    except OSError as error:
        raise ImportFileError(_name(source), f"cannot be read: {error.strerror or error}") from None


def _lines(file: BinaryIO, name: str) -> Iterator[NDArray[np.uint8]]:
    rest = b""
    while piece := file.read(_BLOCK):
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield np.frombuffer(rest + piece[:cut], dtype=np.uint8)
            rest = piece[cut:]
        else:
            rest += piece
        if len(rest) > _LONGEST:
            must = f"must have lines of at most {_LONGEST} bytes, got a longer one"
            raise ImportFileError(name, f"{must}; is it lackey's output?")
    if rest:
        yield np.frombuffer(rest + b"\n", dtype=np.uint8)


def _name(source: str | Path | BinaryIO) -> str:
    return str(source) if isinstance(source, str | Path) else "standard input"


def _with_first(
    first: NDArray[np.uint64], chunks: Iterable[NDArray[np.uint64]]
) -> Iterator[NDArray[np.uint64]]:
    yield first
    yield from chunks
