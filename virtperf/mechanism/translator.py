"""A dynamic binary translator: code cache, chained exits, jump cache. Counts, no times."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import NamedTuple

from virtperf.errors import ParameterError
from virtperf.mechanism.program import Block, Program

JUMP_CACHE_ENTRIES = 4096


@dataclass(slots=True, kw_only=True)
class Counts:
    """What an execution did; a caller multiplies each count by its cost.

    Every exit of a block is one of `chained_exits`, `dispatched_exits`, `indirect_lookups`.

    Attributes
    ----------
    translated_blocks, translated_instructions : int
        Translations, repeated ones included.
    retranslated_blocks : int
        Those of blocks that had been translated before.
    executed_blocks, executed_instructions : int
        Guest blocks and guest instructions that ran.
    chained_exits : int
        Direct exits already patched to their successor.
    dispatched_exits : int
        Direct exits that left to the dispatcher, which looked the successor up.
    indirect_lookups, indirect_misses : int
        Indirect exits, and those of them that the jump cache did not know.
    flushes : int
        How often the full cache was emptied.
    cache_bytes, peak_bytes : int
        Levels, not sums: bytes of the cache in use at the end, and the most there ever were.
    """

    translated_blocks: int = 0
    translated_instructions: int = 0
    retranslated_blocks: int = 0
    executed_blocks: int = 0
    executed_instructions: int = 0
    chained_exits: int = 0
    dispatched_exits: int = 0
    indirect_lookups: int = 0
    indirect_misses: int = 0
    flushes: int = 0
    cache_bytes: int = 0
    peak_bytes: int = 0

    def __add__(self, later: "Counts") -> "Counts":
        """Return the counts of this execution and a `later` one; levels are those after it."""
        both = {f.name: getattr(self, f.name) + getattr(later, f.name) for f in fields(self)}
        both["cache_bytes"] = later.cache_bytes
        both["peak_bytes"] = max(self.peak_bytes, later.peak_bytes)
        return Counts(**both)

    def repeated(self, times: int) -> "Counts":
        """Return the counts of `times` such executions; levels stay."""
        many = {f.name: getattr(self, f.name) * times for f in fields(self)}
        many["cache_bytes"], many["peak_bytes"] = self.cache_bytes, self.peak_bytes
        return Counts(**many)


class Placement(NamedTuple):
    """What placing a block took: a flush before it; whether it had been translated earlier."""

    flushed: bool
    again: bool


class CodeCache:
    """The buffer of translated blocks, filled from one end and emptied as a whole.

    A dropped block leaves its bytes behind until the next flush, as in TCG.

    Parameters
    ----------
    capacity_bytes : int
        Host bytes.
    expansion : float
        Host bytes per guest byte.

    Raises
    ------
    ParameterError
        If either is not positive.

    References
    ----------
    .. [1] F. Bellard, "QEMU, a fast and portable dynamic translator", USENIX ATC 2005: a full
       cache is flushed entirely.
    """

    def __init__(self, capacity_bytes: int, expansion: float) -> None:
        if capacity_bytes < 1:
            raise ParameterError("CodeCache", "capacity_bytes", "at least 1", capacity_bytes)
        self.capacity_bytes = capacity_bytes
        self.expansion = expansion
        self._ratio = exact_expansion("CodeCache", expansion)
        self.used_bytes = self.peak_bytes = 0
        self.flushes = self.translations = self.retranslations = 0
        self.resident: set[int] = set()
        self._ever: set[int] = set()

    def translated_bytes(self, guest_bytes: int) -> int:
        """Host bytes, rounded up, that `guest_bytes` of code become."""
        return math.ceil(guest_bytes * self._ratio)

    def place(self, address: int, guest_bytes: int) -> Placement:
        """Take in the translation of a block; if it does not fit, flush first.

        Raises
        ------
        ParameterError
            If the block is larger than the cache.
        """
        size = self.translated_bytes(guest_bytes)
        if size > self.capacity_bytes:
            rule = f"at least the {size} bytes of a translated block"
            raise ParameterError("CodeCache", "capacity_bytes", rule, self.capacity_bytes)
        flushed = self.used_bytes + size > self.capacity_bytes
        if flushed:
            self.resident.clear()
            self.used_bytes = 0
        again = address in self._ever
        self.flushes += flushed
        self.translations += 1
        self.retranslations += again
        self.resident.add(address)
        self._ever.add(address)
        self.used_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        return Placement(flushed, again)


def exact_expansion(owner: str, expansion: float) -> Fraction:
    """Return `expansion` as the decimal that was written: 10 bytes at 1.1 are 11, not 12.

    Raises
    ------
    ParameterError
        Of `owner`, if it is not positive and finite.
    """
    if not 0 < expansion < math.inf:
        raise ParameterError(owner, "expansion", "positive and finite", expansion)
    return Fraction(str(expansion))


class Translator:
    """Translate blocks on demand and find the way from each to the next.

    The way is, in this order: a chained jump, the jump cache (indirect exits only), the table of
    all translated blocks, a translation. Who looks a block up leaves it in the jump cache.

    Parameters
    ----------
    program : Program
        Guest code.
    cache : CodeCache
        Where translations go. It belongs to this translator alone.
    jump_cache_entries : int
        Entries of the direct-mapped jump cache; an address takes entry address modulo entries
        (QEMU's hash mixes in page bits). 0 for none.
    chain_within_page : bool
        Whether an exit to another page stays unchained, as under TCG's system mode; it then
        counts as dispatched each time.

    Raises
    ------
    ParameterError
        If the largest translated block exceeds the cache, or the entries are negative.

    Examples
    --------
    >>> from virtperf.mechanism.program import loop_program
    >>> ring = loop_program(3, instructions=5, size=20)
    >>> counts = Translator(ring, CodeCache(1000, expansion=4)).execute_loop(ring.blocks, 100)
    >>> counts.translated_blocks, counts.dispatched_exits, counts.chained_exits
    (3, 3, 296)

    References
    ----------
    .. [1] QEMU, ``accel/tcg/cpu-exec.c``, ``tb_lookup`` and ``tb_add_jump``.
    """

    def __init__(
        self,
        program: Program,
        cache: CodeCache,
        *,
        jump_cache_entries: int = JUMP_CACHE_ENTRIES,
        chain_within_page: bool = False,
    ) -> None:
        if jump_cache_entries < 0:
            rule = "at least 0"
            raise ParameterError("Translator", "jump_cache_entries", rule, jump_cache_entries)
        largest = cache.translated_bytes(max(block.size for block in program.blocks.values()))
        if largest > cache.capacity_bytes:
            rule = f"at least the {largest} bytes of the largest translated block"
            raise ParameterError("CodeCache", "capacity_bytes", rule, cache.capacity_bytes)
        self.program = program
        self.cache = cache
        self.jump_cache_entries = jump_cache_entries
        self.chain_within_page = chain_within_page
        self._chains: set[tuple[int, int]] = set()
        self._jump_cache: dict[int, int] = {}
        self._on_page: dict[int, list[int]] = {}
        self._before: dict[int, list[int]] = {}
        for block in program.blocks.values():
            for page in block.pages:
                self._on_page.setdefault(page, []).append(block.address)
            for successor in block.successors:
                self._before.setdefault(successor, []).append(block.address)

    def execute(self, blocks: Iterable[int]) -> Counts:
        """Run the blocks at these addresses in turn, the first one entered from outside.

        Raises
        ------
        ParameterError
            If an address is no block, or no successor of the one before.
        """
        return self._run(blocks, None)

    def execute_loop(self, blocks: Iterable[int], passes: int) -> Counts:
        """Return what ``execute`` of `passes` times the blocks would, sooner.

        A translator is deterministic, so its state, once it recurs, recurs for ever with the same
        counts. One earlier state is kept and renewed at growing distances (Brent's method), which
        finds any period; whole periods are then multiplied, the rest is run.

        Parameters
        ----------
        blocks : iterable of int
            Addresses; the first must be able to follow the last.
        passes : int
            How often, at least 0.

        Raises
        ------
        ParameterError
            As `execute`, and if `passes` is negative.
        """
        if passes < 0:
            raise ParameterError("Translator", "passes", "at least 0", passes)
        body = list(blocks)
        if not body or passes == 0:
            return self._run((), None)
        total = self._run(body, None)
        last = self.program.blocks[body[-1]]
        left = passes - 1
        kept, since, age, patience = self._state(copy=True), Counts(), 0, 1
        while left:
            counts = self._run(body, last)
            total, since = total + counts, since + counts
            left, age = left - 1, age + 1
            if self._state() == kept:
                total += self._skip(since, left // age)
                left, since, age = left % age, Counts(), 0
            elif age == patience:
                kept, since, age, patience = self._state(copy=True), Counts(), 0, 2 * patience
        return total

    def flush_jump_cache(self) -> None:
        """Empty the jump cache, as a flush of the guest's TLB does; blocks and chains stay."""
        self._jump_cache.clear()

    def invalidate(self, page: int) -> int:
        """Drop the blocks of a written code page and all chains at them; return how many.

        Raises
        ------
        ParameterError
            If `page`, a page number, is negative.
        """
        if page < 0:
            raise ParameterError("Translator", "page", "at least 0", page)
        doomed = [a for a in self._on_page.get(page, ()) if a in self.cache.resident]
        for address in doomed:
            self.cache.resident.remove(address)
            for successor in self.program.blocks[address].successors:
                self._chains.discard((address, successor))
            for previous in self._before.get(address, ()):
                self._chains.discard((previous, address))
            if self._jump_cache_knows(address):
                del self._jump_cache[address % self.jump_cache_entries]
        return len(doomed)

    def _run(self, blocks: Iterable[int], previous: Block | None) -> Counts:
        counts = Counts()
        for address in blocks:
            block = self.program.step(previous, address)
            self._leave(previous, block, counts)
            counts.executed_blocks += 1
            counts.executed_instructions += block.instructions
            previous = block
        counts.cache_bytes = self.cache.used_bytes
        counts.peak_bytes = self.cache.peak_bytes
        return counts

    def _leave(self, previous: Block | None, block: Block, counts: Counts) -> None:
        if previous is None:
            self._look_up(block, counts)
        elif previous.end == "indirect":
            counts.indirect_lookups += 1
            if not self._jump_cache_knows(block.address):
                counts.indirect_misses += 1
                self._look_up(block, counts)
        elif (previous.address, block.address) in self._chains:
            counts.chained_exits += 1
        else:
            counts.dispatched_exits += 1
            self._look_up(block, counts)
            near = not self.chain_within_page or previous.page == block.page
            # The translation of the successor may have flushed the block whose exit to patch.
            if near and previous.address in self.cache.resident:
                self._chains.add((previous.address, block.address))

    def _look_up(self, block: Block, counts: Counts) -> None:
        if block.address not in self.cache.resident:
            flushed, again = self.cache.place(block.address, block.size)
            if flushed:
                self._chains.clear()
                self._jump_cache.clear()
            counts.flushes += flushed
            counts.translated_blocks += 1
            counts.translated_instructions += block.instructions
            counts.retranslated_blocks += again
        if self.jump_cache_entries:
            self._jump_cache[block.address % self.jump_cache_entries] = block.address

    def _jump_cache_knows(self, address: int) -> bool:
        entries = self.jump_cache_entries
        return entries > 0 and self._jump_cache.get(address % entries) == address

    def _state(self, copy: bool = False) -> tuple[int, int, set[int], object, object]:
        """All that decides what comes next; how often a block was new can only fall to 0."""
        cache = self.cache
        parts = (cache.resident, self._chains, self._jump_cache)
        resident, chains, jumps = (part.copy() for part in parts) if copy else parts
        return cache.used_bytes, len(cache._ever), resident, chains, jumps

    def _skip(self, period: Counts, times: int) -> Counts:
        skipped = period.repeated(times)
        self.cache.flushes += skipped.flushes
        self.cache.translations += skipped.translated_blocks
        self.cache.retranslations += skipped.retranslated_blocks
        return skipped
