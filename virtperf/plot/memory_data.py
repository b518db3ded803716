"""Memory hardware in numbers, for figures and tables: what translation costs, found by running it.

Each table is a run of the compiled hardware on a stream of random pages; nothing is looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError
from virtperf.mechanism.memory import (
    Context,
    Flush,
    PageSize,
    Tag,
    TlbGeometry,
    nested,
    structure,
)
from virtperf.mechanism.memory import Mapping as PageMapping
from virtperf.mechanism.memory.flushes import NOTHING, mov_cr3
from virtperf.mechanism.memory.processors import Processor, processor

if TYPE_CHECKING:
    from virtperf.mmu import Counts, Mmu

PROCESSOR = "skylake-sp"
SHARE = 0.5
"""Of the data caches for table entries, unless another is given."""
WHY_HALF = (
    "a random access reads one line of data, and its walk about one line of tables that no near "
    "cache has, so both have the same right to it"
)
PAGES = ("4K", "2M", "1G")
WAYS = ("4K", "2M", "4K on 4K", "4K on 2M", "2M on 4K", "2M on 2M")
"""Page sizes of the curves: of the only tables, or of the guest's on the host's."""
MIB = 1 << 20
FOOTPRINTS = tuple(MIB // 4 << doubling for doubling in range(0, 19, 2))
SWITCHING = ("4K", "4K on 4K")
_COUNTED, _MOST_WARM = 50_000, 400_000  # accesses; a share of 50,000 is known to 0.5 %
_ONE_ENTRY = TlbGeometry(levels=((structure("FA1"),),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Table reads of one walk, by dimension: of the guest's or only tables, and of the host's."""

    guest: float
    host: float

    @property
    def reads(self) -> float:
        """All of them."""
        return self.guest + self.host


def context(pages: str, space: int = 0, pcid: int = 0) -> Context:
    """Return who accesses memory with page sizes such as ``4K`` or, nested, ``4K on 2M``.

    Raises
    ------
    ParameterError
        If there is no such page size.
    """
    guest, on, host = pages.partition(" on ")
    tag = Tag(vpid=1, pcid=pcid, root=1 if on else None)
    if on:
        return nested(guest, host, tag=tag, space=space)
    return Context(tag=tag, space=space, mapping=PageMapping(guest=PageSize.of(guest)))


def hardware(part: Processor, share: float = SHARE) -> Mmu:
    """Return the translation hardware of a processor, with prices.

    Raises
    ------
    ParameterError
        If the processor's file does not tell its data caches.
    """
    from virtperf.mmu import Mmu

    return Mmu(part.data, part.walk_caches, pte_caches=part.pte_caches(share))


def cycles(part: Processor, counts: Counts) -> float:
    """Return what translation took: the second level's look-ups, and the reads of walks."""
    return counts.misses[0] * (part.l2_hit_cycles or 0.0) + counts.cycles


def by_footprint(
    part: Processor | None = None,
    ways: Sequence[str] = WAYS,
    footprints: Sequence[int] = FOOTPRINTS,
    *,
    share: float = SHARE,
) -> dict[str, list[tuple[int, float]]]:
    """Return what translation adds to a random access, over how much memory is accessed.

    Parameters
    ----------
    part : Processor, optional
        `PROCESSOR` by default.
    ways : sequence of str
        Page sizes, as `context` reads them.
    footprints : sequence of int
        Bytes, ascending; each page of them is equally likely.
    share : float
        Of the data caches that table entries have, see `SHARE`.

    Returns
    -------
    dict of str to list of (int, float)
        By page sizes: (bytes, cycles per access). The access to the data itself is not in it.

    Raises
    ------
    ParameterError
        If the processor's data caches are not known, or it holds no such pages.
    """
    part = part or processor(PROCESSOR)
    return {
        way: [(size, _per_access(part, context(way), size, share)) for size in footprints]
        for way in ways
    }


def _per_access(part: Processor, who: Context, footprint: int, share: float) -> float:
    mmu, warm = hardware(part, share), _warm(footprint)
    words = _random(footprint, warm + _COUNTED)
    mmu.run(words[:warm], who)
    before = cycles(part, mmu.counts)
    mmu.run(words[warm:], who)
    return (cycles(part, mmu.counts) - before) / _COUNTED


def _warm(footprint: int) -> int:
    """Return how many accesses fill all caches: up to where they cannot hold the tables anyway.

    Walks need them too: the guest's tables take frames as they are first used, and those must be
    spread over as much guest-physical memory as in the long run.
    """
    return min(_MOST_WARM, 10_000 + 8 * (footprint >> 12))


def _random(footprint: int, accesses: int) -> Any:
    """Return random pages of a footprint, all footprints from the same numbers."""
    import numpy as np

    from virtperf.rng import stream

    pages = max(1, footprint >> 12)
    at = stream(1, 0, "memory figures").random(accesses) * pages
    return at.astype(np.uint64) << np.uint64(12)


def walks(part: Processor | None = None, footprint: int = 64 << 30) -> dict[str, tuple[Walk, Walk]]:
    """Return the table reads of a walk: cold, and with the processor's walk caches.

    Parameters
    ----------
    part : Processor, optional
        `PROCESSOR` by default; its walk caches, 4 levels of tables.
    footprint : int
        Bytes of the random accesses whose walks are counted, warm walk caches.

    Returns
    -------
    dict of str to (Walk, Walk)
        By page sizes, native ones first. Each access is a walk: the TLB here has one entry.
    """
    from virtperf.mmu import Mmu

    part = part or processor(PROCESSOR)
    ways = [*PAGES, *(f"{guest} on {host}" for guest in PAGES for host in PAGES)]
    found = {}
    for way in ways:
        cold, warm = Mmu(_ONE_ENTRY), Mmu(_ONE_ENTRY, part.walk_caches)
        cold.run(_random(1 << 12, 1), context(way))
        found[way] = (_walk(cold), _mean_walk(warm, context(way), footprint))
    return found


def _walk(mmu: Mmu) -> Walk:
    return Walk(guest=sum(mmu.counts.guest), host=sum(mmu.counts.host))


def _mean_walk(mmu: Mmu, who: Context, footprint: int) -> Walk:
    warm = _warm(footprint)
    words = _random(footprint, warm + _COUNTED)
    mmu.run(words[:warm], who)
    first, walked = _walk(mmu), mmu.counts.walks
    mmu.run(words[warm:], who)
    last, number = _walk(mmu), mmu.counts.walks - walked
    return Walk(guest=(last.guest - first.guest) / number, host=(last.host - first.host) / number)


QUANTA = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)


def by_switch_rate(
    part: Processor | None = None,
    *,
    processes: int = 4,
    pages: int = 300,
    quanta: Sequence[int] = QUANTA,
    ways: Sequence[str] = SWITCHING,
    share: float = SHARE,
) -> dict[tuple[str, bool], list[tuple[float, float]]]:
    """Return what translation adds to an access when processes take turns, with and without tags.

    Parameters
    ----------
    part : Processor, optional
        `PROCESSOR` by default.
    processes, pages : int
        Each process accesses so many pages of its own, at random.
    quanta : sequence of int
        Accesses of each turn.
    ways : sequence of str
        Page sizes, as `context` reads them.
    share : float
        Of the data caches that table entries have, see `SHARE`.

    Returns
    -------
    dict of (str, bool) to list of (float, float)
        By page sizes and whether processes have tags (PCID, or for guests as a whole VPID, ASID):
        (switches per million accesses, cycles per access). Without tags a switch drops all TLB
        entries and walk-cache entries of virtual addresses; guest-physical ones stay.

    Raises
    ------
    ParameterError
        If a number is below 1.
    """
    for field, value in (("processes", processes), ("pages", pages), ("quanta", min(quanta))):
        if value < 1:
            raise ParameterError("by_switch_rate", field, "at least 1", value)
    part = part or processor(PROCESSOR)
    streams = [
        _random(pages << 12, 2 * max(_part(quantum) for quantum in quanta))
        for _ in range(processes)
    ]
    return {
        (way, tags): [
            (1e6 / quantum, _taking_turns(part, share, way, streams, quantum, tags))
            for quantum in quanta
        ]
        for way in ways
        for tags in (True, False)
    }


def _part(quantum: int) -> int:
    """Return the accesses of each process to warm up, and again to count: whole turns, three on."""
    return quantum * max(3, -(-20_000 // quantum))


def _taking_turns(
    part: Processor, share: float, way: str, streams: Sequence[Any], quantum: int, tags: bool
) -> float:
    from virtperf.mmu.schedule import cut, gathered
    from virtperf.stream import interleave

    each = _part(quantum)
    who = [context(way, space, space if tags else 0) for space in range(len(streams))]
    what: Sequence[Flush] = (NOTHING if tags else mov_cr3(who[0].tag, pcids=False), NOTHING)
    mmu, taken = hardware(part, share), []
    for part_of in (slice(each), slice(each, 2 * each)):
        pieces = cut(interleave([[one[part_of]] for one in streams], quantum), None)
        for words, schedule in gathered(pieces, who, what):
            mmu.run(words, schedule)
        taken.append(cycles(part, mmu.counts))
    return (taken[1] - taken[0]) / (each * len(streams))


def reaches(part: Processor) -> dict[str, int]:
    """Return how much memory each level of a processor's data TLBs maps, by page size, in bytes."""
    found = {}
    for number in range(len(part.data.levels)):
        for page in (PageSize.K4, PageSize.M2):
            size = part.data.reach(number, page)
            if size:
                found[f"L{number + 1} TLB, {page.label}"] = size
    return found
