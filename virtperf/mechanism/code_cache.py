"""The buffer of translated code: bytes, residents, whole-cache flushes. Counts, no times."""

import math
from fractions import Fraction
from typing import NamedTuple

from virtperf.errors import ParameterError


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

    def drop(self, address: int) -> None:
        """Forget a resident block; its bytes stay in use until the next flush."""
        self.resident.remove(address)


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
