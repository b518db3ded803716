"""What a dynamic translator does with a workload's code, in the long run and at the start.

The mechanism counts exactly, block by block; a workload of a million instructions is put to it as a
loop over a thousand blocks, with a code cache smaller in proportion: how much fits, what is flushed
and how often a look-up is needed per block stay the same. A loop is the worst case of a cache
that is emptied when it is full: code that is used again soon would suffer less.
"""

from dataclasses import dataclass
from functools import cache

from virtperf.mechanism.block import Block
from virtperf.mechanism.code_cache import CodeCache
from virtperf.mechanism.program import Program
from virtperf.mechanism.translator import Translator
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.code import Code

MOST_BLOCKS = 1000
WARM, STEADY = 4, 40  # passes before the long run, and of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What happens per executed block in the long run.

    Attributes
    ----------
    translated : float
        Instructions translated again, because the cache was full.
    dispatched : float
        Exits through the dispatcher.
    looked_up : float
        Indirect exits, each a look-up.
    """

    translated: float
    dispatched: float
    looked_up: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What the executed code takes in the code cache, in bytes, and what there is room for."""

    needed: float
    room: float


def footprint(code: Code, costs: Costs) -> Footprint:
    """Return the memory that the translation of all executed code takes."""
    guest = code.footprint * costs.share("instruction_bytes")
    room = costs.quantity("code_buffer").base
    return Footprint(needed=guest * costs.share("code_expansion"), room=room)


def rates(code: Code, costs: Costs) -> Rates:
    """Return what happens per executed block of `code` once it is warm."""
    size = footprint(code, costs)
    every = round(1 / code.indirect_share) if code.indirect_share else 0
    return _rates(
        round(code.block), every, max(2.0, code.footprint / code.block), size.needed, size.room
    )


@cache
def _rates(length: int, every: int, blocks: float, needed: float, room: float) -> Rates:
    count = round(min(blocks, MOST_BLOCKS))
    guest_bytes = 64  # of a block: only what fits in proportion matters
    capacity = max(guest_bytes, round(count * guest_bytes * room / needed))
    program = _loop(count, length, guest_bytes, every)
    translator = Translator(program, CodeCache(min(capacity, 2 * count * guest_bytes), 1.0))
    translator.execute_loop(program.blocks, WARM)
    seen = translator.execute_loop(program.blocks, STEADY)
    executed = seen.executed_blocks
    return Rates(
        translated=seen.translated_instructions / executed,
        dispatched=(seen.dispatched_exits + seen.indirect_misses) / executed,
        looked_up=seen.indirect_lookups / executed,
    )


def _loop(count: int, length: int, size: int, every: int) -> Program:
    """Return a ring of blocks of which every so many ends in an indirect branch."""
    blocks = [
        Block(
            address=number * size,
            instructions=length,
            size=size,
            end="indirect" if every and number % every == 0 else "direct",
            successors=((number + 1) % count * size,),
        )
        for number in range(count)
    ]
    return Program(blocks)
