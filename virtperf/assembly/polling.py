"""How a worker polls before it sleeps: by itself, or a vCPU by its host or its guest."""

from collections.abc import Mapping
from typing import Literal

from virtperf import tables
from virtperf.assembly.book import Book
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.tables import NONE, Poll
from virtperf.units import MAX_TICKS, ticks

PollKind = Literal["event-loop", "halt", "guest", "busy", "endless"]

FOR_EVER = MAX_TICKS // 2  # longer than any run: where a window is compared, it is never over

KINDS: Mapping[str, tables.PollKind] = {
    kind.name.lower().replace("_", "-"): kind for kind in tables.PollKind
} | {"busy": tables.PollKind.GUEST}
"""A guest polls busily for a process that reads, or idly before it halts."""
ACCOUNTS: Mapping[str, str] = {
    "event-loop": "polling",
    "halt": "halt polling",
    "guest": "guest idle polling",
    "busy": "busy polling",
    "endless": "polling",
}
COUNTERS: Mapping[str, str] = {"halt": "halt_polls", "guest": "guest_polls", "busy": "busy_polls"}


def poll_row(
    book: Book, owner: str, kind: str, most_ns: float, *, start_ns: float, grow: int, shrink: int
) -> Poll:
    """Return the row of how worker `owner` polls, for at most `most_ns`.

    Raises
    ------
    ParameterError
        If a time or the divisor `shrink` is negative, or the factor `grow` below 1 or so large
        that a window would outgrow any clock.
    UnknownNameError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of polling", kind, KINDS)
    for field, value, least in (
        ("poll_ns", most_ns, 0),
        ("poll_start_ns", start_ns, 0),
        ("poll_grow", grow, 1),
        ("poll_shrink", shrink, 0),
    ):
        if value < least:
            raise ParameterError(owner, field, f"at least {least}", value)
    if ticks(most_ns) * grow > MAX_TICKS:
        raise ParameterError(owner, "poll_grow", "such that windows stay below 106 days", grow)
    if kind == "endless":
        if most_ns or start_ns:
            raise ParameterError(owner, "poll_ns", "0, for an endless poll has no window", most_ns)
        return Poll(KINDS[kind], FOR_EVER)
    hits = misses = NONE
    if kind in COUNTERS and most_ns:
        hits = book.counters.number(f"{COUNTERS[kind]}.hit")
        misses = book.counters.number(f"{COUNTERS[kind]}.miss")
    return Poll(KINDS[kind], ticks(most_ns), ticks(start_ns), grow, shrink, hits, misses)
