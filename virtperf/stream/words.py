"""What one memory access is in a stream: a page address, and flags in the bits below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAGE_BYTES = 4096
WRITE = 1
FETCH = 2
MODIFY = 4
"""Flags of a word: a write, an instruction fetch, a read that is written back (a write too)."""
FLAGS = (0, WRITE, FETCH, WRITE | MODIFY)
"""Each combination of flags that an access can have."""

Part = Literal["all", "data", "ifetch"]
"""Which accesses: all of them, those to data, instruction fetches."""
PARTS: tuple[Part, ...] = get_args(Part)
ADDRESS_BITS = (48, 57)
"""Widths of virtual addresses under page tables of 4 and of 5 levels."""


def part_of(words: NDArray[np.uint64], part: Part) -> NDArray[np.uint64]:
    """Return the accesses of one part, in order.

    Parameters
    ----------
    words : array of uint64
        Accesses.
    part : {'all', 'data', 'ifetch'}
        ``data`` are the words without the flag `FETCH`, ``ifetch`` those with it.

    Raises
    ------
    ParameterError
        If there is no such part.

    Examples
    --------
    >>> import numpy as np
    >>> words = np.array([0x1002, 0x5000, 0x5001], dtype=np.uint64)
    >>> [hex(word) for word in part_of(words, "data")]
    ['0x5000', '0x5001']
    """
    check_part(part)
    if part == "all":
        return words
    import numpy as np

    wanted = np.uint64(FETCH if part == "ifetch" else 0)
    chosen: NDArray[np.uint64] = words[(words & np.uint64(FETCH)) == wanted]
    return chosen


def check_part(part: str) -> None:
    """Refuse what is no part of a stream."""
    if part not in PARTS:
        raise ParameterError("stream", "part", f"one of {', '.join(PARTS)}", part)


def pages_of(words: NDArray[np.uint64], page_bytes: int = PAGE_BYTES) -> NDArray[np.uint64]:
    """Return the page number of each access.

    Parameters
    ----------
    words : array of uint64
        Accesses.
    page_bytes : int
        Size of a page: a power of two of at least 4,096.

    Raises
    ------
    ParameterError
        If there is no such page size: a word does not hold the address within 4 KiB.
    """
    return words >> shift_of(page_bytes)


def shift_of(page_bytes: int) -> np.uint64:
    """Return by how many bits a word is shifted to get its page number. See `pages_of`."""
    import numpy as np

    if page_bytes < PAGE_BYTES or page_bytes & (page_bytes - 1):
        raise ParameterError("stream", "page_bytes", "a power of two from 4096", page_bytes)
    return np.uint64(page_bytes.bit_length() - 1)


def problems(words: NDArray[np.uint64], *, address_bits: int = 48) -> NDArray[np.intp]:
    """Return where words are no accesses: unknown flags, or a non-canonical address.

    An address of b bits is canonical if bit b - 1 and all above it are alike.

    Raises
    ------
    ParameterError
        If `address_bits` is neither 48 nor 57.
    """
    import numpy as np

    check_address_bits(address_bits)
    known = np.zeros(PAGE_BYTES, dtype=np.bool_)
    known[list(FLAGS)] = True
    # half of all addresses added, the canonical ones are the lowest, one after the other
    shifted = words + np.uint64(1 << (address_bits - 1))
    good = known[words & np.uint64(PAGE_BYTES - 1)]
    good &= (shifted >> np.uint64(address_bits)) == 0
    return np.flatnonzero(~good)


def check_address_bits(bits: int) -> None:
    """Refuse a width of addresses that no page tables have."""
    if bits not in ADDRESS_BITS:
        raise ParameterError("stream", "address_bits", "48 or 57", bits)


def complain(word: int, *, address_bits: int = 48) -> tuple[str, str, str]:
    """Return field, rule and value of what is wrong with a word that `problems` found."""
    flags = word & (PAGE_BYTES - 1)
    if flags not in FLAGS:
        must = "0, 1 (write), 2 (instruction fetch) or 5 (read-modify-write)"
        return "flags", must, f"{flags:#x} in {word:#x}"
    return "address", f"canonical in {address_bits} bits", hex(word - flags)
