"""Lines of lackey, many at once: arrays of addresses, flags and sizes instead of one regex each."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from virtperf.stream import FETCH, MODIFY, PAGE_BYTES, WRITE

_NEWLINE, _COMMA, _SPACE = (ord(sign) for sign in "\n, ")
_FIELD = 3  # bytes before the address: the kind, among spaces
_ADDRESS, _SIZE = 16, 4  # the most digits
_NO_DIGIT = 255
_NO_KIND = 255
_ADDRESS_BITS = 48  # of user space, where lackey looks


class Parsed(NamedTuple):
    """What stands in each line.

    Attributes
    ----------
    starts, ends : array of int64
        Where each line begins and ends, its newline not included.
    good : array of bool
        Whether it is an access; if not, the rest has no meaning.
    addresses, flags : array of uint64
    crossing : array of bool
        Whether it touches two pages.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    good: NDArray[np.bool_]
    addresses: NDArray[np.uint64]
    flags: NDArray[np.uint64]
    crossing: NDArray[np.bool_]


def parse(block: NDArray[np.uint8]) -> Parsed:
    """Read whole lines, each with its newline."""
    ends = np.flatnonzero(block == _NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    commas = _first_commas(block, starts, ends)
    flags, good = _kinds(block, starts, ends)
    addresses, fine = _number(block, starts + _FIELD, commas, 16, _ADDRESS)
    good &= fine
    sizes, fine = _number(block, commas + 1, ends, 10, _SIZE)
    good &= fine & (sizes >= 1) & (sizes <= PAGE_BYTES)
    lasts = addresses + sizes - np.uint64(1)
    for end in (addresses, lasts):  # canonical: below half of the addresses, or in the last half
        shifted = end + np.uint64(1 << (_ADDRESS_BITS - 1))
        good &= shifted >> np.uint64(_ADDRESS_BITS) == 0
    crossing = (addresses >> np.uint64(12)) != (lasts >> np.uint64(12))
    return Parsed(starts, ends, good, addresses, flags, crossing)


def _first_commas(
    block: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return where the first comma of each line is; the line's end if it has none."""
    commas = np.append(np.flatnonzero(block == _COMMA), len(block))
    first: NDArray[np.int64] = np.minimum(commas[np.searchsorted(commas, starts)], ends)
    return first


def _kinds(
    block: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the flags of each line's kind, and whether it has one."""
    long = ends - starts > _FIELD
    last = len(block) - 1
    first, second, third = (block[np.minimum(starts + at, last)] for at in range(_FIELD))
    of_data = np.full(256, _NO_KIND, dtype=np.uint64)
    of_data[[ord(kind) for kind in "LSM"]] = 0, WRITE, WRITE | MODIFY
    flags = np.where(first == _SPACE, of_data[second], np.uint64(_NO_KIND))
    flags[(first == ord("I")) & (second == _SPACE)] = FETCH
    return flags, long & (third == _SPACE) & (flags != _NO_KIND)


def _number(
    block: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    base: int,
    most: int,
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the numbers between two places of each line, and whether they are such."""
    digits = np.full(256, _NO_DIGIT, dtype=np.uint8)
    digits[[ord(sign) for sign in "0123456789abcdef"[:base]]] = range(base)
    if base == 16:
        digits[[ord(sign) for sign in "ABCDEF"]] = range(10, 16)
    lengths = ends - starts
    good = (lengths >= 1) & (lengths <= most)
    value = np.zeros(len(starts), dtype=np.uint64)
    longest = int(lengths[good].max(initial=0))
    last = len(block) - 1
    for place in range(longest):  # from the first digit on; a shorter number ends early
        inside = place < lengths
        digit = digits[block[np.clip(starts + place, 0, last)]]
        good &= (digit != _NO_DIGIT) | ~inside
        value = np.where(inside, value * np.uint64(base) + digit, value)
    return value, good
