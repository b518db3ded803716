"""Random numbers for the compiled loop: drawn by NumPy, some thousands ahead of their use.

Each source consumes three kinds of numbers, each in step with itself: what a request needs (its
class, then its random times), gaps between arrivals, and times to think. Compiled code reads them
from one table and wishes for more when few are left; the numbers are those that `sim` uses.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from virtperf.draws import blocks, chooses, kind_blocks
from virtperf.errors import ParameterError
from virtperf.fast.machine import Machine
from virtperf.rng import BLOCK
from virtperf.tables import NONE

Numbers = NDArray[np.int64]
AHEAD = 16  # blocks drawn ahead in all: more would not stay in the cache


class Stream:
    """Rows of numbers of which some are left.

    Parameters
    ----------
    columns : list of iterator of array
        Where the numbers of a row come from.
    least : int
        Rows there must be at once.
    blocks : int
        Drawn at a time; the first time one, for most streams of a run are short.
    """

    def __init__(self, columns: list[Iterator[Numbers]], least: int, blocks: int) -> None:
        self.columns = columns
        self.least = least
        self.blocks, self.most = 1, blocks
        self.length = least + blocks * BLOCK
        self.rows: Numbers
        self.error: ParameterError | None = None  # of a block that nobody has needed yet

    @property
    def size(self) -> int:
        """Numbers there is room for."""
        return self.length * len(self.columns)

    def refill(self, at: int, end: int) -> int:
        """Keep the rows from `at` to `end` and draw more; return how many there are then."""
        self.rows[: end - at] = self.rows[at:end]
        filled, wanted = end - at, max(self.least, end - at + self.blocks * BLOCK)
        while filled < wanted and filled + BLOCK <= self.length and self.error is None:
            try:
                for number, column in enumerate(self.columns):
                    self.rows[filled : filled + BLOCK, number] = next(column)
                filled += BLOCK
            except ParameterError as error:
                self.error = error
        self.blocks = min(2 * self.blocks, self.most)
        return filled


class Feed:
    """All streams of a run, each at its place in the machine's table.

    Parameters
    ----------
    machine : Machine
    seed, replication : int
    least : int
        Rows of each kind that there must be before an alarm.
    """

    def __init__(self, machine: Machine, seed: int, replication: int, least: int) -> None:
        sources = machine.tables["sources"]
        self.least = least
        system = machine.system
        self.streams: dict[tuple[int, str], Stream] = {}
        each = max(1, AHEAD // (2 * len(system.sources)))
        for i, row in enumerate(system.sources):

            def drawn(number: int, name: str = row.name) -> Iterator[Numbers]:
                return blocks(system, name, number, seed, replication)

            made = [kind_blocks(system, row, seed, replication)] if chooses(row) else []
            made += map(drawn, range(*row.draws))
            self.streams[i, "made"] = Stream(made, least + row.outstanding, each)
            if row.gap != NONE:
                self.streams[i, "gaps"] = Stream([drawn(row.gap)], least, each)
            if row.think != NONE:
                self.streams[i, "thinks"] = Stream([drawn(row.think)], least, each)
        self.marks: dict[str, tuple[Numbers, Numbers]] = {}  # the next of each, and the last
        for kind in dict.fromkeys(kind for _, kind in self.streams):
            self.marks[kind] = sources[f"{kind}_at"], sources[f"{kind}_end"]
            for i in range(len(sources)):
                if (i, kind) not in self.streams:
                    sources[f"{kind}_end"][i] = least  # never few
        self._lay_out(machine)
        self.refill()

    def _lay_out(self, machine: Machine) -> None:
        sources = machine.tables["sources"]
        table = np.zeros(sum(stream.size for stream in self.streams.values()), np.int64)
        machine.put("feed", table)
        first = 0
        for (i, kind), stream in self.streams.items():
            part = table[first : first + stream.size]
            stream.rows = part.reshape(stream.length, len(stream.columns))
            sources[kind][i] = first
            first += stream.size

    def refill(self) -> None:
        """Draw where few numbers are left."""
        for kind, (at, end) in self.marks.items():
            for i in (end - at < self.least).nonzero()[0].tolist():
                end[i] = self.streams[i, kind].refill(int(at[i]), int(end[i]))
                at[i] = 0

    def refuse(self) -> None:
        """Raise what kept a stream from being filled.

        Raises
        ------
        ParameterError
        """
        for stream in self.streams.values():
            if stream.error is not None:
                raise stream.error
