"""Looks into runs that are under way: how far they are, and whether somebody wants them to end."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol


class Flag(Protocol):
    """A number that several processes may share."""

    value: int


class Watch:
    """Shares of runs that are done, and whether they shall stop.

    Parameters
    ----------
    shares : sequence of float
        One per run; may be in shared memory.
    stop : Flag
        1 when the runs shall end as they stand.
    """

    def __init__(self, shares: Any, stop: Flag) -> None:
        self.shares = shares
        self.stop = stop

    def progress(self, number: int, requests: int) -> Any:
        """Return what run `number` calls now and then with the requests it has finished."""

        def look(finished: int) -> bool:
            self.shares[number] = finished / requests
            return bool(self.stop.value)

        return look

    def done(self, finished: int) -> float:
        """Return how many runs are done, those under way by their shares."""
        rest: Sequence[float] = self.shares[finished:]
        return finished + sum(rest)

    @contextmanager
    def ctrl_c(self) -> Iterator[None]:
        """Let the first Ctrl-C end the runs as they stand, and a second one all at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: object) -> None:
            if self.stop.value:
                raise KeyboardInterrupt
            self.stop.value = 1

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
