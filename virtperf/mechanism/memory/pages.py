"""Page sizes, tree levels and canonical addresses of x86-64 paging."""

from enum import IntEnum

from virtperf.errors import ParameterError

PAGE_SHIFT = 12
LEVEL_BITS = 9
"""A table has 512 entries, so each level of the tree takes 9 bits of the address."""
LEVELS = (4, 5)


class PageSize(IntEnum):
    """A page size; members are ordered by size, their values are codes for arrays.

    Examples
    --------
    >>> PageSize.of("2M").bytes
    2097152
    >>> min(PageSize.of("2M"), PageSize.of("4K")).label
    '4K'
    """

    K4 = 0
    M2 = 1
    G1 = 2

    @classmethod
    def of(cls, text: "str | PageSize") -> "PageSize":
        """Return the size that is written as ``4K``, ``4KiB``, ``2M``, ``1G`` and so on.

        Raises
        ------
        ParameterError
            If there is no page of that size.
        """
        if isinstance(text, PageSize):
            return text
        label = text.strip().upper().replace(" ", "").removesuffix("IB").removesuffix("B")
        if label not in _LABELS:
            raise ParameterError("PageSize", "size", f"one of {' '.join(_LABELS)}", text)
        return cls(_LABELS.index(label))

    @property
    def label(self) -> str:
        """``4K``, ``2M`` or ``1G``."""
        return _LABELS[self]

    @property
    def shift(self) -> int:
        """Address bits inside of a page: 12, 21 or 30."""
        return PAGE_SHIFT + LEVEL_BITS * self

    @property
    def bytes(self) -> int:
        """Size of a page, in bytes."""
        return 1 << self.shift

    @property
    def level(self) -> int:
        """Level of the table whose entries map pages of this size: 1, 2 or 3."""
        return self + 1


_LABELS = ("4K", "2M", "1G")


def entry_shift(level: int) -> int:
    """Return how many address bits one entry of a table of `level` stands for (level 1: 12)."""
    return PAGE_SHIFT + LEVEL_BITS * (level - 1)


def address_bits(levels: int) -> int:
    """Return the width of virtual addresses: 48 bits with 4 levels (256 TiB), 57 with 5 (128 PiB).

    The 64 bits of an address register would be 16 EiB; no processor translates them all.

    Raises
    ------
    ParameterError
        If `levels` is neither 4 nor 5.
    """
    if levels not in LEVELS:
        raise ParameterError("paging", "levels", "4 or 5", levels)
    return PAGE_SHIFT + LEVEL_BITS * levels


def canonical(address: int, levels: int = 4) -> int:
    """Return the bits of an address that are translated, having checked the others.

    Parameters
    ----------
    address : int
        A virtual address, as 64 bits without sign.
    levels : int
        4 or 5.

    Raises
    ------
    ParameterError
        If the bits above are no copies of the topmost translated one: the processor raises a
        general-protection fault for such an address and translates nothing.
    """
    bits = address_bits(levels)
    above = address >> (bits - 1)
    if above not in (0, (1 << (65 - bits)) - 1):
        raise ParameterError("address", "value", f"canonical in {bits} bits", hex(address))
    return address & ((1 << bits) - 1)
