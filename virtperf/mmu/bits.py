"""Arithmetic on 64-bit words that several kernels need, compiled into each."""

from typing import Any

import numpy as np

from virtperf.mmu.compiling import inlined

# numba makes floats of sums of signed and unsigned numbers: where one is unsigned, all are
_1, _2, _4, _56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_PAIRS, _FOURS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_BYTES, _ONES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio


@inlined
def population(word: Any) -> Any:
    """Count the bits that are set; the compiler knows this form and makes one instruction of it."""
    word = word - ((word >> _1) & _PAIRS)
    word = (word & _FOURS) + ((word >> _2) & _FOURS)
    return np.int64((((word + (word >> _4)) & _BYTES) * _ONES) >> _56)


@inlined
def lowest(word: Any) -> Any:
    """Return the place of the lowest bit that is set: an instruction as well."""
    return np.uint64(population(np.uint64(~word & (word - 1))))


@inlined
def unsigned_bucket(key: Any, drop: Any) -> Any:
    """Return the same as `bucket`, unsigned."""
    return (key * _GOLDEN) >> drop


@inlined
def bucket(key: Any, drop: Any) -> Any:
    """Return the place of a key in a table of ``2 ** (64 - drop)``: Fibonacci hashing."""
    return np.int64(unsigned_bucket(key, drop))


@inlined
def bit(slot: Any) -> Any:
    """Return the word in which only bit ``slot % 64`` is set."""
    return _1 << np.uint64(slot & 63)
