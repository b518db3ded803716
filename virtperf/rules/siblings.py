"""Two hardware threads of a core share its units: work takes longer while both are busy.

pCPUs 2k and 2k + 1 are the threads of core k. A pool's ``sharing`` is how long a unit of work takes
while the sibling is busy, in thousandths of what it takes alone; 0 says that each pCPU is a core.
A *pace* is such a number; whole ticks of work and of time are exact to one tick per change of pace.
"""

from typing import Any

ALONE = 1000


def sibling(p: int) -> int:
    """Return the other thread of the core of pCPU `p`."""
    return p ^ 1


def elapsed(work: int, pace: int) -> int:
    """Return how long `work` takes at a pace, in ticks, rounded up."""
    return (work * pace + ALONE - 1) // ALONE


def done(ran: int, pace: int) -> int:
    """Return how much work is done in `ran` ticks: all of it when `elapsed` are over."""
    return ran * ALONE // pace


def whole(pool: Any, pcpus: Any, p: int) -> int:
    """Return 1 if no other worker has a thread of the core of pCPU `p`, else 0."""
    if pool.sharing == 0 or pcpus[sibling(p)].worker == -1:
        return 1
    return 0
