"""The compiled translation hardware as an object: it keeps the arrays and counts what happens."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.flushes import Flush
from virtperf.mechanism.memory.geometry import NO_WALK_CACHES, TlbGeometry, WalkCaches
from virtperf.mechanism.memory.mapping import NATIVE, Context
from virtperf.mechanism.memory.pages import PageSize, address_bits
from virtperf.mechanism.memory.pte_caches import NO_PTE_CACHES, PteCaches
from virtperf.mmu import layout
from virtperf.mmu.filtering import filter_accesses
from virtperf.mmu.forgetting import ANYWHERE, finish_flushes, flush_tlb, flush_walks
from virtperf.mmu.frames import empty_frames, move
from virtperf.mmu.names import Names, frames_per_root
from virtperf.mmu.schedule import CHUNK, NO_FLUSH, Schedule
from virtperf.mmu.sets import EMPTY, empty
from virtperf.mmu.walking import walk_misses

_FEW_FRAMES = 64
_TOGETHER = 1 << 10  # look-ups that go through the levels side by side
_NO_FLUSH = np.array([NO_FLUSH], np.int64)
_NONE_DOOMED = tuple(np.zeros((0, 1), np.bool_) for _ in range(4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What happened so far.

    Attributes
    ----------
    hits : tuple of int
        Accesses by the TLB level that had their entry.
    walks : int
        Accesses that no level had.
    guest, host : tuple of int
        Table reads by level of the table, level 1 first; natively all are `guest`.
    cycles : int
        What the table reads took.
    cached : tuple of (int, int)
        Guest's and host's entries that a page-walk cache gave instead of a read.
    evictions : tuple of int
        Of each TLB structure, level by level.
    """

    hits: tuple[int, ...]
    walks: int
    guest: tuple[int, ...]
    host: tuple[int, ...]
    cycles: int
    cached: tuple[int, int]
    evictions: tuple[int, ...]

    @property
    def lookups(self) -> int:
        """All accesses."""
        return sum(self.hits) + self.walks

    @property
    def misses(self) -> tuple[int, ...]:
        """Accesses that each level missed; what is not looked up there counts for none."""
        return tuple(self.lookups - sum(self.hits[: level + 1]) for level in range(len(self.hits)))

    @property
    def references(self) -> int:
        """Table reads of all walks."""
        return sum(self.guest) + sum(self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What each access met: TLB level, table reads by dimension, and their cycles, as arrays."""

    level: Any
    guest: Any
    host: Any
    cycles: Any


class _Walks:
    """State of the walk stage."""

    def __init__(self, known: layout.Layout) -> None:
        self.facts, self.rows, self.caches = known.facts, known.walk_rows, known.line_rows
        self.keys, self.lines = empty(known.walk_entries), empty(known.lines)
        self.frames = empty_frames(_FEW_FRAMES)
        self.used = np.zeros(2, np.int64)
        self.counts = np.zeros((2, 6), np.int64)
        self.starts = np.zeros((2, 6, 6), np.int64)
        self.cycles = np.zeros(1, np.int64)

    def reads(self) -> Any:
        """Return table reads by dimension and level; level 0 is what a page-walk cache gave."""
        made = self.counts.copy()
        for top in range(6):
            for leaf in range(1, top + 1):
                made[:, leaf : top + 1] += self.starts[:, top, leaf, None]
        return made


class Mmu:
    """The translation hardware of one processor, compiled.

    Its answers are those of `virtperf.mechanism.memory.Hardware`, access by access.

    Parameters
    ----------
    tlb : TlbGeometry
    caches : WalkCaches
        Without caches that have no end.
    levels, nested_levels : int
        Depth of the guest's (or only) and of the host's tree.
    pte_caches : PteCaches
        The data caches that table reads are served from.

    Examples
    --------
    >>> import numpy as np
    >>> from virtperf.mechanism.memory import TlbGeometry, structure
    >>> mmu = Mmu(TlbGeometry(levels=((structure("16x4"),),)))
    >>> mmu.run(np.arange(0, 128 * 4096, 4096, dtype=np.uint64))
    >>> mmu.counts.walks, mmu.counts.references
    (128, 512)
    """

    def __init__(
        self,
        tlb: TlbGeometry,
        caches: WalkCaches = NO_WALK_CACHES,
        *,
        levels: int = 4,
        nested_levels: int = 4,
        pte_caches: PteCaches = NO_PTE_CACHES,
    ) -> None:
        self._bits = address_bits(levels)
        address_bits(nested_levels)
        self.tlb = tlb
        self._names = Names(tlb)
        known = layout.layout_of(tlb, caches, levels, nested_levels, pte_caches)
        self._keys, self._shape, self._route = empty(known.entries), known.shape, known.route
        self._walks = _Walks(known)
        self._hits = np.zeros(len(tlb.levels) + 1, np.int64)
        self._evictions = np.zeros(len(self._shape), np.int64)
        self._misses = np.empty(CHUNK, np.int64)
        self._wanted = np.empty(_TOGETHER, np.int64)

    def run(self, words: Any, who: Context | Schedule = NATIVE, *, trace: bool = False) -> Any:
        """Make accesses, one after the other.

        Parameters
        ----------
        words : array of uint64
            Virtual addresses; the low 12 bits do not matter, so a page trace's words do as well.
        who : Context or Schedule
            Who makes them; a schedule has to end where `words` ends.
        trace : bool
            Whether to return what each access met.

        Returns
        -------
        Trace or None

        Raises
        ------
        ParameterError
            If an address is not canonical. Then the accesses before it have been made, as by a
            processor, and none behind.
        """
        words = np.ascontiguousarray(words, np.uint64).view(np.int64)
        traced = _trace(len(words)) if trace else _UNTRACED
        if isinstance(who, Context):
            begins = np.array([0, len(words)])
            contexts = np.array([self._names.of(who)])
            self._run(words, begins, contexts, _NO_FLUSH, _NONE_DOOMED, traced)
        else:
            if who.begins[-1] != len(words):
                rule = f"ending at {len(words)}, where the accesses end"
                raise ParameterError("Schedule", "begins", rule, int(who.begins[-1]))
            contexts = np.array([self._names.of(one) for one in who.who])[who.contexts]
            doomed = self._names.doomed(who.what)
            self._run(words, who.begins, contexts, who.flushes, doomed, traced)
        return traced if trace else None

    def flush(self, flush: Flush) -> None:
        """Take out of all TLBs and walk caches what a flush says."""
        tags, structures, pairs, roots = (rows[0] for rows in self._names.doomed((flush,)))
        at = ANYWHERE if flush.address is None else flush.address & ((1 << self._bits) - 1)
        flush_tlb(self._keys, self._shape, tags, at)
        at = ANYWHERE if flush.nested_address is None else flush.nested_address
        flush_walks(self._walks.keys, self._walks.rows, structures, pairs, roots, at)

    @property
    def counts(self) -> Counts:
        """What happened since the start."""
        reads = self._walks.reads()
        return Counts(
            hits=tuple(self._hits[:-1].tolist()),
            walks=int(self._hits[-1]),
            guest=tuple(reads[0, 1:].tolist()),
            host=tuple(reads[1, 1:].tolist()),
            cycles=int(self._walks.cycles[0]),
            cached=(int(reads[0, 0]), int(reads[1, 0])),
            evictions=tuple(self._evictions.tolist()),
        )

    def resident(self) -> list[list[list[tuple[int, PageSize, int]]]]:
        """Return what each structure holds, set by set, the next to go last: tag, size, page."""
        sizes = (1 << layout.PAGE_BITS) - 1
        made = []
        for first, sets, ways in self._shape[:, :3]:
            rows = self._keys[first : first + sets * ways].reshape(sets, ways)
            made.append(
                [
                    [
                        (
                            int(key) >> layout.TAG_SHIFT,
                            PageSize(int(key) & 3),
                            int(key) >> 2 & sizes,
                        )
                        for key in row
                        if key != EMPTY
                    ]
                    for row in rows
                ]
            )
        return made

    def _run(
        self, words: Any, begins: Any, contexts: Any, flushes: Any, doomed: Any, traced: Trace
    ) -> None:
        names = self._names
        self._walks.used = frames_per_root(names, self._walks.used)
        tlb_doomed, *rest = doomed
        plan = (begins, contexts, flushes, names.contexts, names.regions)
        flushed, stopped = -1, np.array([-1])
        step: Any = filter_accesses
        start = 0
        while start < len(words):
            missed, start = step(
                words, start, self._bits, *plan, tlb_doomed,
                self._keys, self._shape, self._route, self._hits, self._evictions,
                traced.level, self._misses, self._wanted, stopped,
            )  # fmt: skip
            flushed = self._walk(words, missed, flushed, plan, rest, traced)
            if stopped[0] >= 0:
                break
        walks, at = self._walks, int(stopped[0])
        begun = len(contexts) if at < 0 else int(np.searchsorted(begins, at, "right"))
        tags, pairs, roots = rest
        if len(tags):
            finish_flushes(flushed, flushes[:begun], tags, pairs, roots, walks.keys, walks.rows)
        if at >= 0:
            address = hex(int(words[at]) & ((1 << 64) - 1))
            rule = f"canonical in {self._bits} bits"
            raise ParameterError(f"access {at}", "address", rule, address)

    def _walk(
        self, words: Any, missed: int, flushed: int, plan: Any, doomed: Any, traced: Trace
    ) -> int:  # fmt: skip
        """Walk the misses, with a larger table of frames when it is needed."""
        walks, done = self._walks, 0
        step: Any = walk_misses
        while done < missed:
            done, flushed = step(
                words, self._misses, done, missed, max(flushed, 0), flushed, *plan, *doomed,
                walks.facts, walks.keys, walks.rows, walks.counts, walks.starts, walks.lines,
                walks.caches, walks.frames, walks.used, walks.cycles,
                traced.guest, traced.host, traced.cycles,
            )  # fmt: skip
            if done < missed:
                larger = empty_frames(4 * len(walks.frames))
                move(walks.frames, larger)
                walks.frames = larger
        return flushed


def _trace(length: int) -> Trace:
    """Return a trace to be filled in; accesses that hit have no reads."""
    level, guest, host = (np.zeros(length, np.uint8) for _ in range(3))
    return Trace(level=level, guest=guest, host=host, cycles=np.zeros(length, np.int64))


_UNTRACED = _trace(0)
