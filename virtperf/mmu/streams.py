"""Whole address streams through the hardware: one, or several that take turns."""

from collections.abc import Iterable, Sequence
from typing import Any

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.flushes import EVERYTHING, NOTHING, Tag
from virtperf.mechanism.memory.mapping import Context, Mapping
from virtperf.mmu.machine import Counts, Mmu
from virtperf.mmu.schedule import cut, gathered, steady
from virtperf.stream import interleave


def simulate(
    mmu: Mmu,
    streams: Sequence[Iterable[Any]],
    mapping: Mapping | None = None,
    *,
    flush_every: int | None = None,
    quantum: int | None = None,
    tags: bool = True,
) -> Counts:
    """Send streams through translation hardware; return what happened.

    Parameters
    ----------
    mmu : Mmu
        In whatever state it is.
    streams : sequence of iterable of array of uint64
        Each the accesses of a process of its own, in chunks of any size.
    mapping : Mapping, optional
        Of every process; native 4 KiB pages if not given. Under nested paging all are processes
        of one VM.
    flush_every : int, optional
        Flush all before access number N, 2N and so on; the first access has number 0.
    quantum : int, optional
        Accesses of each stream in turn; needed for more than one stream.
    tags : bool
        Whether entries of the processes are told apart. If not, all is flushed at each switch.

    Raises
    ------
    ParameterError
        If there are several streams without a quantum, or a number is below 1.
    """
    mapping = mapping or Mapping()
    root = None if mapping.host is None else 1
    who = [
        Context(tag=Tag(pcid=one if tags else 0, root=root), space=one, mapping=mapping)
        for one in range(len(streams))
    ]
    if flush_every is not None and flush_every < 1:
        raise ParameterError("simulate", "flush_every", "at least 1", flush_every)
    if len(streams) == 1:
        done = 0
        for words in streams[0]:
            mmu.run(words, steady(len(words), who[0], every=flush_every, done=done))
            done += len(words)
        return mmu.counts
    if quantum is None:
        raise ParameterError("simulate", "quantum", "given for several streams", None)
    pieces = cut(interleave(streams, quantum), flush_every)
    for words, schedule in gathered(pieces, who, (NOTHING if tags else EVERYTHING, EVERYTHING)):
        mmu.run(words, schedule)
    return mmu.counts
