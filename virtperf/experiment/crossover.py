"""Where one alternative stops beating another, as something grows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.design import Range, axis, ranged
from virtperf.errors import ParameterError
from virtperf.experiment.criterion import metric_of
from virtperf.experiment.looks import Looks, kept, question
from virtperf.stats import crossover as root_of
from virtperf.stats.search import RESOLUTION, bisect, plain

if TYPE_CHECKING:
    from virtperf.experiment.executors import Submits
    from virtperf.experiment.status import Tell
    from virtperf.result import Result
    from virtperf.scenario import Scenario
    from virtperf.stats import Crossover as Root

FIRST = 5  # levels of a range that are looked at before any is bisected
GAINS = ("throughput",)  # metrics of which more is better; of all others less is


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """Where two alternatives change places.

    Attributes
    ----------
    vary : str
        Address of what grows.
    between : str
        Address of the alternatives.
    one, other : object
        Their levels.
    metric : str
    found : virtperf.stats.Crossover
        The answer. A difference is by how much `one` is better, infinite where only one of them
        has a steady state.
    lost : int or float or None
        First level looked at from which neither has one, and which the answer says nothing of.
    result : Result
        Of all points looked at.
    """

    vary: str
    between: str
    one: Any
    other: Any
    metric: str
    found: Root
    lost: float | None
    result: Result

    def better(self, level: float) -> Any:
        """Return which alternative is better at a level looked at, as far as means tell."""
        return self.one if self.found.seen[level][0] >= 0 else self.other


def crossover(
    scenario: Scenario,
    vary: str,
    between: str,
    metric: str = "latency.mean",
    *,
    store: str | Path | None = None,
    confidence: float = 0.95,
    executor: Submits | None = None,
    tell: Tell | None = None,
    **fields: Any,
) -> Crossover:
    """Find the level at which one alternative stops beating the other, with an interval.

    Both meet the same draws, so it is their difference that is judged, replication by replication.
    Less of a metric is better, but of ``throughput`` more is. An alternative without a steady state
    loses to one that has it; where neither has one, there is nothing to compare.

    Parameters
    ----------
    scenario : Scenario
    vary : str
        What grows: levels that are looked at first, ``"vm.load.outstanding=1,8,64"``, or a range of
        which five are, ``"vm.load.outstanding=1..64 log"``. Where the sign of the difference
        changes between two of them, it is bisected.
    between : str
        The two alternatives, ``"vm.disk=virtio,sriov"``.
    metric : str
        What they are compared by.
    store : path, optional
        Folder of a store: points that are in it are not run again.
    confidence : float
        Coverage of the interval, in (0, 1).
    executor, tell
        As in `Experiment.run`.
    **fields
        Of `Experiment`: ``seed``, ``requests``, ``replications``, ``engine``, ...

    Returns
    -------
    Crossover

    Raises
    ------
    ParameterError, ScenarioError
        If levels are impossible.

    Examples
    --------
    >>> from virtperf import Scenario
    >>> toy = Scenario.load("toy")
    >>> found = crossover(
    ...     toy, "vm.load.outstanding=1,8", "vm.disk=native,virtio", requests=400, replications=2
    ... )
    >>> found.found.verdict, found.better(1)
    ('none', 'native')
    """
    address, levels = _levels(vary)
    rivals, pair = axis(between)
    if len(pair) != 2:
        must = "an address with two levels, such as vm.disk=virtio,vhost"
        raise ParameterError("crossover", "between", must, between)
    metric = metric_of(metric)
    experiment = question(scenario, "crossover", metric, **fields)
    sign = -1 if metric.partition(".")[0] in GAINS else 1
    with kept(store) as folder:
        looks = Looks(experiment, folder, executor=executor, tell=tell)

        def difference(level: float) -> list[float] | float | None:
            one, other = looks.at([{address: level, rivals: name} for name in pair], metric)
            if one is None or other is None:
                both = one is None and other is None
                return None if both else (-math.inf if one is None else math.inf)
            return [sign * (other[r] - one[r]) for r in one if r in other]

        looks.at([{address: level, rivals: name} for level in levels for name in pair], metric)
        told, lost = _comparable(difference, levels)
        found = root_of(difference, told, confidence)  # type: ignore[arg-type]
        result = looks.result()
    return Crossover(
        vary=address,
        between=rivals,
        one=pair[0],
        other=pair[1],
        metric=metric,
        found=found,
        lost=lost,
        result=result,
    )


def _levels(vary: str) -> tuple[str, list[float]]:
    """Return the address of what grows, and the levels that are looked at first."""
    address, within = ranged(vary)
    choices = within.choices or _spread(within)
    if within.relative or not all(isinstance(c, int | float) for c in choices):
        must = "given numbers as levels, such as 1..64 or 1,8,64"
        raise ParameterError("crossover", address, must, vary)
    return address, sorted(plain(choices))


def _spread(within: Range) -> Sequence[float]:
    count = FIRST
    if within.integer:
        count = min(FIRST, int(within.high - within.low) + 1)
    return within.spaced(count)


def _comparable(
    difference: Callable[[float], Any], levels: Sequence[float]
) -> tuple[list[float], float | None]:
    """Return levels up to the last at which either alternative has a steady state; the next one."""
    first = next((at for at, level in enumerate(levels) if difference(level) is None), None)
    if first is None:
        return list(levels), None
    if first == 0:
        must = f"levels from one on at which there is a steady state, not at {levels[0]} without"
        raise ParameterError("crossover", "vary", must, list(levels))
    step = RESOLUTION * (levels[-1] - levels[0])
    last, lost = bisect(
        lambda level: difference(level) is not None, levels[first - 1], levels[first], step
    )
    told = sorted({*levels[:first], last})
    if len(told) < 2:
        must = f"levels of which two can be compared; from {lost} on neither has a steady state"
        raise ParameterError("crossover", "vary", must, list(levels))
    return told, lost
