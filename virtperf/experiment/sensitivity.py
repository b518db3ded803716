"""Which numbers decide an output: ranges, and what the output does when numbers move in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from virtperf.design import Range, ranged, ranges
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.experiment.criterion import metric_of
from virtperf.experiment.looks import Looks, kept, question
from virtperf.experiment.one_at_a_time import Move, one_at_a_time
from virtperf.experiment.sampling import sampled

if TYPE_CHECKING:
    from virtperf.experiment.executors import Submits
    from virtperf.experiment.status import Tell
    from virtperf.result import Result
    from virtperf.scenario import Scenario
    from virtperf.stats import Contribution, Effect, Sobol

Method = Literal["one-at-a-time", "morris", "sobol"]
METHODS = ("one-at-a-time", "morris", "sobol")
PLATFORM = "platform"
FEW = 3  # replications of each point of a sample: noise is told from all of them together


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What decides an output.

    Attributes
    ----------
    output : str
    method : {'one-at-a-time', 'morris', 'sobol'}
    ranges : mapping of address to Range
        What was varied.
    units : mapping of address to str
        Of those that are numbers of the platform.
    result : Result
        Of all points.
    value, half_width : float
        The output where nothing moved, and its simulation noise.
    moves : mapping of address to Move
        One at a time.
    shares : mapping of address to virtperf.stats.Contribution
        One at a time, the largest first.
    band : (float, float)
        The output with all numbers at those ends that lower it, and at those that raise it, one
        at a time; NaN where there is no steady state then.
    effects : mapping of address to virtperf.stats.Effect
        By Morris's method, the largest first.
    indices : virtperf.stats.Sobol, optional
        Shares of the variance, of the numbers that are not negligible.
    noise : float
        Share of the variance over the last sample that is simulation noise.
    """

    output: str
    method: Method
    ranges: Mapping[str, Range]
    units: Mapping[str, str]
    result: Result
    value: float
    half_width: float
    moves: Mapping[str, Move] = field(default_factory=dict)
    shares: Mapping[str, Contribution] = field(default_factory=dict)
    band: tuple[float, float] = (float("nan"), float("nan"))
    effects: Mapping[str, Effect] = field(default_factory=dict)
    indices: Sobol | None = None
    noise: float = float("nan")

    def told(self, address: str) -> str:
        """Return the range of a number in words, for example ``"234 to 1224 cycles"``."""
        one, unit = self.ranges[address], self.units.get(address, "1")
        if one.choices:
            return ", ".join(map(str, one.choices))
        return f"{_word(one.at(0.0))} to {_word(one.at(1.0))}{'' if unit == '1' else f' {unit}'}"


def sensitivity(
    scenario: Scenario,
    over: str | Sequence[str] | Mapping[str, Any] = PLATFORM,
    method: Method = "one-at-a-time",
    output: str = "latency.mean",
    *,
    trajectories: int = 10,
    n: int = 64,
    store: str | Path | None = None,
    executor: Submits | None = None,
    tell: Tell | None = None,
    **fields: Any,
) -> Sensitivity:
    """Find out which numbers decide an output.

    All points meet the same draws, so that what differs between them is due to the numbers.

    Parameters
    ----------
    scenario : Scenario
    over : str, sequence of str, or mapping of address to range
        What is varied: ``"platform"`` for every number of the platform that the scenario reads and
        that has a range, ``"platform.exit_kernel"`` for one of them, or an address with a range,
        ``"vm.load.outstanding=1..8"``.
    method : {'one-at-a-time', 'morris', 'sobol'}
        Each number at both ends of its range, all others as they are; or Morris's screening, which
        sees interactions; or Sobol indices of what that does not find negligible.
    output : str
        Metric.
    trajectories, n : int
        Of Morris's design, and of Saltelli's, a power of 2: points are ``trajectories`` times one
        more than there are numbers, and ``n`` times two more than are not negligible.
    store : path, optional
        Folder of a store: points that are in it are not run again.
    executor, tell
        As in `Experiment.run`.
    **fields
        Of `Experiment`: ``seed``, ``requests``, ``replications`` (samples: 3), ``engine``, ...

    Returns
    -------
    Sensitivity

    Raises
    ------
    ParameterError
        If nothing varies, or a point of a sample has no steady state.

    Examples
    --------
    >>> from virtperf import Scenario
    >>> toy = Scenario.load("toy").with_("vm.load.outstanding", 1)
    >>> over = ["platform.exit_kernel=0.5..1.5", "platform.native_user=1.0..4.0"]
    >>> found = sensitivity(toy, over, requests=400, replications=2)
    >>> [(name, round(one.swing)) for name, one in found.shares.items()]
    [('platform.native_user', 3000), ('platform.exit_kernel', 2000)]
    """
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    varied, output = varying(scenario, over), metric_of(output)
    few = {} if method == "one-at-a-time" else {"replications": FEW}
    experiment = question(scenario, "sensitivity", output, **few | fields | {"outputs": {}})
    with kept(store) as folder:
        looks = Looks(experiment, folder, executor=executor, tell=tell)
        if method == "one-at-a-time":
            found = one_at_a_time(looks, varied, output)
        else:
            found = sampled(looks, varied, output, method, trajectories=trajectories, n=n)
    known = {f"{PLATFORM}.{name}": one.unit for name, one in scenario.parameters().items()}
    units = {address: known[address] for address in varied if address in known}
    return Sensitivity(output=output, method=method, ranges=varied, units=units, **found)


def varying(scenario: Scenario, over: str | Sequence[str] | Mapping[str, Any]) -> dict[str, Range]:
    """Return the ranges of what is varied; see `sensitivity`."""
    if isinstance(over, Mapping):
        return ranges(over)
    found: dict[str, Range] = {}
    known = platform_ranges(scenario)
    for text in [over] if isinstance(over, str) else over:
        if text == PLATFORM:
            found |= known
        elif "=" in text:
            found |= [ranged(text)]
        elif text in known:
            found[text] = known[text]
        else:
            raise UnknownNameError("number with a range that the scenario reads", text, known)
    if not found:
        must = f"given ranges, such as platform.exit_kernel=0.5x..2x: {scenario.name} reads no "
        must += f"number of {scenario.platform} that has one"
        raise ParameterError("sensitivity", "over", must, over)
    return ranges(found)


def platform_ranges(scenario: Scenario) -> dict[str, Range]:
    """Return the range of every number of the platform that a scenario reads, by address."""
    from virtperf.build import sources

    known = scenario.parameters()
    found = {}
    for name, quantity in sources(scenario).items():
        low, high = (
            quantity.value if end is None else end for end in (quantity.low, quantity.high)
        )
        if name in known and low < high:
            found[f"{PLATFORM}.{name}"] = Range(low=low, high=high)
    return found


def _word(level: Any) -> str:
    return level if isinstance(level, str) else f"{level:g}"
