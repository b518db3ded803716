"""The host's map of a guest's memory: frames that are backed, not yet backed, or paged out."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.frames import FramePool
from virtperf.mechanism.memory.page_table import LEAF_LEVELS, leaf_pages
from virtperf.mechanism.memory.paging_counts import FaultCounts
from virtperf.mechanism.memory.resident import Resident
from virtperf.mechanism.memory.runs import Run, Runs

How = Literal["resident", "minor", "major"]
Dropped = Callable[[int, int], None]


class Backing(NamedTuple):
    """Where a guest frame lies.

    Attributes
    ----------
    frame : int
        Machine frame of the 4 KiB that were asked for.
    level : int
        Size of the host's page around it: 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB.
    how : {'resident', 'minor', 'major'}
        Whether it was there, was allocated, or came back from the host's disk.
    """

    frame: int
    level: int
    how: How


class PMap:
    """Guest frames to machine frames; a miss allocates, or pages in.

    Parameters
    ----------
    guest_frames : int
        4 KiB frames the guest believes to have.
    machine : FramePool, optional
        Where machine frames come from, shared with other guests; by default as many as needed.
    level : {1, 2, 3}
        Size of the host's pages.
    resident : int, optional
        Most frames of this guest in memory; a host that pages out does so by 4 KiB.
    policy : {'lru', 'clock'}
        Who is paged out; the clock reads accessed flags, which hardware sets in the second table
        and the hypervisor sees in a shadow.

    Attributes
    ----------
    counts : FaultCounts
    when_dropped : list of callable
        Each is told (first guest frame, number) of what loses its backing or its large page.

    Raises
    ------
    ParameterError
        If a number is out of range, or a limit meets pages larger than 4 KiB.
    """

    def __init__(
        self,
        guest_frames: int,
        *,
        machine: FramePool | None = None,
        level: int = 1,
        resident: int | None = None,
        policy: Literal["lru", "clock"] = "lru",
    ) -> None:
        if level not in LEAF_LEVELS.values():
            raise ParameterError("PMap", "level", "1, 2 or 3", level)
        if guest_frames < 1 or guest_frames % leaf_pages(level):
            rule = f"a positive multiple of the {leaf_pages(level)} frames of a host page"
            raise ParameterError("PMap", "guest_frames", rule, guest_frames)
        if resident is not None and level != 1:
            rule = "left out with host pages above 4 KiB, which are split before they are paged out"
            raise ParameterError("PMap", "resident", rule, resident)
        self.guest_frames = guest_frames
        self.level = level
        self.counts = FaultCounts()
        self.when_dropped: list[Dropped] = []
        self._machine = machine or FramePool(guest_frames)
        self._backed = Runs()
        self._on_disk = Runs()
        self._broken = Runs()
        self._is_broken = False
        self._written: set[int] = set()
        self._accessed: set[int] = set()
        self._resident: Resident[int] | None = None
        if resident is not None:
            self._resident = Resident(resident, policy, owner="host")

    @property
    def limited(self) -> bool:
        """Whether frames may be paged out, so that each use must be told by `back`."""
        return self._resident is not None

    @property
    def is_broken(self) -> bool:
        """Whether a large host page was cut, so that sizes are mixed from then on."""
        return self._is_broken

    @property
    def backed_frames(self) -> int:
        """Guest frames that have a machine frame."""
        return self._backed.size

    @property
    def paged_out_frames(self) -> int:
        """Guest frames whose only copy is on the host's disk."""
        return sum(
            run.length - self._backed.count(run.start, run.end) for run in self._on_disk.all()
        )

    def find(self, frame: int) -> Backing | None:
        """Return the backing of a guest frame if it has one; nothing changes."""
        run = self._backed.find(frame)
        return None if run is None else Backing(run.at(frame), run.tag, "resident")

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what is backed in a range: guest frames, machine frames, and as tag the level."""
        return self._backed.within(start, end)

    def back(self, frame: int, write: bool = False) -> Backing:
        """Return the backing of a guest frame that is accessed; allocate or page it in.

        Raises
        ------
        ParameterError
            If the guest has no such frame, or the machine has none left.
        """
        self._check(frame, 1)
        there = self.find(frame)
        if there is None:
            there = self._miss(frame)
        if self._resident is not None:
            self._resident.use(frame)
            self._accessed.add(frame)
            if write:
                self._written.add(frame)
        return there

    def populate(self, start: int, count: int) -> int:
        """Back every frame of a range at once; return how many host pages that took.

        Raises
        ------
        ParameterError
            As `back`; or if there is a limit: what is brought in then depends on the order.
        """
        self._check(start, count)
        if self._resident is not None:
            raise ParameterError("PMap", "resident", "unlimited to populate", self._resident.limit)
        pages = leaf_pages(self.level)
        first, last = start // pages * pages, -(-(start + count) // pages) * pages
        made = 0
        for gap in list(self._backed.gaps(first, last)):
            if any(edge % pages for edge in gap) or self._broken.count(*gap):
                made += sum(self.find(f) is None and bool(self._miss(f)) for f in range(*gap))
                continue
            self._allocate(gap[0], gap[1] - gap[0], self.level)
            made += (gap[1] - gap[0]) // pages
            self.counts.minor += (gap[1] - gap[0]) // pages
        return made

    def release(self, start: int, count: int = 1) -> int:
        """Take the backing of frames away for good, as a balloon does; return how many had one.

        Content on the disk is forgotten with it. A larger host page that is cut is broken: the
        rest of it stays, as pages of 4 KiB.
        """
        self._check(start, count)
        for edge in (start, start + count):
            self._break(edge)
        gone = self._backed.remove(start, start + count)
        self._on_disk.remove(start, start + count)
        for run in gone:
            self._lose(run)
            if run.tag < self.level:
                self._broken.put(run.start, run.end, run.start, 0)
        return sum(run.length for run in gone)

    def _miss(self, frame: int) -> Backing:
        pages = leaf_pages(self.level)
        first, level = frame // pages * pages, self.level
        if self._backed.count(first, first + pages) or self._broken.count(first, first + pages):
            first, level, pages = frame, 1, 1
        if self._resident is not None:
            if self._resident.is_full:
                self._page_out(self._resident.victim(self._take_accessed))
            self._resident.add(frame)
        on_disk = self._on_disk.find(frame) is not None
        self._allocate(first, pages, level)
        run = self._backed.find(frame)
        assert run is not None
        how: How = "major" if on_disk else "minor"
        self.counts.major += on_disk
        self.counts.minor += not on_disk
        return Backing(run.at(frame), run.tag, how)

    def _allocate(self, start: int, count: int, level: int) -> None:
        """Back a range, with neighbouring frames if there are such, else page by page."""
        pages = leaf_pages(level)
        at = self._machine.take(count, align=pages)
        if at is not None:
            self._backed.put(start, start + count, at, level)
        elif count > pages:
            for unit in range(start, start + count, pages):
                self._allocate(unit, pages, level)
        elif self._machine.free < count:
            rule = "large enough for what is touched, or the guest's memory limited"
            raise ParameterError("PMap", "machine", rule, self._machine.total)
        else:
            self._is_broken = True
            self._broken.put(start, start + count, start, 0)
            for first, number in self._machine.take_pieces(count):
                self._backed.put(start, start + number, first, 1)
                start += number

    def _page_out(self, frame: int) -> None:
        """Evict a frame: what the disk has unchanged, and what is all zeros, is not written."""
        if frame in self._written:
            self.counts.page_outs += 1
            self._on_disk.put(frame, frame + 1, frame, 0)
        else:
            self.counts.discarded += 1
        for run in self._backed.remove(frame, frame + 1):
            self._lose(run)

    def _lose(self, run: Run) -> None:
        self._machine.give(run.value, run.length)
        if self._resident is not None:
            for frame in range(run.start, run.end):
                self._resident.drop(frame)
                self._written.discard(frame)
                self._accessed.discard(frame)
        for tell in self.when_dropped:
            tell(run.start, run.length)

    def _break(self, edge: int) -> None:
        """Make 4 KiB pages of the host page that `edge` cuts."""
        run = self._backed.find(edge)
        if run is None or run.tag == 1 or edge % leaf_pages(run.tag) == 0:
            return
        self._is_broken = True
        pages = leaf_pages(run.tag)
        first = edge // pages * pages
        self._backed.put(first, first + pages, run.at(first), 1)
        for tell in self.when_dropped:
            tell(first, pages)

    def _take_accessed(self, frame: int) -> bool:
        accessed = frame in self._accessed
        self._accessed.discard(frame)
        return accessed

    def _check(self, start: int, count: int) -> None:
        if not 0 <= start <= self.guest_frames - count:
            rule = f"below the guest's {self.guest_frames} frames"
            raise ParameterError("PMap", "frame", rule, start)
