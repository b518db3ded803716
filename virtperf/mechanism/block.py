"""Basic blocks of guest code, and where a translator ends them."""

from collections.abc import Mapping
from dataclasses import dataclass
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
       virtualization", ASPLOS 2006: translation units.
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
