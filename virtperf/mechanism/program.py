"""Guest programs: blocks that lead to each other, and executions drawn from them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from random import Random

from virtperf.errors import ParameterError
from virtperf.mechanism.block import (
    PAGE_BYTES,
    TCG_BLOCK_LIMIT,
    Block,
    Exit,
    Instruction,
    block_of,
)


class Program:
    """Blocks by address, with an entry; every successor is a block of the program.

    Parameters
    ----------
    blocks : sequence of Block
        At least one. The first is the entry. Blocks may overlap, as they do when a branch goes
        into the middle of another block.

    Raises
    ------
    ParameterError
        If there is no block, an address occurs twice, or a successor does not exist.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        if not blocks:
            raise ParameterError("Program", "blocks", "at least one block", blocks)
        self.entry = blocks[0].address
        self.blocks: dict[int, Block] = {}
        for block in blocks:
            if block.address in self.blocks:
                raise ParameterError("Program", "blocks", "at distinct addresses", block.address)
            self.blocks[block.address] = block
        for block in blocks:
            for successor in block.successors:
                if successor not in self.blocks:
                    rule = f"blocks of the program (after block {block.address})"
                    raise ParameterError("Program", "successors", rule, successor)
        self._edges = {block.address: frozenset(block.successors) for block in blocks}

    def step(self, previous: Block | None, address: int) -> Block:
        """Return the block at `address`, which must be able to follow `previous`.

        Raises
        ------
        ParameterError
            If there is no such block, or the program has no such edge.
        """
        if previous is None:
            if address not in self.blocks:
                raise ParameterError("Program", "address", "the address of a block", address)
        elif address not in self._edges[previous.address]:
            rule = f"a successor of block {previous.address}"
            raise ParameterError("Program", "address", rule, address)
        return self.blocks[address]

    def walk(
        self, length: int, rng: Random, weights: Mapping[int, float] | None = None
    ) -> Iterator[int]:
        """Draw an execution: up to `length` block addresses from the entry on.

        Parameters
        ----------
        length : int
            Blocks; fewer if the program ends before.
        rng : random.Random
            Chooses where a block has several successors.
        weights : mapping of int to float, optional
            How hot a block is relative to its rivals, by address; 1 where not given. An only
            successor follows whatever it weighs.

        Raises
        ------
        ParameterError
            If `length` or a weight is negative, or all of several successors weigh 0.
        """
        weights = weights or {}
        if length < 0:
            raise ParameterError("Program", "length", "at least 0", length)
        for address, weight in weights.items():
            if not 0 <= weight < float("inf"):
                rule = "at least 0 and finite"
                raise ParameterError("Program", f"weights[{address}]", rule, weight)
        return self._walk(length, rng, weights)

    def _walk(self, length: int, rng: Random, weights: Mapping[int, float]) -> Iterator[int]:
        heats: dict[int, list[float]] = {}
        address = self.entry
        for _ in range(length):
            yield address
            choices = self.blocks[address].successors
            if not choices:
                return
            if len(choices) == 1:
                address = choices[0]
                continue
            if address not in heats:
                heats[address] = list(accumulate(weights.get(choice, 1) for choice in choices))
                if not heats[address][-1]:
                    raise ParameterError("Program", "weights", "positive somewhere", choices)
            address = rng.choices(choices, cum_weights=heats[address])[0]


def discover(code: Mapping[int, Instruction], entry: int, limit: int = TCG_BLOCK_LIMIT) -> Program:
    """Cut every block that can be reached from `entry`; see `block_of` for `limit` and errors."""
    blocks: dict[int, Block] = {}
    waiting = [entry]
    while waiting:
        address = waiting.pop()
        if address not in blocks:
            blocks[address] = block_of(code, address, limit)
            waiting.extend(blocks[address].successors)
    return Program(tuple(blocks.values()))


def loop_program(blocks: int, *, instructions: int, size: int, end: Exit = "direct") -> Program:
    """Build a ring of equal blocks, each in one page, each leading to the next.

    Parameters
    ----------
    blocks : int
        At least 1.
    instructions, size : int
        Guest instructions and guest bytes of a block.
    end : {'direct', 'indirect', 'fallthrough'}
        How every block ends.

    Raises
    ------
    ParameterError
        If a number is out of range.
    """
    if blocks < 1:
        raise ParameterError("loop_program", "blocks", "at least 1", blocks)
    if not 1 <= size <= PAGE_BYTES:
        raise ParameterError("loop_program", "size", f"1 to {PAGE_BYTES} bytes", size)
    per_page = PAGE_BYTES // size
    at = [i // per_page * PAGE_BYTES + i % per_page * size for i in range(blocks)]
    return Program(
        [
            Block(address=a, instructions=instructions, size=size, end=end, successors=(b,))
            for a, b in zip(at, at[1:] + at[:1], strict=True)
        ]
    )
