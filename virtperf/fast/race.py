"""The race of the pCPUs: whose next alarm comes first.

On a pCPU two alarms are set at most: when what runs there ends, and when its slice does. They are
set, moved and taken back far more often than they happen, so a pCPU just remembers both, and the
earlier one takes part in a tournament: each node of a tree knows the winner of its halves.
"""

from typing import Any

from virtperf.fast.calendar import before
from virtperf.fast.compiling import compiled, inlined
from virtperf.fast.layout import NONE, entrants, pcpus, race

FOREVER = (1 << 63) - 1


@inlined
def touch(s: Any, p: int) -> None:
    """Note that an alarm of pCPU `p` has changed: it runs again before the next one happens."""
    if s.late != p:
        run_again(s)
        s.late = p


@compiled
def run_again(s: Any) -> None:
    """Let the pCPU whose alarms have changed run against its neighbours, up to the top."""
    if s.late == NONE:
        return
    pcpu, table, nodes = pcpus(s)[s.late], entrants(s), race(s)
    mine = table[s.late]
    tie = (pcpu.timer == pcpu.work) & (pcpu.slice_key < pcpu.work_key)
    slice_ = (pcpu.timer < pcpu.work) | tie
    mine.time = pcpu.timer if slice_ else pcpu.work
    mine.key = pcpu.slice_key if slice_ else pcpu.work_key
    i = (s.entrants_rows + s.late) >> 1
    while i:
        one, two = nodes[2 * i], nodes[2 * i + 1]
        nodes[i] = one + (two - one) * before(table, two, one)
        i >>= 1
    s.late = NONE


@inlined
def leader(s: Any) -> Any:
    """Return the next alarm of all pCPUs."""
    return entrants(s)[race(s)[1]]
