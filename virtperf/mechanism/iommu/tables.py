"""The DMA remapping tables of one protection domain: which frames its devices may reach, and how.

A tree like that of the processor's page tables, with pages of the same sizes; a walk reads an entry
of each level down to the page's own.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.pages import LEVEL_BITS, LEVELS, PageSize

OWNER = "RemappingTables"


class Translation(NamedTuple):
    """What an IOVA page of some size means: the first of its frames, and whether it is writable."""

    frame: int
    size: PageSize
    writable: bool


class RemappingTables:
    """Maps IOVA pages to frames; all numbers count 4 KiB.

    Parameters
    ----------
    levels : int
        Depth of the tree, 4 or 5.

    Examples
    --------
    >>> tables = RemappingTables()
    >>> tables.map(512, 1024, size=PageSize.M2)
    >>> tables.find(513).frame, tables.reads(513)
    (1024, 3)
    >>> tables.unmap(512)
    >>> tables.find(513) is None
    True
    """

    def __init__(self, levels: int = 4) -> None:
        if levels not in LEVELS:
            raise ParameterError(OWNER, "levels", "4 or 5", levels)
        self.levels = levels
        self._entries: dict[tuple[PageSize, int], Translation] = {}
        self._within: Counter[tuple[PageSize, int]] = Counter()  # smaller pages, by larger one

    def __len__(self) -> int:
        return len(self._entries)

    def map(
        self, iova: int, frame: int, *, size: PageSize = PageSize.K4, writable: bool = True
    ) -> None:
        """Let the domain's devices reach `frame`, and those behind it, at `iova`.

        Raises
        ------
        ParameterError
            If either does not begin a page of that size, or the place is taken.
        """
        span = span_of(size)
        for field, page in (("iova", iova), ("frame", frame)):
            if page < 0 or page % span:
                raise ParameterError(OWNER, field, f"a multiple of {span}, from 0 on", page)
        if self.find(iova) is not None or self._within[size, iova // span]:
            raise ParameterError(OWNER, "iova", "a page that is not mapped", iova)
        self._entries[size, iova // span] = Translation(frame, size, writable)
        for larger in PageSize:
            if larger > size:
                self._within[larger, iova // span_of(larger)] += 1

    def unmap(self, iova: int) -> None:
        """Clear the entry that begins at `iova`; what an IOTLB holds of it is not touched.

        Raises
        ------
        ParameterError
            If no page begins there.
        """
        key = self._key(iova)
        if key is None or iova % span_of(key[0]):
            raise ParameterError(OWNER, "iova", "where a mapped page begins", iova)
        del self._entries[key]
        for larger in PageSize:
            if larger > key[0]:
                self._within[larger, iova // span_of(larger)] -= 1

    def find(self, iova: int) -> Translation | None:
        """Return what an IOVA page means, or None."""
        key = self._key(iova)
        return None if key is None else self._entries[key]

    def reads(self, iova: int) -> int:
        """Return the entries that a walk reads: to the page's own, or as deep as the tree goes."""
        found = self.find(iova)
        return self.levels - (0 if found is None else found.size)

    def frames(self) -> Iterator[int]:
        """Yield every frame that can be reached."""
        for found in self._entries.values():
            yield from range(found.frame, found.frame + span_of(found.size))

    def _key(self, iova: int) -> tuple[PageSize, int] | None:
        keys = ((size, iova // span_of(size)) for size in PageSize)
        return next((key for key in keys if key in self._entries), None)


def span_of(size: PageSize) -> int:
    """Return the 4 KiB pages in a page of a size: 1, 512 or 262,144."""
    return 1 << (LEVEL_BITS * size)
