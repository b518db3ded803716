"""The recording of a run, from the tables in which compiled code left it."""

from collections.abc import Sequence
from typing import Any

from virtperf.fast.machine import Machine
from virtperf.tables import NONE, Arrow, Span, Timeline, WorkerState

STATES = [state.name.lower() for state in WorkerState]


def read(machine: Machine) -> Timeline:
    """Return what was recorded in a run that is over."""
    system, tables = machine.system, machine.tables
    end = machine.get("now") if machine.get("tape_end") == NONE else machine.get("tape_end")
    pcpus = [
        _track(machine, row, int(row["account"]), int(row["holder"]), system.accounts, end)
        for row in tables["pcpus"]
    ]
    states = [
        _track(machine, row, int(row["state"]), NONE, STATES, end) for row in tables["workers"]
    ]
    arrows = tables["arrows"][: machine.get("arrows_used")]
    return Timeline(
        name=system.name,
        workers=tuple(row.name for row in system.workers),
        pcpus=tuple(pcpus),
        states=tuple(states),
        arrows=tuple(
            Arrow(
                name=system.bells[bell].name, sender=sender, consumer=consumer, start=start, end=to
            )
            for bell, sender, consumer, start, to in arrows.tolist()
        ),
        time=end,
    )


def _track(
    machine: Machine, row: Any, dial: int, worker: int, names: Sequence[str], end: int
) -> tuple[Span, ...]:
    """Return all spans of a track up to `end`, the running one included."""
    spans = machine.tables["spans"]
    found = [(dial, int(row["taped"]), end, worker)]
    at = int(row["tape"])
    while at != NONE:
        dial, start, stop, worker, at = spans[at].tolist()
        found.append((dial, start, stop, worker))
    return tuple(
        Span(name=names[dial], start=start, end=min(stop, end), worker=worker)
        for dial, start, stop, worker in reversed(found)
        if start < min(stop, end)
    )
