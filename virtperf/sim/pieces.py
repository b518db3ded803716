"""Work on a core that two hardware threads share: a stretch falls into pieces of one pace each.

A piece ends when the stretch does, when its thread is stopped, and when the sibling falls idle or
gets busy. What it took longer than alone is booked as shared: so it shows beside the work.
"""

from typing import TYPE_CHECKING

from virtperf.rules import siblings

if TYPE_CHECKING:
    from virtperf.sim.thread import Thread

NEVER = -1


def begin(thread: "Thread", work: int) -> int:
    """Begin a piece; return how long the `work` takes if the sibling stays as it is."""
    pcpu = thread.pcpu
    assert pcpu is not None, "work needs a pCPU"
    thread.pace, thread.piece, thread.ahead = thread.pool.pace(pcpu), thread.env.now, work
    return siblings.elapsed(work, thread.pace)


def lost(thread: "Thread") -> int:
    """Return what the piece under way has taken longer so far; nothing if there is none."""
    if thread.piece == NEVER:
        return 0
    ran = thread.env.now - thread.piece
    return ran - siblings.done(ran, thread.pace)


def end(thread: "Thread") -> None:
    """End the piece, if there is one; the thread may have lost its pCPU just now."""
    if thread.piece == NEVER:
        return
    ran = thread.env.now - thread.piece
    work = siblings.done(ran, thread.pace)
    thread.ahead, thread.piece = thread.ahead - work, NEVER
    if ran != work:
        thread.slowed += ran - work
        pool = thread.pool
        account = pool.pcpus[thread.last if thread.pcpu is None else thread.pcpu.index].account
        account.move(ran - work, thread.account, pool.row.sharing_account)


def at_another_pace(thread: "Thread") -> None:
    """Let a thread that is at work go on faster or slower, now that its sibling has changed."""
    pcpu = thread.pcpu
    if pcpu is None or thread.piece == NEVER or thread.pace == thread.pool.pace(pcpu):
        return
    end(thread)
    thread.no_alarm()
    thread.end = thread.env.now + begin(thread, thread.ahead)
    thread.carry_on()
