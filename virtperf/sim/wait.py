"""Something that a worker, or a request, waits for."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtperf.sim.hands import Hands


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
    """The wait of a worker that keeps its request: it sleeps until woken, or spins."""

    __slots__ = ("woken",)

    def __init__(self, worker: "Hands", *, sleeps: bool, left: int = 1) -> None:
        self.woken = worker.env.event()
        super().__init__(self.woken.succeed if sleeps else worker.stop_spinning, left)

    def seen(self) -> bool:
        """Whether the wait is over."""
        return self.over
