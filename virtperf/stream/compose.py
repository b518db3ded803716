"""Streams made of streams: phases, code and data, and processes that take turns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

from virtperf import rng
from virtperf.errors import ParameterError
from virtperf.stream.chunks import Reader
from virtperf.stream.declared import BLOCK, Stream
from virtperf.stream.region import fraction, whole
from virtperf.stream.words import FETCH, PAGE_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Working sets that follow each other, over and over.

    Parameters
    ----------
    parts : sequence of (Stream, int)
        Streams, and how many accesses of each come in a row. A stream that has its turn again
        goes on where it was.
    """

    parts: Sequence[tuple[Stream, int]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple((one, count) for one, count in self.parts))
        if not self.parts:
            raise ParameterError("Phases", "parts", "at least one stream", self.parts)
        for at, (_, accesses) in enumerate(self.parts):
            whole("Phases", f"parts[{at}]", accesses, 1, _MOST)

    def blocks(self, seed: int, replication: int, purpose: str) -> Iterator[NDArray[np.uint64]]:
        """Yield words without end."""
        readers = [
            (Reader(stream.blocks(seed, replication, f"{purpose}/phase[{at}]")), accesses)
            for at, (stream, accesses) in enumerate(self.parts)
        ]
        for reader, accesses in cycle(readers):
            for start in range(0, accesses, BLOCK):
                yield reader.take(min(BLOCK, accesses - start))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAndData:
    """Instruction fetches among accesses to data.

    Parameters
    ----------
    code : Stream
        Where instructions are fetched; whether it writes does not matter.
    data : Stream
        Where data are.
    fetch_fraction : float
        Probability that an access is a fetch, each by itself.
    """

    code: Stream
    data: Stream
    fetch_fraction: float

    def __post_init__(self) -> None:
        fraction("CodeAndData", "fetch_fraction", self.fetch_fraction)

    def blocks(self, seed: int, replication: int, purpose: str) -> Iterator[NDArray[np.uint64]]:
        """Yield words without end."""
        import numpy as np

        code = Reader(self.code.blocks(seed, replication, f"{purpose}/code"))
        data = Reader(self.data.blocks(seed, replication, f"{purpose}/data"))
        draw = rng.stream(seed, replication, f"{purpose}/fetches")
        while True:
            fetches = draw.random(BLOCK) < self.fetch_fraction
            words = np.empty(BLOCK, dtype=np.uint64)
            fetched = code.take(int(fetches.sum())) & np.uint64((1 << 64) - PAGE_BYTES)
            words[fetches] = fetched | np.uint64(FETCH)
            words[~fetches] = data.take(BLOCK - len(fetched))
            yield words


class Slice(NamedTuple):
    """What one process accesses while it has the CPU.

    Attributes
    ----------
    tag : int
        Number of the process: its address space.
    words : array of uint64
    """

    tag: int
    words: NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Processes that take turns on one CPU, each with an address space of its own.

    Parameters
    ----------
    processes : sequence of Stream
        What each accesses; the place in the list is its tag.
    quantum : int
        Accesses of a turn.
    """

    processes: Sequence[Stream]
    quantum: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "processes", tuple(self.processes))
        if not self.processes:
            raise ParameterError("Mix", "processes", "at least one stream", self.processes)
        whole("Mix", "quantum", self.quantum, 1, _MOST)

    def slices(self, seed: int, replication: int = 0, purpose: str = "stream") -> Iterator[Slice]:
        """Yield turns without end; see `interleave`."""
        return interleave(
            [
                process.blocks(seed, replication, f"{purpose}/process[{tag}]")
                for tag, process in enumerate(self.processes)
            ],
            self.quantum,
        )

    def blocks(self, seed: int, replication: int, purpose: str) -> Iterator[NDArray[np.uint64]]:
        """Yield words without end, and without their tags: as if all had one address space."""
        return (turn.words for turn in self.slices(seed, replication, purpose))


def interleave(streams: Sequence[Iterable[NDArray[np.uint64]]], quantum: int) -> Iterator[Slice]:
    """Return turns of several streams, `quantum` accesses each; one that ends drops out.

    Parameters
    ----------
    streams : sequence of iterables of arrays
        Words of each process, in chunks of any size, for example of `read_trace`.
    quantum : int
        Accesses of a turn, at least 1. A turn above 65,536 comes in several slices of one tag.

    Raises
    ------
    ParameterError
        If `quantum` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> turns = interleave([[np.arange(5)], [np.arange(10, 12)]], 2)
    >>> [(tag, words.tolist()) for tag, words in turns]
    [(0, [0, 1]), (1, [10, 11]), (0, [2, 3]), (0, [4])]
    """
    whole("interleave", "quantum", quantum, 1, _MOST)
    return _turns([(tag, Reader(chunks)) for tag, chunks in enumerate(streams)], quantum)


def _turns(readers: list[tuple[int, Reader]], quantum: int) -> Iterator[Slice]:
    while readers:
        left = []
        for tag, reader in readers:
            for start in range(0, quantum, BLOCK):
                size = min(BLOCK, quantum - start)
                words = reader.take(size)
                if len(words):
                    yield Slice(tag, words)
                if len(words) < size:
                    break
            else:
                left.append((tag, reader))
        readers = left
