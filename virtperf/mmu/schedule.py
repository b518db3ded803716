"""Who accesses memory when: segments of a stream, each of one context, with a flush before it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.flushes import EVERYTHING, Flush
from virtperf.mechanism.memory.mapping import NATIVE, Context
from virtperf.mmu.layout import Ints

CHUNK = 1 << 16
NO_FLUSH = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What a piece of a stream is cut into.

    Parameters
    ----------
    begins : array of int
        Where each segment begins, and where the last one ends; ascending, no segment empty.
    contexts : array of int
        The context of each segment, as an index of `who`.
    flushes : array of int
        What is flushed before each segment, as an index of `what`; -1 is nothing.
    who : tuple of Context
    what : tuple of Flush
    """

    begins: Ints
    contexts: Ints
    flushes: Ints
    who: tuple[Context, ...] = (NATIVE,)
    what: tuple[Flush, ...] = field(default=())

    def __post_init__(self) -> None:
        owner, segments = "Schedule", len(self.begins) - 1
        if segments < 0 or len(self.contexts) != segments or len(self.flushes) != segments:
            rule = "one more than contexts and flushes"
            raise ParameterError(owner, "begins", rule, len(self.begins))
        if segments and (self.begins[1:] <= self.begins[:-1]).any():
            raise ParameterError(owner, "begins", "ascending", "an empty segment")
        if segments and not 0 <= self.contexts.min() <= self.contexts.max() < len(self.who):
            raise ParameterError(
                owner, "contexts", f"below {len(self.who)}", int(max(self.contexts))
            )
        if segments and not -1 <= self.flushes.min() <= self.flushes.max() < len(self.what):
            raise ParameterError(
                owner, "flushes", f"below {len(self.what)}", int(max(self.flushes))
            )


def steady(
    count: int,
    context: Context = NATIVE,
    *,
    every: int | None = None,
    done: int = 0,
    flush: Flush = EVERYTHING,
) -> Schedule:
    """Return the schedule of one context, flushed before access `every`, twice that and so on.

    Parameters
    ----------
    count : int
        Accesses of this piece.
    context : Context
    every : int, optional
        Accesses from one flush to the next, at least 1; without it there is none.
    done : int
        Accesses of the stream before this piece. The first access of a stream has number 0, and
        no flush comes before it.
    flush : Flush
    """
    if every is not None and every < 1:
        raise ParameterError("steady", "every", "at least 1", every)
    step = every or (done + count + 1)
    first = max(step, -(-done // step) * step) - done  # the first flush of this piece
    cuts = np.arange(first, count, step, dtype=np.int64)
    plain = first > 0 and count > 0  # some accesses come before it
    begins = np.concatenate(([0] if plain else [], cuts, [count] if count else [0]))
    flushes = np.zeros(len(begins) - 1, np.int64)
    flushes[:plain] = NO_FLUSH
    return Schedule(
        begins=begins.astype(np.int64),
        contexts=np.zeros(len(flushes), np.int64),
        flushes=flushes,
        who=(context,),
        what=(flush,),
    )


Piece = tuple[int, int, Any]
"""A context, a flush before it (-1: none), and accesses."""


def cut(turns: Iterable[tuple[int, Any]], every: int | None) -> Iterator[Piece]:
    """Yield turns, as of `virtperf.stream.interleave`, with the flushes before them.

    That is 0 at a switch, and 1 at each access `every`; where both fall on one access, 1 only.
    """
    last, done = None, 0
    for one, piece in turns:
        flush = 0 if last not in (None, one) else NO_FLUSH
        last = one
        while len(piece):
            if every and done and done % every == 0:
                flush = 1
            part = piece[: every - done % every] if every else piece
            yield one, flush, part
            piece, done, flush = piece[len(part) :], done + len(part), NO_FLUSH


def gathered(
    pieces: Iterable[Piece], who: Sequence[Context], what: Sequence[Flush]
) -> Iterator[tuple[Any, Schedule]]:
    """Yield chunks of neighbouring pieces with their schedules.

    Parameters
    ----------
    pieces : iterable of Piece
    who, what : sequence
        The contexts and flushes that the pieces name by number.
    """
    held: list[Piece] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece[2])
        if size >= CHUNK:
            yield _chunk(held, who, what)
            held, size = [], 0
    if held:
        yield _chunk(held, who, what)


def _chunk(
    pieces: list[Piece], who: Sequence[Context], what: Sequence[Flush]
) -> tuple[Any, Schedule]:
    contexts, flushes, words = zip(*pieces, strict=True)
    schedule = Schedule(
        begins=np.cumsum([0, *map(len, words)]),
        contexts=np.array(contexts, np.int64),
        flushes=np.array(flushes, np.int64),
        who=tuple(who),
        what=tuple(what),
    )
    return np.concatenate(words), schedule
