"""Why the compiled loop was left."""

from typing import Any

from virtperf.fast.compiling import compiled

(
    RUNNING,
    OVER,  # the requests are through
    PAUSED,  # the budget of alarms is used up, or something wishes for a look from Python
    FULL,  # a table is full; the culprit says which
    DRY,  # nothing is left to happen
    IDLE,  # timers alone go on
    UNBALANCED,  # the account of a request, the culprit, is wrong
    DEADLOCK,  # the culprit, a worker, waits for what waits for it
    LATE,  # instants, or what is summed over them, no longer fit into 8 bytes
    BROKEN,  # a state that the engine cannot be in
) = range(10)
TABLES = {
    1: "agenda",
    2: "events",
    3: "requests",
    4: "feed",
    5: "closed",
    6: "arrows",
    7: "frames",
    8: "credits",
}


@compiled
def fail(s: Any, status: int, culprit: int) -> None:
    """End the run in the middle of an event; the first reason counts.

    What calls this goes on until it returns, so each row it uses must be one.
    """
    if s.status == RUNNING:
        s.status, s.culprit = status, culprit
