"""Translations a hypervisor has filled in, and the way back from guest frames to them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from virtperf.mechanism.memory.page_table import DIRTY, GLOBAL, LEAF_LEVELS, WRITABLE, Leaf
from virtperf.mechanism.memory.page_table import leaf_pages as pages_of
from virtperf.mechanism.memory.pmap import Backing

_LEVELS = tuple(LEAF_LEVELS.values())


class Entry(NamedTuple):
    """One translation, of the smaller of the guest's and the host's page.

    Attributes
    ----------
    guest_frame, frame : int
        First guest frame and first machine frame.
    writable : bool
        Also false where the guest allows writes and has not yet written: its dirty flag is due.
    level, guest_level : int
        Size of the entry, and of the guest's leaf, which may be larger (1, 2 or 3).
    is_global : bool
    """

    guest_frame: int
    frame: int
    writable: bool
    level: int
    guest_level: int
    is_global: bool

    def at(self, page: int) -> int:
        """Return the machine frame of a page of the entry."""
        return self.frame + page % pages_of(self.level)


def composed(page: int, leaf: Leaf, backing: Backing) -> Entry:
    """Return the translation of a page: the guest's leaf, carried on by the host's map.

    The entry is read-only until the guest's leaf is dirty, so that the first write is seen.
    """
    level = min(leaf.level, backing.level)
    offset = page % pages_of(level)
    may_write = leaf.flags & WRITABLE and leaf.flags & DIRTY
    return Entry(
        guest_frame=leaf.frame - offset,
        frame=backing.frame - offset,
        writable=bool(may_write),
        level=level,
        guest_level=leaf.level,
        is_global=bool(leaf.flags & GLOBAL),
    )


class Entries:
    """Filled translations of one address space, by page, and by guest frame."""

    def __init__(self) -> None:
        self._at: dict[int, dict[int, Entry]] = {level: {} for level in _LEVELS}
        self._of_frame: dict[int, dict[int, set[int]]] = {level: {} for level in _LEVELS}
        self._splintered: dict[int, Counter[int]] = {level: Counter() for level in _LEVELS}

    def __len__(self) -> int:
        return sum(map(len, self._at.values()))

    def find(self, page: int) -> Entry | None:
        """Return the entry that translates `page`, or None."""
        for level, entries in self._at.items():
            if entries and (entry := entries.get(page // pages_of(level))) is not None:
                return entry
        return None

    def put(self, page: int, entry: Entry) -> None:
        """Fill in the entry of `page`; it takes the place of whatever it overlaps."""
        pages = pages_of(entry.level)
        self.drop_range(page // pages * pages, pages)
        self._at[entry.level][page // pages] = entry
        unit = entry.guest_frame // pages
        self._of_frame[entry.level].setdefault(unit, set()).add(page // pages)
        if entry.level < entry.guest_level:
            self._splintered[entry.guest_level][page // pages_of(entry.guest_level)] += 1

    def invalidate(self, page: int) -> int:
        """Take out every entry of the guest's page around `page`, as INVLPG does; return how many.

        A large guest page on small host pages is many entries, and they go together.
        """
        dropped = self.drop_range(page, 1)
        for level, pieces in self._splintered.items():
            if pieces[page // pages_of(level)]:
                first = page // pages_of(level) * pages_of(level)
                dropped += self._drop(
                    (one, number)
                    for one, number in self._meeting(first, pages_of(level))
                    if self._at[one][number].guest_level == level
                )
        return dropped

    def drop_range(self, page: int, count: int, level: int | None = None) -> int:
        """Take out all entries, or those of one level, that meet a range; return how many."""
        return self._drop(
            (one, number) for one, number in self._meeting(page, count) if level in (None, one)
        )

    def drop_frames(self, frame: int, count: int) -> int:
        """Take out all entries that lead to a range of guest frames; return how many."""
        return self._drop(
            (level, number)
            for level in _LEVELS
            for unit in _keys(self._of_frame[level], frame, count, pages_of(level))
            for number in self._of_frame[level][unit]
        )

    def clear(self, keep_global: bool = False) -> int:
        """Take out everything, or what is not global; return how many."""
        return self._drop(
            (level, number)
            for level, entries in self._at.items()
            for number, entry in entries.items()
            if not (keep_global and entry.is_global)
        )

    def _meeting(self, page: int, count: int) -> Iterator[tuple[int, int]]:
        for level, entries in self._at.items():
            for number in _keys(entries, page, count, pages_of(level)):
                yield level, number

    def _drop(self, which: Iterable[tuple[int, int]]) -> int:
        doomed = list(which)
        for level, number in doomed:
            self._remove(level, number)
        return len(doomed)

    def _remove(self, level: int, number: int) -> None:
        entry = self._at[level].pop(number)
        if entry.level < entry.guest_level:
            large = pages_of(entry.guest_level) // pages_of(level)
            self._splintered[entry.guest_level][number // large] -= 1
        unit = entry.guest_frame // pages_of(level)
        users = self._of_frame[level][unit]
        users.discard(number)
        if not users:
            del self._of_frame[level][unit]


def _keys(known: Mapping[int, object], first: int, count: int, size: int) -> list[int]:
    """Return those of the keys whose unit meets a range, by the shorter way."""
    start, end = first // size, (first + count - 1) // size + 1
    if end - start <= len(known):
        return [key for key in range(start, end) if key in known]
    return [key for key in known if start <= key < end]
