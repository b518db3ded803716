"""Points of one experiment, looked at one after the other: the next depends on what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from virtperf.design import label
from virtperf.errors import ParameterError, SimulationError, UnknownNameError
from virtperf.experiment.declare import OUTPUTS, Experiment

if TYPE_CHECKING:
    from virtperf.design import Design, Point
    from virtperf.experiment.executors import Submits
    from virtperf.experiment.status import Tell
    from virtperf.result import Result
    from virtperf.scenario import Scenario

UNSTEADY = ("saturated", "no_steady_state")  # flags of points whose metrics are not to be used
QUANTILE, OTHER = OUTPUTS["latency.p99"], OUTPUTS["latency.mean"]  # half-widths asked for


def question(scenario: Scenario, kind: str, metric: str, **fields: Any) -> Experiment:
    """Return an experiment that is to be precise about one metric, whose points are still open."""
    quantile = metric.partition(".")[2][:1] == "p"
    outputs = {metric: QUANTILE if quantile else OTHER}
    about: dict[str, Any] = {"name": f"{scenario.name}-{kind}", "outputs": outputs}
    made = Experiment(scenario=scenario, **about | fields)
    if (made.replications or 0) < 2:
        raise ParameterError(kind, "replications", "at least 2: one shows no spread", 1)
    return made


@contextmanager
def kept(store: str | Path | None) -> Iterator[Path]:
    """Provide the folder of a store; without one, a folder that goes away."""
    if store is not None:
        yield Path(store)
        return
    with TemporaryDirectory(prefix="virtperf-") as folder:
        yield Path(folder)


class Looks:
    """What was seen at points of an experiment; no point is looked at twice.

    Parameters
    ----------
    experiment : Experiment
        Its design is not used.
    store : Path
        What is in it is not run again.
    executor, tell : optional
        As in `Experiment.run`.
    """

    def __init__(
        self,
        experiment: Experiment,
        store: Path,
        *,
        executor: Submits | None = None,
        tell: Tell | None = None,
    ) -> None:
        self.experiment, self.store = experiment, store
        self.executor, self.tell = executor, tell
        self.points: dict[str, Point] = {}
        self.values: dict[tuple[str, str], Mapping[int, float] | None] = {}

    def at(self, design: Sequence[Point], metric: str) -> Sequence[Mapping[int, float] | None]:
        """Return a metric by replication at some points; None where there is no steady state.

        Raises
        ------
        UnknownNameError
            If there is no such metric.
        SimulationError
            If it has no value in two replications at least.
        """
        names = [label(levels) for levels in design]
        new = [
            p for p, name in zip(design, names, strict=True) if (name, metric) not in self.values
        ]
        if new:
            result = self.run(new)
            self.values |= {(p, metric): observed(result, metric, p) for p in result.labels}
        return [self.values[name, metric] for name in names]

    def result(self) -> Result:
        """Return one result of all points looked at; they are stored, so nothing is run."""
        return self._run(list(self.points.values()))

    def run(self, design: Sequence[Point]) -> Result:
        """Look at many points at once, each of them once."""
        new = {label(levels): levels for levels in design}
        self.points |= new
        return self._run(list(new.values()))

    def _run(self, design: Design) -> Result:
        experiment = self.experiment.with_(design=design)
        result = experiment.run(self.store, executor=self.executor, tell=self.tell)
        if result.interrupted:
            raise KeyboardInterrupt
        return result


def observed(result: Result, metric: str, point: str) -> Mapping[int, float] | None:
    """Return a metric of a point by replication; see `Looks.at`."""
    flags = result.flags[result.flags["point"] == point]
    if flags["flag"].isin(UNSTEADY).any():
        return None
    rows = result.data[result.data["point"] == point]
    if metric not in set(rows["metric"]):
        raise UnknownNameError("metric", metric, rows["metric"].unique())
    rows = rows[rows["metric"] == metric].dropna(subset="value")
    if len(rows) < 2:
        why = result.nulls[(result.nulls["point"] == point) & (result.nulls["metric"] == metric)]
        says = next(iter(why["reason"]), "fewer than two replications")
        raise SimulationError(f"{point}: {metric} cannot be told: {says}")
    return dict(zip(rows["replication"].astype(int), rows["value"].astype(float), strict=True))
