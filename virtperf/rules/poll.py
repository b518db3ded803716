"""How long an idle worker polls before it sleeps.

State: `inbox` has ``poll`` (the longest window), ``start`` (the first step of a window that adapts
itself; 0 for one that is constant) and ``window`` (what it is now), in ticks.
"""

from typing import Any

GROWTH = 2


def window(inbox: Any, polled: int) -> int:
    """Return the window in ticks; 0 if the worker has polled since its last turn (`polled`)."""
    if polled:
        return 0
    return inbox.window


def adapted(inbox: Any, idle: int) -> int:
    """Return the next window after the worker was idle for `idle` ticks, polling and asleep.

    As QEMU's event loop does by default: an idle time within the window changes nothing; one that
    no window may cover turns polling off; one that a longer window would have covered doubles it.
    """
    if inbox.start == 0 or idle <= inbox.window:
        return inbox.window
    if idle > inbox.poll:
        return 0
    if inbox.window == 0:
        return min(inbox.start, inbox.poll)
    return min(inbox.window * GROWTH, inbox.poll)
