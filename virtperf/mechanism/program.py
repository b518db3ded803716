"""Guest code as a translator sees it: basic blocks, their exits, and executions drawn from them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from virtperf.errors import ParameterError

PAGE_BYTES = 4096
VMWARE_BLOCK_LIMIT = 12
TCG_BLOCK_LIMIT = 512

Exit = Literal["direct", "indirect", "fallthrough"]
_MOST_SUCCESSORS = {"direct": 2, "fallthrough": 1}


class Instruction(NamedTuple):
    """One guest instruction: its size in bytes, and where it may branch.

    A conditional branch lists the address behind it among its `targets`.
    """

    size: int
    branch: Literal["direct", "indirect"] | None = None
    targets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A basic block: what a translator translates at once.

    Parameters
    ----------
    address : int
        Guest address of the first byte; it names the block.
    instructions : int
        Guest instructions, at least 1.
    size : int
        Guest bytes, 1 to 4,096. The last instruction may reach into the next page.
    end : {'direct', 'indirect', 'fallthrough'}
        A branch whose targets the code names; a computed branch or return; or none, because
        the block ended at a page end or at the translator's limit.
    successors : tuple of int
        Addresses of the blocks that may follow: 1 or 2 after a direct branch, at most 1 after a
        fall-through, any number after an indirect branch. None means that the program ends.

    Raises
    ------
    ParameterError
        If a number or the count of successors is out of range.
    """

    address: int
    instructions: int
    size: int
    end: Exit
    successors: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.address < 0:
            raise ParameterError("Block", "address", "at least 0", self.address)
        if self.instructions < 1:
            raise ParameterError("Block", "instructions", "at least 1", self.instructions)
        if not 1 <= self.size <= PAGE_BYTES:
            raise ParameterError("Block", "size", f"1 to {PAGE_BYTES} bytes", self.size)
        if self.end not in ("direct", "indirect", "fallthrough"):
            raise ParameterError("Block", "end", "direct, indirect or fallthrough", self.end)
        least = 1 if self.end == "direct" else 0
        most = _MOST_SUCCESSORS.get(self.end, len(self.successors))
        if not least <= len(self.successors) <= most:
            rule = f"{least} to {most} blocks after a {self.end} exit"
            raise ParameterError("Block", "successors", rule, self.successors)

    @property
    def page(self) -> int:
        """Number of the page that holds the first byte."""
        return self.address // PAGE_BYTES

    @property
    def pages(self) -> range:
        """Numbers of the one or two pages that hold the block."""
        return range(self.page, (self.address + self.size - 1) // PAGE_BYTES + 1)


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
            How hot a block is relative to its rivals, by address; 1 where not given.

        Raises
        ------
        ParameterError
            If `length` or a weight is negative, or all successors of a block weigh 0.
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
        choices: tuple[int, ...] = (self.entry,)
        for _ in range(length):
            if not choices:
                return
            address = choices[0]
            if len(choices) > 1:
                heat = [weights.get(choice, 1) for choice in choices]
                if not any(heat):
                    raise ParameterError("Program", "weights", "positive somewhere", choices)
                address = rng.choices(choices, heat)[0]
            yield address
            choices = self.blocks[address].successors


def block_of(code: Mapping[int, Instruction], address: int, limit: int = TCG_BLOCK_LIMIT) -> Block:
    """Cut the block that starts at `address`: to a branch, a page end, the limit or the code's end.

    Parameters
    ----------
    code : mapping of int to Instruction
        Guest instructions by address.
    address : int
        Where the block starts.
    limit : int
        Most instructions in a block; 512 in TCG [1]_, 12 in VMware's translator [2]_.

    Raises
    ------
    ParameterError
        If no instruction starts at `address`, or `limit` is below 1.

    References
    ----------
    .. [1] QEMU, ``include/tcg/tcg.h``, ``TCG_MAX_INSNS``.
    .. [2] K. Adams and O. Agesen, "A comparison of software and hardware techniques for x86
       virtualization", ASPLOS 2006, section 3.
    """
    if limit < 1:
        raise ParameterError("block_of", "limit", "at least 1", limit)
    if address not in code:
        raise ParameterError("block_of", "address", "where an instruction starts", address)
    end: Exit = "fallthrough"
    at, instructions, successors = address, 0, tuple[int, ...]()
    while at in code and instructions < limit and at // PAGE_BYTES == address // PAGE_BYTES:
        instruction = code[at]
        if instruction.size < 1:
            raise ParameterError("Instruction", "size", "at least 1 byte", instruction.size)
        at += instruction.size
        instructions += 1
        if instruction.branch is not None:
            end, successors = instruction.branch, instruction.targets
            break
    else:
        successors = (at,) if at in code else ()
    return Block(
        address=address,
        instructions=instructions,
        size=at - address,
        end=end,
        successors=successors,
    )


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
