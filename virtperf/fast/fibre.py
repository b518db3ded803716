"""A worker's process, as compiled code can have one: frames that say where it goes on.

A fibre is a pile of frames; each stands for a call of a function that may have to wait in its
middle, and keeps the place `at` which it goes on and what it must not forget. A worker has one
fibre of its own and one for each guest task that the guest may put aside.
"""

from typing import Any

from virtperf.fast.compiling import inlined
from virtperf.fast.layout import DEPTH, fibres, frames
from virtperf.fast.status import FULL, fail

# What a frame is a call of.
(
    LIVE,
    RUN,
    POLL,
    TURN,
    SPEND,
    PAY,
    REGAIN,
    NEST,
    ASIDE,
    CHANGE,
    SEND,
    JOIN,
    HOLD,
    LOCK,
    STAY,
    HAND_OVER,
) = range(1, 17)
GOES_ON, WAITS = 0, 1  # what such a function returns: the fibre goes on, or must wait


@inlined
def call(s: Any, w: Any, code: int) -> Any:
    """Begin a call on top of the fibre of `w` that runs; return its frame."""
    fibre = fibres(s)[w.fibre]
    depth = fibre.depth
    if depth == DEPTH:
        fail(s, FULL, 7)
        depth -= 1
    fibre.depth = depth + 1
    f = frames(s)[w.fibre * DEPTH + depth]
    f.code, f.at = code, 0
    return f


@inlined
def end(s: Any, w: Any) -> int:
    """End the call on top; a task whose turn is over lets the worker's own fibre go on."""
    fibre = fibres(s)[w.fibre]
    fibre.depth -= 1
    if fibre.depth == 0:
        w.fibre = w.index
    return GOES_ON
