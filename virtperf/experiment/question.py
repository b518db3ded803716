"""What was asked of a sweep, as far as its result needs it: from a plan, or from a stored one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtperf.experiment.prepare import Entry, Plan, entry, header
from virtperf.experiment.tally import Effort, Tally

_KEPT = ("model", "platform", "factors", "engine", "seed", "replications", "scenario")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A plan without what can run it.

    Attributes
    ----------
    name : str
        Of the experiment.
    effort : Effort
    pilot, requests : int
        See `Tally`.
    entries : tuple of Entry
        The points, in the order of the design.
    memory, sources : list of dict
        Rows of those tables of the result.
    note : str
        Why it is not the fast engine, where nobody chose.
    about : mapping
        Provenance of the result.
    """

    name: str
    effort: Effort
    pilot: int
    requests: int
    entries: tuple[Entry, ...]
    memory: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    note: str
    about: Mapping[str, Any]

    def tallies(self) -> dict[str, Tally]:
        """Return the state of every point before anything is run."""
        return {
            one.key: Tally(
                key=one.key,
                corners=one.corners,
                pilot=self.pilot,
                requests=self.requests,
                effort=self.effort,
            )
            for one in self.entries
        }


def asked(plan: Plan) -> Question:
    """Return what a plan asks."""
    experiment = plan.experiment
    return Question(
        name=experiment.name,
        effort=experiment.effort,
        pilot=experiment.pilot,
        requests=experiment.requests or 0,
        entries=plan.entries,
        memory=plan.memory,
        sources=plan.sources,
        note=plan.note,
        about=_about(header(plan)),
    )


def stored(table: Mapping[str, Any]) -> Question:
    """Return what a stored plan asked; nothing is built, and no other file is read."""
    return Question(
        name=table["name"],
        effort=Effort(
            replications=table["replications"],
            most=table["most_replications"],
            most_requests=table["most_requests"],
            outputs=table["outputs"],
        ),
        pilot=table["pilot"],
        requests=table["requests"],
        entries=tuple(entry(row) for row in table["points"]),
        memory=table["memory"],
        sources=table["sources"],
        note=table["note"],
        about=_about(table),
    )


def _about(table: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": table["virtperf"], **{key: table[key] for key in _KEPT}}
