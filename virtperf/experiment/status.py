"""What somebody who waits for a sweep wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Status:
    """How far a sweep is.

    Attributes
    ----------
    done, planned : int
        Runs made, and runs that are known to be needed; more come where precision asks for them.
    stored : int
        Of those done, runs that were there before.
    failed : int
        Runs that failed.
    cost_done, cost_planned : float
        The same in timed events, stored ones left out.
    label : str
        Point that was last heard of.
    widths : mapping of str to float
        Half-width over mean of its outputs.
    began : float
        When, in seconds of a monotonic clock.
    """

    done: int = 0
    planned: int = 0
    stored: int = 0
    failed: int = 0
    cost_done: float = 0.0
    cost_planned: float = 0.0
    label: str = ""
    widths: Mapping[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Wall time since it began."""
        return time.monotonic() - self.began

    @property
    def events_per_s(self) -> float:
        """Timed events per second of wall time."""
        return self.cost_done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Wall time left, at the pace so far; None before there is one."""
        if not self.cost_done:
            return None
        return max(0.0, self.cost_planned - self.cost_done) / self.events_per_s


Tell = Callable[[Status], None]
