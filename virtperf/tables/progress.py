"""Whether a run gets anywhere: somebody may be kept from the CPU for ever for whom others wait.

A lock's holder that a spinner of more weight never lets run, a cap below what interrupts take, a
guest whose interrupts leave its processes no time while packets are lost (receive livelock): no
worker is in a deadlock, alarms go off for ever, and no request ends. Both engines look at the same
alarms, so that they give up at the same one.
"""

from collections.abc import Sequence

from virtperf.errors import SimulationError
from virtperf.tables.rows import NONE, Kind, System, WorkerState
from virtperf.units import TICKS_PER_NS

EVERY = 200_000  # alarms between two looks
LOOKS = 25  # at which no request has ended, until a run is given up
PATIENCE = 4  # times as many, for each worker: a unit of work may take each of them many slices
LOST, SECOND = 100_000, 10**9 * TICKS_PER_NS
"""Requests that are lost, and time in which they are, until a run is given up if none ends.

Who loses so many and answers one may do so again: 20,000 answers would take longer than anybody
waits. A burst may be as bad, but hardly for a second.
"""
STARVED, KEPT = 0.001, 0.9  # share of time at one's work, or without a CPU, that is told

Clocks = Sequence[Sequence[int]]


class Watch:
    """Counts looks since a request ended; `mark` is the number of alarms at which the next is.

    Parameters
    ----------
    system : System
    left : int
        Requests that the run is to see the end of.
    """

    def __init__(self, system: System, left: int) -> None:
        self.name, self.left, self._workers = system.name, left, system.workers
        ends = (step for step in system.steps if step.kind == Kind.END)
        self._outcomes = sorted({step.target for step in ends} - {NONE})
        self.patience = EVERY * LOOKS * PATIENCE * max(1, len(system.workers))
        self.mark, self._alarms = EVERY, 0
        self._since, self._lost = 0, 0
        self._clocks: Clocks = [[0] * len(WorkerState)] * len(system.workers)

    def look(self, left: int, now: int, sides: Sequence[int], clocks: Clocks) -> None:
        """See how many requests are `left`, how many ended otherwise, and who did what so far.

        Parameters
        ----------
        left, now : int
        sides : sequence of int
            Side paths and failures that ended, by kind.
        clocks : sequence of sequences of int
            Time of each worker in each state.

        Raises
        ------
        SimulationError
            If none has ended for long enough.
        """
        self.mark += EVERY
        lost = sum(sides[outcome] for outcome in self._outcomes)
        if left != self.left:
            self.left, self._alarms = left, 0
            self._since, self._lost, self._clocks = now, lost, [[*clock] for clock in clocks]
            return
        self._alarms += EVERY
        many, time = lost - self._lost, now - self._since
        if many >= LOST and time >= SECOND:
            says = f"{many:,} requests were lost in {time / SECOND:.3g} s, but none ended"
        elif self._alarms >= self.patience:
            says = f"{self._alarms:,} events came and went, but no request ended"
        else:
            return
        raise SimulationError(f"{self.name}: {says}: {self._who(clocks, time)}")

    def _who(self, clocks: Clocks, time: int) -> str:
        """Say who is kept from work: by interrupts, or from the CPU."""
        found = []
        for worker, after, before in zip(self._workers, clocks, self._clocks, strict=True):
            state = {s: (after[s] - before[s]) / max(1, time) for s in WorkerState}
            own = state[WorkerState.RUNNING] + state[WorkerState.POLLING]
            if state[WorkerState.INTERRUPT] and own < STARVED and not worker.host:
                share = state[WorkerState.INTERRUPT] + state[WorkerState.BLOCKED]
                found.append(f"interrupts take {worker.name} {share:.0%} of the time, its tasks 0%")
            elif state[WorkerState.READY] > KEPT:
                found.append(f"{worker.name} waits for a pCPU {state[WorkerState.READY]:.0%} of it")
        if not found:
            return "perhaps the scheduler keeps somebody from the CPU for whom the others wait"
        return "; ".join(found)
