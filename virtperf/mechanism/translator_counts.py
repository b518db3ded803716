"""What a dynamic translator did, in numbers that add up."""

from dataclasses import dataclass, fields


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
