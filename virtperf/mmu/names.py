"""Who is told apart in a simulation: tags, spaces and host roots get numbers as they appear."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.flushes import Flush, Tag
from virtperf.mechanism.memory.geometry import TlbGeometry
from virtperf.mechanism.memory.mapping import Context
from virtperf.mechanism.memory.pages import PAGE_SHIFT
from virtperf.mmu.layout import MOST_NAMES, Ints, region_rows

Bools = NDArray[np.bool_]
_NO_ROWS = np.zeros((0, 10), np.int64)


class Names:
    """The contexts seen so far as rows of numbers, and what a flush means for these numbers.

    Parameters
    ----------
    geometry : TlbGeometry
        Says what entries translations are kept as.
    """

    def __init__(self, geometry: TlbGeometry) -> None:
        self._geometry = geometry
        self.tags: dict[Tag, int] = {}
        self.pairs: dict[tuple[Tag, int], int] = {}
        self.spaces: dict[int, int] = {}
        self.roots: dict[int, int] = {}
        self._contexts: dict[Context, int] = {}
        self._rows: list[list[int]] = []
        self._regions: list[tuple[int, ...]] = []
        self.contexts = self.regions = _NO_ROWS

    def of(self, context: Context) -> int:
        """Return the row of a context, adding it if it is new."""
        known = self._contexts.get(context)
        if known is not None:
            return known
        mapping, tag = context.mapping, context.tag
        rows = region_rows(mapping, self._geometry)
        first = len(self._regions)
        self._regions += rows
        self._rows.append(
            [
                _number(self.tags, tag),
                _number(self.tags, Tag(tag.vpid, None, tag.root)),
                _number(self.pairs, (tag, context.space)),
                _number(self.spaces, context.space),
                -1 if tag.root is None else _number(self.roots, tag.root),
                first,
                len(self._regions),
                mapping.offset >> PAGE_SHIFT,
                -1 if mapping.tables_page is None else mapping.tables_page,
                mapping.tables_at >> PAGE_SHIFT,
            ]
        )
        self._contexts[context] = len(self._rows) - 1
        self.contexts = np.array(self._rows, np.int64)
        self.regions = np.array(self._regions, np.int64)
        return len(self._rows) - 1

    def doomed(self, flushes: tuple[Flush, ...]) -> tuple[Bools, Bools, Bools, Bools]:
        """Return which tags lose TLB entries, and tags, pairs and roots what walk caches hold.

        One row for each flush. Addresses are left out of account: see `Mmu.flush`.
        """
        return (
            _rows(flushes, self.tags, lambda flush, tag: flush.entries(tag)),
            _rows(flushes, self.tags, lambda flush, tag: flush.structures(tag)),
            _rows(flushes, self.pairs, lambda flush, pair: flush.structures(pair[0])),
            _rows(flushes, self.roots, lambda flush, root: flush.nested(root)),
        )


def _number(numbers: dict[Any, int], name: Hashable) -> int:
    if name not in numbers:
        if len(numbers) == MOST_NAMES:
            rule = f"at most {MOST_NAMES} different ones"
            raise ParameterError("Mmu", "contexts", rule, name)
        numbers[name] = len(numbers)
    return numbers[name]


def _rows(
    flushes: tuple[Flush, ...], names: dict[Any, int], goes: Callable[[Flush, Any], bool]
) -> Bools:
    """Return a row for each flush; at least one column, for rows are indexed in any case."""
    made = np.ones((len(flushes), max(1, len(names))), np.bool_)
    for row, flush in zip(made, flushes, strict=True):
        for name, number in names.items():
            row[number] = goes(flush, name)
    return made


def frames_per_root(names: Names, used: Ints) -> Ints:
    """Return the counts of used frames with a word for each root there is now."""
    if len(used) == 2 + len(names.roots):
        return used
    made = np.zeros(2 + len(names.roots), np.int64)
    made[: len(used)] = used
    return made
