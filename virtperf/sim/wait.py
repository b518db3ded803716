"""Something that a worker, or a request, waits for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf.rules.lock import FOREVER

if TYPE_CHECKING:
    from virtperf.sim.hands import Hands
    from virtperf.sim.inbox import Inbox
    from virtperf.sim.lock import Lock
    from virtperf.sim.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a level of a worker cannot go on without; kept to find a deadlock.

    Attributes
    ----------
    level : int
        The interrupt level goes on while the ordinary one needs something, but not vice versa.
    deaf : bool
        Whether interrupts are not heard meanwhile.
    request : Request
        In whose name.
    lock : Lock or None
    calls : tuple
        Of a join: each call and the inbox it went to.
    """

    level: int
    deaf: bool
    request: "Request"
    lock: "Lock | None" = None
    calls: "tuple[tuple[Request, Inbox], ...]" = ()


class Wait:
    """Is over when it has been answered `left` times; then `then` is called, once."""

    __slots__ = ("left", "over", "then")

    def __init__(self, then: Callable[[], object], left: int = 1) -> None:
        self.then = then
        self.left = left
        self.over = False

    def answer(self) -> None:
        """Count one answer."""
        self.left -= 1
        if self.left == 0:
            self.over = True
            self.then()


class Held(Wait):
    """The wait of a worker that keeps its request: it sleeps until woken, or spins.

    A spinner that has lost its `patience`, ticks of CPU time, sleeps as well; FOREVER it keeps.
    """

    __slots__ = ("patience", "sleeps", "woken")

    def __init__(
        self, worker: "Hands", *, sleeps: bool, left: int = 1, patience: int = FOREVER
    ) -> None:
        self.woken = worker.env.event()
        self.sleeps, self.patience = sleeps, patience
        super().__init__(self.woken.succeed if sleeps else worker.stop_spinning, left)

    def fall_asleep(self) -> None:
        """Let the spinner be one that sleeps."""
        self.sleeps, self.then = True, self.woken.succeed

    def seen(self) -> bool:
        """Whether the wait is over."""
        return self.over
