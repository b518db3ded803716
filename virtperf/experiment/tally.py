"""What has been run of one point, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from virtperf.experiment.observe import Cut
from virtperf.experiment.reduce import Reduced
from virtperf.experiment.stopping import STEP, Verdict, verdict
from virtperf.experiment.tasks import Which
from virtperf.tables import Run

PRECISE = "precision met"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How often points are run.

    Attributes
    ----------
    replications : int
        At least so many.
    most : int
        At most so many.
    most_requests : int, optional
        No more replications once those of a point have finished so many requests.
    outputs : mapping of str to float
        Metrics, and to which share of their mean their half-width shall shrink.
    """

    replications: int
    most: int
    most_requests: int | None
    outputs: Mapping[str, float]


@dataclass(slots=True, kw_only=True)
class Tally:
    """The state of one point.

    Attributes
    ----------
    key : str
    corners : tuple of str
        Ends of parameter ranges to be run once each.
    pilot : int
        Replications that the cut comes from.
    requests : int
        Of each run.
    effort : Effort
    cut : Cut, optional
    over : str
        Why no more runs are made at all; "" while they are.
    done, lost : set of (int, str)
        Runs that are reduced, and runs that failed.
    values : dict
        Of each output, by replication.
    runs : dict
        Runs that wait for the cut.
    """

    key: str
    corners: tuple[str, ...]
    pilot: int
    requests: int
    effort: Effort
    cut: Cut | None = None
    over: str = ""
    done: set[Which] = field(default_factory=set)
    lost: set[Which] = field(default_factory=set)
    values: dict[str, dict[int, float | None]] = field(default_factory=dict)
    runs: dict[Which, Run] = field(default_factory=dict)

    def take(self, found: Reduced) -> None:
        """Note what was reduced."""
        self.cut = found.cut
        self.over = found.overload
        for run in found.seen:
            self.done.add((run.replication, run.corner))
            for metric, value, _ in () if run.corner else run.metrics:
                if metric in self.effort.outputs:
                    self.values.setdefault(metric, {})[run.replication] = value

    @property
    def target(self) -> int:
        """Replications to be made, as far as it can be told by now: a rule on values alone."""
        target, effort = self.effort.replications, self.effort
        while self._complete(target) and target < effort.most:
            said = self.verdict(target)
            if said.met or said.hopeless or self._spent(target):
                break
            target = min(target + STEP, effort.most)
        return target

    def _complete(self, target: int) -> bool:
        return all((r, "") in self.done or (r, "") in self.lost for r in range(target))

    def _spent(self, target: int) -> bool:
        most = self.effort.most_requests
        return most is not None and (target + 1) * self.requests > most

    def verdict(self, target: int) -> Verdict:
        """Judge the first `target` replications."""
        seen = {
            output: [values[r] for r in sorted(values) if r < target]
            for output, values in self.values.items()
        }
        return verdict(seen, self.effort.outputs)

    def because(self) -> str:
        """Return why there are no more replications, in words."""
        said = self.verdict(self.target)
        if said.met:
            return PRECISE
        if said.hopeless:
            return said.because
        spent = "requests" if self._spent(self.target) else "replications"
        return f"budget of {spent} spent: {said.because}"

    def missing(self) -> list[Which]:
        """Return the runs still to be made, those that the cut comes from first."""
        if self.over:
            return []
        wanted: Sequence[Which] = [
            *((r, "") for r in range(self.pilot)),
            *((0, corner) for corner in self.corners),
            *((r, "") for r in range(self.pilot, self.target)),
        ]
        have = self.done | self.lost | self.runs.keys()
        return [which for which in wanted if which not in have]

    @property
    def piloted(self) -> bool:
        """Whether all runs that the cut comes from were made, or failed."""
        have = self.done | self.lost | self.runs.keys()
        return all((r, "") in have for r in range(self.pilot))
