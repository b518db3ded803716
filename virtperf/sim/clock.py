"""SimPy's environment in integer ticks, whose ties depend on owners, not on the order of calls."""

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import Any

import simpy
from simpy.events import NORMAL, PENDING

VOID: Any = ()  # what an alarm calls that is set no more
_COUNT_BITS, _OWNER_BITS, _KIND_BITS = 40, 24, 4


FOREVER = 1 << 62


def _nothing() -> None:
    """Do nothing."""


class Owner(IntEnum):
    """Kinds of owners of timed events, in the order in which ties are broken."""

    SOURCE = 0
    STATION = 1
    BELL = 2
    LOCK = 3
    WORKER = 4
    TIMER = 5
    TICK = 8  # class 2, from here on: a scheduler looks after all else of the same instant
    SLICE = 9
    TASK = 10


class Ticker:
    """Who sets alarms: a kind, an index in its table, and a count of its own alarms.

    SimPy orders events of one instant by priority, then by creation. The priority of an alarm is
    made of these three numbers, so creation order decides nothing.
    """

    __slots__ = ("key",)

    def __init__(self, kind: Owner, index: int) -> None:
        self.key = (((1 << _KIND_BITS) | kind) << _OWNER_BITS | index) << _COUNT_BITS


class Alarm(simpy.Event):
    """An event that happens after `delay` ticks, with the priority its owner gives it.

    It is built and scheduled as SimPy does it with a timeout: at once, in one place.
    """

    _ok = True
    _value = None

    def __init__(
        self, env: "Clock", owner: Ticker, delay: int, *calls: Callable[[simpy.Event], None]
    ) -> None:
        self.env = env
        self.callbacks = [*calls]
        env.alarms += 1
        owner.key += 1
        heappush(env.agenda, (env.now + delay, owner.key, self))


class Clock(simpy.Environment):
    """The engine's clock. `now` is an integer number of ticks; `alarms` counts timed events.

    What an event causes without time passing (``succeed()``) waits in a queue of its own: it
    happens first in, first out, before the next alarm of the instant.
    """

    __slots__ = ("_now",)
    _now: int
    now: int  # the same slot: SimPy's property of that name is a call, and it is read very often

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.alarms = 0
        self.agenda: list[tuple[int, int, simpy.Event]] = []
        self.consequences: deque[simpy.Event] = deque()
        self._void = 0
        self.afterwards: Callable[[], None] | None = None  # to do once before the next alarm
        self.mark, self.marked = FOREVER, _nothing  # alarms after which something is called

    def schedule(self, event: simpy.Event, priority: int = NORMAL, delay: float = 0) -> None:
        """Let `event` happen in this instant: an `Alarm` alone knows another."""
        assert not delay, "a delay is an alarm's, which has an owner"
        self.consequences.append(event)

    def run(self, until: simpy.Event) -> bool:  # type: ignore[override]
        """Let all happen up to the event `until`; False if nothing is left to happen before."""
        agenda, consequences = self.agenda, self.consequences
        while until.callbacks is not None:
            if consequences:
                event = consequences.popleft()
            elif self.afterwards is not None:
                call, self.afterwards = self.afterwards, None
                call()
                continue
            elif agenda:
                while self.alarms >= self.mark:
                    self.marked()
                self._now, _, event = heappop(agenda)
            else:
                return False
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            if not event._ok:
                raise event._value
        return True

    def void(self, alarm: simpy.Event) -> None:
        """Let nothing come of an alarm; when most are void, they leave the agenda."""
        alarm.callbacks = VOID
        self._void += 1
        if self._void > 64 and 2 * self._void > len(self.agenda):
            self.agenda[:] = [entry for entry in self.agenda if entry[2].callbacks is not VOID]
            heapify(self.agenda)
            self._void = 0

    def soon(self, call: Callable[[], None]) -> None:
        """Call `call` in this instant, after what has been caused before."""
        event = simpy.Event(self)
        event.callbacks.append(lambda _: call())
        event.succeed()

    def after(self, owner: Ticker, delay: int, call: Callable[[], None]) -> None:
        """Call `call` after `delay` ticks."""
        Alarm(self, owner, delay, lambda _: call())


Clock.now = Clock._now


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
        now = self.env.now
        self.times[self.current] += now - self.since
        self.since = now
        self.current = dial

    def move(self, ticks: int, dial: int, to: int) -> None:
        """Book `ticks` of what one dial has to another one instead."""
        self.enter(self.current)
        self.times[dial] -= ticks
        self.times[to] += ticks

    def read(self) -> list[int]:
        """Return all dials as they stand now, the running one included."""
        times = self.times.copy()
        times[self.current] += self.env.now - self.since
        return times


def happen(event: Any) -> None:
    """Let an event happen that may have happened already."""
    if event._value is PENDING:  # else as ``succeed`` does it, without its detours
        event._ok, event._value = True, None
        event.env.consequences.append(event)
