"""How a guest schedules its tasks on one vCPU: round robin, first in first out.

State: `tasks` has ``first final`` (ends of the run queue of inboxes, or -1), ``slice`` (0: a task
runs to the end of its turn) and ``since`` (instant at which the current task went on);
`inboxes[i]` has ``behind`` (next in the run queue, or -1).
The guest's clock goes on while its vCPU is off its pCPU: a slice may end unseen.
"""

from typing import Any


def enqueue(tasks: Any, inboxes: Any, i: int) -> None:
    """Put the task of inbox `i` at the tail of the run queue."""
    inboxes[i].behind = -1
    if tasks.final == -1:
        tasks.first = i
    else:
        inboxes[tasks.final].behind = i
    tasks.final = i


def pick(tasks: Any, inboxes: Any) -> int:
    """Take the next task off the run queue; -1 if none can run."""
    i = tasks.first
    if i != -1:
        tasks.first = inboxes[i].behind
        if tasks.first == -1:
            tasks.final = -1
    return i


def over(tasks: Any, now: int) -> int:
    """Return 1 if the current task has had its slice and another one waits, else 0."""
    if tasks.slice == 0 or tasks.first == -1:
        return 0
    if now - tasks.since < tasks.slice:
        return 0
    return 1
