"""Work on a core that two hardware threads share, in pieces of one pace; mirrors `sim.pieces`."""

from typing import Any

from virtperf.fast.clocks import enter_account
from virtperf.fast.compiling import compiled, inlined, of_rule
from virtperf.fast.layout import NONE, cpu, pcpus, pools, workers
from virtperf.fast.stretch import NEVER, OPEN, carry_on, ran, stretch, unset
from virtperf.rules import siblings

ALONE = siblings.ALONE
_elapsed, _done = of_rule(siblings.elapsed), of_rule(siblings.done)


@inlined
def work(s: Any, w: Any, ticks: int, account: int, plain: int) -> None:
    """Hold the pCPU for `ticks` of work, which takes longer on a core that others share."""
    if pools(s)[0].sharing:
        w.slowed = 0
        ticks = begin(s, w, ticks)
    stretch(s, w, ticks, account, plain)


@compiled
def begin(s: Any, w: Any, ticks: int) -> int:
    """Begin a piece; return how long the work takes if the sibling stays as it is."""
    w.pace, w.piece, w.ahead = _pace(s, w.pcpu), s.now, ticks
    return int(_elapsed(ticks, w.pace))


@compiled
def end(s: Any, w: Any) -> None:
    """End the piece, if there is one; the thread may have lost its pCPU just now."""
    if w.piece == NEVER:
        return
    took = s.now - w.piece
    ticks = _done(took, w.pace)
    w.ahead -= ticks
    w.piece = NEVER
    slower = took - ticks
    if slower:
        w.slowed += slower
        p = w.last if w.pcpu == NONE else w.pcpu
        pcpu = pcpus(s)[p]
        enter_account(s, pcpu, pcpu.account)
        cpu(s)[p * s.accounts + w.account] -= slower
        cpu(s)[p * s.accounts + pools(s)[0].sharing_account] += slower


@inlined
def worked(s: Any, w: Any, start: int) -> int:
    """Return how much work a stretch since `start` did; `w.slowed` is what it took longer."""
    if w.pace:
        end(s, w)
        w.pace = 0
    return ran(s, w, start) - w.slowed


@compiled
def pace_sibling(s: Any, p: int) -> None:
    """Let who works on the other thread of the core feel that pCPU `p` is busy, or idle."""
    other = pcpus(s)[p ^ 1]
    n = other.worker if other.intruder == NONE else other.intruder
    if n != NONE:
        _at_another_pace(s, workers(s)[n])


@inlined
def _at_another_pace(s: Any, w: Any) -> None:
    if w.pcpu == NONE or w.piece == NEVER or w.pace == _pace(s, w.pcpu):
        return
    end(s, w)
    unset(s, w)
    w.end = s.now + begin(s, w, w.ahead)
    if w.alarm == OPEN:
        carry_on(s, w)


@inlined
def _pace(s: Any, p: int) -> int:
    """Return how long work takes on pCPU `p`, in thousandths of what it takes alone."""
    other = pcpus(s)[p ^ 1]
    if other.worker == NONE and other.intruder == NONE:
        return ALONE
    return int(pools(s)[0].sharing)
