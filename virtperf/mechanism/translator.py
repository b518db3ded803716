"""A dynamic binary translator: chained exits, jump cache, translation on demand. No times."""

from collections.abc import Iterable

from virtperf.errors import ParameterError
from virtperf.mechanism.block import Block
from virtperf.mechanism.code_cache import CodeCache
from virtperf.mechanism.program import Program
from virtperf.mechanism.translator_counts import Counts

JUMP_CACHE_ENTRIES = 4096
_State = tuple[int, set[int], set[tuple[int, int]], dict[int, int]]


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
        Entries of the direct-mapped jump cache, 0 for none. An address takes the entry that
        QEMU's user mode gives it; system mode mixes page number and offset otherwise.
    chain_within_page : bool
        Whether an exit to another page stays unchained, as under TCG's system mode; it then
        counts as dispatched each time.

    Raises
    ------
    ParameterError
        If the largest translated block exceeds the cache, or the entries are negative.

    Examples
    --------
    >>> from virtperf.mechanism.code_cache import CodeCache
    >>> from virtperf.mechanism.program import loop_program
    >>> ring = loop_program(3, instructions=5, size=20)
    >>> counts = Translator(ring, CodeCache(1000, expansion=4)).execute_loop(ring.blocks, 100)
    >>> counts.translated_blocks, counts.dispatched_exits, counts.chained_exits
    (3, 3, 296)

    References
    ----------
    .. [1] QEMU, ``accel/tcg/cpu-exec.c``, ``tb_lookup`` and ``tb_add_jump``;
       ``accel/tcg/tb-hash.h``, ``tb_jmp_cache_hash_func``.
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
        while left > 0:
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
            self.cache.drop(address)
            for successor in self.program.blocks[address].successors:
                self._chains.discard((address, successor))
            for previous in self._before.get(address, ()):
                self._chains.discard((previous, address))
            if self._jump_cache_knows(address):
                del self._jump_cache[self._slot(address)]
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
            self._jump_cache[self._slot(block.address)] = block.address

    def _jump_cache_knows(self, address: int) -> bool:
        return self.jump_cache_entries > 0 and self._jump_cache.get(self._slot(address)) == address

    def _slot(self, address: int) -> int:
        # The page number is mixed in, or page-aligned functions would all share one entry.
        return (address ^ address // self.jump_cache_entries) % self.jump_cache_entries

    def _state(self, copy: bool = False) -> _State:
        """All that decides what comes next, once every block at hand has been translated."""
        cache, chains, jumps = self.cache.resident, self._chains, self._jump_cache
        if copy:
            cache, chains, jumps = cache.copy(), chains.copy(), jumps.copy()
        return self.cache.used_bytes, cache, chains, jumps

    def _skip(self, period: Counts, times: int) -> Counts:
        skipped = period.repeated(times)
        self.cache.flushes += skipped.flushes
        self.cache.translations += skipped.translated_blocks
        self.cache.retranslations += skipped.retranslated_blocks
        return skipped
