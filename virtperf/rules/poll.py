"""How long an idle worker polls before it sleeps. `inbox` has ``poll``, its window in ticks."""

from typing import Any


def window(inbox: Any, polled: int) -> int:
    """Return the window in ticks; 0 if the worker has polled since its last turn (`polled`)."""
    if polled:
        return 0
    return inbox.poll
