"""A worker's process, as compiled code can have one: frames that say where it goes on.

A fibre is a pile of frames; each stands for a call of a function that may have to wait in its
middle, and keeps the place `at` which it goes on and what it must not forget. A worker has one
fibre of its own and one for each guest task that the guest may put aside; what runs is the frame on
`top` of one of them. The frame at the bottom is none, and says that all calls have ended.
"""

from typing import Any

from virtperf.fast.compiling import inlined
from virtperf.fast.layout import DEPTH, fibres, frames
from virtperf.fast.status import FULL, fail

# What a frame is a call of.
(
    BOTTOM,
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
    KICK,
) = range(18)
GOES_ON, WAITS = 0, 1  # what such a function returns: the fibre goes on, or must wait


@inlined
def call(s: Any, w: Any, code: int) -> Any:
    """Begin a call on top of the fibre of `w` that runs; return its frame."""
    top = w.top + 1
    if top == w.top_end:
        fail(s, FULL, 7)
        top -= 1
    w.top = top
    f = frames(s)[top]
    f.code, f.at = code, 0
    return f


@inlined
def end(s: Any, w: Any) -> int:
    """End the call on top."""
    w.top -= 1
    return GOES_ON


@inlined
def switch(s: Any, w: Any, fibre: int) -> None:
    """Let another fibre of `w` be the one that runs."""
    fibres(s)[w.fibre].top = w.top
    w.fibre, w.top, w.top_end = fibre, fibres(s)[fibre].top, (fibre + 1) * DEPTH
