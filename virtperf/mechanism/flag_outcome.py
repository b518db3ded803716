"""What a program did to its interrupt flag under a monitor, as records. Decides nothing."""

from dataclasses import dataclass
from typing import NamedTuple


class Event(NamedTuple):
    """What happened, after `time` instructions."""

    time: int
    what: str


class Delivery(NamedTuple):
    """An interrupt, counted from 0 in order of arrival, and when the guest got it."""

    interrupt: int
    time: int


class FlagsAt(NamedTuple):
    """The guest's interrupt flag from `time` on, as it believes it and as the monitor has it."""

    time: int
    believed: bool
    monitor: bool


class Violation(NamedTuple):
    """An interrupt that the guest got, or did not get, against what it believes.

    `kind` is ``"delivered-while-masked"`` or ``"pending-while-enabled"``; `cause` is the
    instruction that set the two flags apart, with its place in the program, from 0.
    """

    kind: str
    interrupt: int
    time: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a program did under a monitor.

    Attributes
    ----------
    events, deliveries, violations : tuple
        All that happened, what interrupts the guest got, and which of that it believes impossible.
    arrivals : tuple of int
        When interrupts arrived, the earliest first.
    flags : tuple of FlagsAt
        At the start, after each change, and at the end, which is the length of the program.
    traps : int
        Instructions that gave control to the monitor; exits for interrupts are not counted.
    lost_updates : int
        POPFs whose change of the flag the monitor did not see.
    leaks : int
        PUSHFs that stored the real flag.
    pending : tuple of int
        Interrupts that were not delivered by the end.
    """

    monitor: str
    events: tuple[Event, ...]
    deliveries: tuple[Delivery, ...]
    violations: tuple[Violation, ...]
    arrivals: tuple[int, ...]
    flags: tuple[FlagsAt, ...]
    traps: int
    lost_updates: int
    leaks: int
    pending: tuple[int, ...]
