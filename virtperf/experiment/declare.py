"""An experiment as data: what stays, what varies, how precise it shall be, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError, VirtperfError
from virtperf.experiment.keys import PILOT
from virtperf.experiment.tally import Effort

if TYPE_CHECKING:
    from virtperf.design import Design
    from virtperf.experiment.executors import Submits
    from virtperf.experiment.prepare import Plan
    from virtperf.experiment.status import Tell
    from virtperf.result import Result
    from virtperf.scenario import Scenario

OUTPUTS = {"latency.mean": 0.02, "latency.p99": 0.05}
REQUESTS = 40_000
"""Requests per run. At most half go as warm-up, and a p99 needs 10,000. Long latencies come in
crowds: of ten replications the bias of a p99 is a third of its half-width when a run meets nine of
them, for which M/M/1 at load 0.8 takes some 35,000 requests; see docs/coverage.md.
"""
MOST = 40  # replications


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A question put to a model.

    Parameters
    ----------
    scenario : Scenario
        What stays the same.
    design : list of dict
        What varies: one dict of address to level per point; see `virtperf.design`.
    name : str
        Of its folder in a store; by default the scenario's.
    title : str
        One line for the reader.
    outputs : mapping of str to float
        Metrics to be precise about, and the relative half-width asked of each; by default 2 % of
        the mean latency and 5 % of its p99. Replications are added until all are met.
    replications, most_replications : int, optional
        At least and at most so many independent runs per point; the scenario's own, and 40.
    most_requests : int, optional
        No more replications once those of a point have finished so many requests.
    requests : int, optional
        Finished requests per run; the scenario's own, else 40,000.
    seed : int, optional
        Root of all randomness. A replication draws the same numbers at every point.
    engine : str, optional
        ``"fast"`` or ``"sim"``.
    band : bool
        Whether to run the ends of the parameter ranges too, once each.

    Raises
    ------
    ParameterError
        If a field is impossible.

    Examples
    --------
    >>> from virtperf import Experiment, Scenario
    >>> from virtperf.design import grid
    >>> Experiment(scenario=Scenario.load("toy"), design=grid({"vm.count": [1, 2]})).name
    'toy'
    """

    scenario: Scenario
    design: Design = field(default_factory=lambda: [{}])
    name: str = ""
    title: str = ""
    outputs: Mapping[str, float] = field(default_factory=lambda: dict(OUTPUTS))
    replications: int | None = None
    most_replications: int | None = None
    most_requests: int | None = None
    requests: int | None = None
    seed: int | None = None
    engine: str | None = None
    band: bool = False

    def __post_init__(self) -> None:
        run = self.scenario.run
        for name, value in {
            "name": self.name or self.scenario.name,
            "replications": run.replications if self.replications is None else self.replications,
            "requests": self.requests or run.requests or REQUESTS,
            "seed": run.seed if self.seed is None else self.seed,
            "engine": self.engine or run.engine,
        }.items():
            object.__setattr__(self, name, value)
        if self.most_replications is None:
            object.__setattr__(self, "most_replications", max(MOST, self.replications or 0))
        for problem in self._problems():
            raise problem

    def _problems(self) -> Any:
        from virtperf.experiment.engines import known

        known(self.engine)
        counts = {"replications": 1, "requests": 1, "seed": 0}
        for name, least in counts.items():
            if getattr(self, name) < least:
                yield ParameterError("experiment", name, f"at least {least}", getattr(self, name))
        if (self.most_replications or 0) < (self.replications or 0):
            must = f"at least replications ({self.replications})"
            yield ParameterError("experiment", "most_replications", must, self.most_replications)
        if not self.design:
            yield ParameterError("experiment", "design", "at least one point", self.design)
        for output, share in self.outputs.items():
            if not 0 < share < 1:
                yield ParameterError("experiment", f"outputs.{output}", "in (0, 1)", share)
        if any(sign in self.name for sign in "/\\") or self.name.startswith("."):
            must = "usable as the name of a folder"
            yield ParameterError("experiment", "name", must, self.name)

    @property
    def effort(self) -> Effort:
        """How often its points are run."""
        return Effort(
            replications=self.replications or 1,
            most=self.most_replications or 1,
            most_requests=self.most_requests,
            outputs=self.outputs,
        )

    @property
    def pilot(self) -> int:
        """Replications that the warm-up cut of a point comes from."""
        return min(PILOT, self.replications or 1)

    @classmethod
    def load(cls, path: str | Path) -> Experiment:
        """Read an experiment file; see `virtperf.experiment.file`."""
        from virtperf.experiment.file import read

        return read(Path(path))

    def plan(self, store: str | Path | None = None) -> Plan:
        """Return what a run would do: points, replications, time, and what is stored already.

        Parameters
        ----------
        store : path, optional
            Folder of a store; the experiment has a folder of its name in it.
        """
        from virtperf.experiment.prepare import plan

        return plan(self, None if store is None else Path(store) / self.name)

    def run(
        self,
        store: str | Path | None = None,
        *,
        executor: Submits | None = None,
        tell: Tell | None = None,
        retry_failed: bool = False,
        seconds: float | None = None,
    ) -> Result:
        """Make the runs that are missing, and return the result.

        Parameters
        ----------
        store : path, optional
            Folder of a store, in which the experiment has a folder of its name: what is there is
            not run again, and every finished run is kept there, whatever ends the call.
        executor : concurrent.futures.Executor, optional
            Anything with its `submit`; by default processes of this machine. It cannot change
            the result.
        tell : callable, optional
            Called with a `virtperf.experiment.status.Status` now and then.
        retry_failed : bool
            Whether to run points again that had failures.
        seconds : float, optional
            Begin no run after so much wall time. Points that lack some are flagged
            ``stopped_by_clock``; how far a run gets then is not reproducible.

        Returns
        -------
        Result
            What is complete; after Ctrl-C what is so far.
        """
        from tempfile import TemporaryDirectory

        from virtperf.experiment.sweep import sweep

        given = {"executor": executor, "tell": tell, "seconds": seconds}
        if store is not None:
            return sweep(self, Path(store) / self.name, retry_failed=retry_failed, **given)  # type: ignore[arg-type]
        with TemporaryDirectory(prefix="virtperf-") as folder:
            return sweep(self, Path(folder) / self.name, **given)  # type: ignore[arg-type]

    def with_(self, **changes: Any) -> Experiment:
        """Return a copy with other fields."""
        return replace(self, **changes)


def checked(experiment: Experiment) -> list[str]:
    """Return what is wrong with its points, all at once: no such address, an impossible level."""
    problems = []
    for levels in experiment.design:
        try:
            experiment.scenario.with_all(levels)
        except VirtperfError as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))
