"""Writes a timeline as a Chrome trace, which Perfetto (ui.perfetto.dev) and chrome://tracing show.

The format is the JSON object form of the Trace Event Format: complete events (``X``) on a thread
per track, flow events (``s``, ``f``) for arrows. Instants are microseconds, exact to the tick.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from virtperf.errors import OutputError
from virtperf.tables import NONE, Arrow, Span, Timeline
from virtperf.units import TICKS_PER_NS

PCPUS, WORKERS = 1, 2  # processes of the trace
_TICKS_PER_US = 1000 * TICKS_PER_NS


def trace(timeline: Timeline) -> dict[str, Any]:
    """Return the trace as nested dicts and lists, ready for JSON.

    Parameters
    ----------
    timeline : Timeline

    Returns
    -------
    dict
        With ``traceEvents``; an event's ``args`` name the worker on a pCPU.
    """
    events = [*_names(timeline)]
    for index, spans in enumerate(timeline.pcpus):
        events += [_event(PCPUS, index, span, timeline) for span in spans if span.worker != NONE]
    for index, spans in enumerate(timeline.states):
        events += [_event(WORKERS, index, span, timeline) for span in spans]
    for number, arrow in enumerate(timeline.arrows):
        events += _flow(number, arrow)
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"name": timeline.name}}


def write(timeline: Timeline, path: Path) -> None:
    """Write the trace of a timeline as JSON.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(trace(timeline)), encoding="utf-8")
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from None


def _names(timeline: Timeline) -> Iterator[dict[str, Any]]:
    tracks = {
        PCPUS: ("pCPUs", [f"pCPU {index}" for index in range(len(timeline.pcpus))]),
        WORKERS: ("workers", timeline.workers),
    }
    for process, (name, threads) in tracks.items():
        yield {"ph": "M", "pid": process, "name": "process_name", "args": {"name": name}}
        for index, thread in enumerate(threads):
            about = {"ph": "M", "pid": process, "tid": index}
            yield about | {"name": "thread_name", "args": {"name": thread}}
            yield about | {"name": "thread_sort_index", "args": {"sort_index": index}}


def _event(process: int, track: int, span: Span, timeline: Timeline) -> dict[str, Any]:
    event = {
        "ph": "X",
        "pid": process,
        "tid": track,
        "name": span.name,
        "ts": span.start / _TICKS_PER_US,
        "dur": (span.end - span.start) / _TICKS_PER_US,
    }
    if span.worker != NONE:
        event["args"] = {"worker": timeline.workers[span.worker]}
    return event


def _flow(number: int, arrow: Arrow) -> Iterator[dict[str, Any]]:
    """Yield both ends of an arrow; one that a device sent begins at its consumer, who waits."""
    sender = arrow.consumer if arrow.sender == NONE else arrow.sender
    both = {"pid": WORKERS, "id": number, "cat": "doorbell", "name": arrow.name}
    yield both | {"ph": "s", "tid": sender, "ts": arrow.start / _TICKS_PER_US}
    yield both | {"ph": "f", "bp": "e", "tid": arrow.consumer, "ts": arrow.end / _TICKS_PER_US}
