"""The recording of a run, as spans and arrows; nothing of it is done unless it is asked for."""

from typing import Any

from virtperf.fast.compiling import compiled
from virtperf.fast.layout import NONE, arrows, spans
from virtperf.fast.status import FULL, fail


@compiled
def _remember(s: Any, track: Any, dial: int, worker: int) -> None:
    """Remember what ran until now on a track: longer, or one span more while there is room."""
    now = s.now
    if track.tape != NONE:
        last = spans(s)[track.tape]
        if last.dial == dial and last.worker == worker:
            last.end = now
            return
    if s.spans_left:
        s.spans_left -= 1
    elif s.tape_end == NONE:
        s.tape_end = track.taped
    if s.tape_end != NONE:
        return
    span = spans(s)[s.spans_used]
    span.dial, span.start, span.end, span.worker = dial, track.taped, now, worker
    span.before, track.tape = track.tape, s.spans_used
    s.spans_used += 1


@compiled
def tape_worker(s: Any, w: Any) -> None:
    """Note that a worker's state may change now."""
    if s.now != w.taped:
        _remember(s, w, w.state, NONE)
    w.taped = s.now


@compiled
def tape_pcpu(s: Any, p: Any) -> None:
    """Note that a pCPU's account, or who is on it, may change now."""
    if s.now != p.taped:
        _remember(s, p, p.account, p.holder)
    p.taped = s.now
    p.holder = p.worker if p.intruder == NONE else p.intruder


@compiled
def tape_ring(s: Any, r: Any, bell: int) -> None:
    """Note that a doorbell is rung with a request, by whoever runs now, or by a device."""
    if s.tape_end == NONE:
        r.rung_bell, r.rung_sender, r.rung_at = bell, s.active, s.now


@compiled
def tape_take(s: Any, r: Any, worker: int) -> None:
    """Note that a request that was rung for is taken up."""
    if r.rung_bell == NONE or s.tape_end != NONE:
        return
    if s.arrows_used == s.arrows_rows:
        fail(s, FULL, 6)
        return
    arrow = arrows(s)[s.arrows_used]
    arrow.bell, arrow.sender, arrow.consumer = r.rung_bell, r.rung_sender, worker
    arrow.start, arrow.end = r.rung_at, s.now
    s.arrows_used += 1
    r.rung_bell = NONE
