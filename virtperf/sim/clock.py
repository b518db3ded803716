"""SimPy's environment in integer ticks, whose ties depend on owners, not on the order of calls."""

from collections.abc import Callable
from enum import IntEnum

import simpy

_COUNT_BITS, _OWNER_BITS, _KIND_BITS = 40, 24, 4


class Owner(IntEnum):
    """Kinds of owners of timed events, in the order in which ties are broken."""

    SOURCE = 0
    STATION = 1
    BELL = 2
    LOCK = 3
    WORKER = 4
    TIMER = 5
    SLICE = 8  # class 2, from here on: a slice ends after all else of the same instant
    TASK = 9
    TICK = 10


class Ticker:
    """Who sets alarms: a kind, an index in its table, and a count of its own alarms.

    SimPy orders events of one instant by priority, then by creation. The priority of an alarm is
    made of these three numbers, so creation order decides nothing. What an event causes without
    time passing is scheduled by ``succeed()`` with SimPy's normal priority, 1, which is below that
    of every alarm: first in, first out, before the next alarm of the instant.
    """

    __slots__ = ("_key",)

    def __init__(self, kind: Owner, index: int) -> None:
        self._key = (((1 << _KIND_BITS) | kind) << _OWNER_BITS | index) << _COUNT_BITS

    def next(self) -> int:
        """Return the priority of the owner's next alarm."""
        self._key += 1
        return self._key


class Alarm(simpy.Event):
    """An event that happens after `delay` ticks, with the priority its owner gives it.

    It is built as SimPy builds a timeout, without the detour over an untriggered event.
    """

    def __init__(self, env: "Clock", owner: Ticker, delay: int) -> None:
        self.env = env
        self.callbacks = []
        self._ok = True
        self._value = None
        env.alarms += 1
        env.schedule(self, priority=owner.next(), delay=delay)  # type: ignore[arg-type]


class Clock(simpy.Environment):
    """The engine's clock. `now` is an integer number of ticks; `alarms` counts timed events."""

    _now: int

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.alarms = 0

    @property
    def now(self) -> int:
        """The current instant, in ticks."""
        return self._now

    def after(self, owner: Ticker, delay: int, call: Callable[[], object]) -> None:
        """Call `call` after `delay` ticks."""
        Alarm(self, owner, delay).callbacks.append(lambda _: call())  # type: ignore[arg-type]


class Account:
    """A clock with several dials, one of which runs: it splits all time, and books each switch.

    A pCPU has one dial per ledger account, a worker one per state.
    """

    __slots__ = ("current", "env", "since", "times")

    def __init__(self, env: Clock, dials: int, current: int) -> None:
        self.env = env
        self.times = [0] * dials
        self.current = current
        self.since = 0

    def enter(self, dial: int) -> None:
        """Book the time since the last switch, and let `dial` run."""
        now = self.env._now
        if now != self.since:
            self.book(self.current, now - self.since)
            self.since = now
        self.current = dial

    def book(self, dial: int, ticks: int) -> None:
        """Add `ticks` to a dial."""
        self.times[dial] += ticks

    def read(self) -> list[int]:
        """Return all dials as they stand now, the running one included."""
        times = self.times.copy()
        times[self.current] += self.env.now - self.since
        return times


def happen(event: simpy.Event) -> None:
    """Let an event happen that may have happened already."""
    if not event.triggered:
        event.succeed()
