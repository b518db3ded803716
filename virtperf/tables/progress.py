"""Whether a run gets anywhere: a policy may keep from the CPU whom everybody else waits for.

A lock's holder that a spinner of more weight never lets run, a cap below what interrupts take: no
worker is in a deadlock, alarms go off for ever, and no request ends. Both engines look at the same
alarms, so that they give up at the same one.
"""

from virtperf.errors import SimulationError

EVERY = 1_000_000  # alarms between two looks
LOOKS = 5  # at which no request has ended, until a run is given up
PATIENCE = 4  # times as many, for each worker: a unit of work may take each of them many slices


class Watch:
    """Counts looks since a request ended; `mark` is the number of alarms at which the next is."""

    def __init__(self, name: str, left: int, workers: int) -> None:
        self.name, self.left = name, left
        self.every = EVERY * PATIENCE * max(1, workers)
        self.mark, self.in_vain = self.every, 0

    def look(self, left: int) -> None:
        """See how many requests are `left`.

        Raises
        ------
        SimulationError
            If none has ended at the last `LOOKS` looks.
        """
        self.mark += self.every
        self.in_vain = self.in_vain + 1 if left == self.left else 0
        self.left = left
        if self.in_vain == LOOKS:
            says = f"{LOOKS * self.every:,} events came and went, but no request ended: perhaps "
            says += "the scheduler keeps somebody from the CPU for whom the others wait"
            raise SimulationError(f"{self.name}: {says}")
