"""How much still fits: the largest level of a factor at which a scenario meets a criterion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.experiment.criterion import Criterion
from virtperf.experiment.looks import UNSTEADY, Looks, kept, question
from virtperf.stats import sizing

if TYPE_CHECKING:
    from virtperf.experiment.executors import Submits
    from virtperf.experiment.status import Tell
    from virtperf.result import Result
    from virtperf.scenario import Scenario
    from virtperf.stats import Sizing

HIGH = 64  # where the search ends unless told otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of something fits.

    Attributes
    ----------
    vary : str
        Address of what grows.
    criterion : Criterion
    found : virtperf.stats.Sizing
        The answer; its responses are in the unit of the metric, of "at least" criteria negative.
    unsteady : mapping of level to str
        Why there is no steady state at levels looked at, which meets no criterion.
    result : Result
        Of all levels looked at.
    """

    vary: str
    criterion: Criterion
    found: Sizing
    unsteady: Mapping[float, str]
    result: Result


def size(
    scenario: Scenario,
    vary: str = "vm.count",
    until: str | Criterion = "latency.p99 <= 1 ms",
    *,
    low: float = 1,
    high: float = HIGH,
    store: str | Path | None = None,
    confidence: float = 0.95,
    executor: Submits | None = None,
    tell: Tell | None = None,
    **fields: Any,
) -> Size:
    """Find the largest level of a factor at which a criterion holds, with its interval.

    Levels are doubled from `low` until the criterion is surely broken, then bisected; all meet the
    same draws. A level without a steady state meets no criterion.

    Parameters
    ----------
    scenario : Scenario
    vary : str
        Address of what grows, for example ``"vm.count"``.
    until : str or Criterion
        What shall hold: ``"p99 <= 2 ms"``, ``"throughput >= 100k/s"``, ``"kicks_per_request < 1"``.
    low, high : int or float
        Range of the levels; if both are whole numbers, so is every level.
    store : path, optional
        Folder of a store: levels that are in it are not run again.
    confidence : float
        Coverage of the interval at a level, in (0, 1).
    executor, tell
        As in `Experiment.run`.
    **fields
        Of `Experiment`: ``seed``, ``requests``, ``replications``, ``engine``, ...

    Returns
    -------
    Size

    Raises
    ------
    ParameterError, ScenarioError
        If the criterion or a level is impossible.
    SimulationError
        If the metric cannot be told, such as a quantile of too few requests.

    Examples
    --------
    >>> from virtperf import Scenario
    >>> toy = Scenario.load("toy")
    >>> few = {"requests": 400, "replications": 2}
    >>> fits = size(toy, "vm.load.outstanding", "mean <= 80 us", high=8, **few)
    >>> fits.found.verdict, fits.found.level, fits.found.broken
    ('found', 6, 7)
    """
    asked = until if isinstance(until, Criterion) else Criterion.read(until)
    experiment = question(scenario, "size", asked.metric, **fields)
    with kept(store) as folder:
        looks = Looks(experiment, folder, executor=executor, tell=tell)

        def response(level: float) -> list[float] | None:
            (seen,) = looks.at([{vary: level}], asked.metric)
            return None if seen is None else [asked.sign * value for value in seen.values()]

        found = sizing(response, asked.most, low, high, confidence=confidence)
        result = looks.result()
    return Size(
        vary=vary,
        criterion=asked,
        found=found,
        unsteady=_unsteady(result, vary),
        result=result,
    )


def _unsteady(result: Result, vary: str) -> dict[float, str]:
    flags = result.flags[result.flags["flag"].isin(UNSTEADY)].drop_duplicates("point")
    levels = dict(zip(result.points["point"], result.points[vary], strict=True))
    return {levels[p]: says for p, says in zip(flags["point"], flags["says"], strict=True)}
