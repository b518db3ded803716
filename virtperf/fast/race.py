"""The race of the pCPUs: whose next alarm comes first.

On a pCPU two alarms are set at most: when what runs there ends, and when its slice does. They are
set, moved and taken back far more often than they happen, so a pCPU just remembers both, and the
earlier one takes part in a tournament: each node of a tree knows the winner of its halves.
"""

from typing import Any

from virtperf.fast.compiling import inlined
from virtperf.fast.layout import NONE, entrants, pcpus, race
from virtperf.fast.tables import either

FOREVER = (1 << 63) - 1


@inlined
def touch(s: Any, p: int) -> None:
    """Note that an alarm of pCPU `p` has changed: it runs again before the next one happens."""
    if s.late != p:
        run_again(s)
        s.late = p


@inlined
def run_again(s: Any) -> None:
    """Let the pCPU whose alarms have changed run against its neighbours, up to the top."""
    if s.late == NONE:
        return
    pcpu, table, nodes = pcpus(s)[s.late], entrants(s), race(s)
    mine = table[s.late]
    tie = (pcpu.timer == pcpu.work) & (pcpu.slice_key < pcpu.work_key)
    slice_ = (pcpu.timer < pcpu.work) | tie
    time = pcpu.timer if slice_ else pcpu.work
    key = pcpu.slice_key if slice_ else pcpu.work_key
    mine.time, mine.key = time, key
    first, i = s.late, s.entrants_rows + s.late
    while i > 1:
        other = nodes[i ^ 1]
        row = table[other]
        loses = (row.time < time) | ((row.time == time) & (row.key < key))
        first = either(loses, other, first)
        time = either(loses, row.time, time)
        key = either(loses, row.key, key)
        i >>= 1
        nodes[i] = first
    s.late = NONE


@inlined
def leader(s: Any) -> Any:
    """Return the next alarm of all pCPUs."""
    return entrants(s)[race(s)[1]]
