"""When to stop adding replications: every declared output known to its relative precision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.stats.checks import checked
from virtperf.stats.intervals import interval

if TYPE_CHECKING:
    from virtperf.stats.checks import Series

LEAST = 10  # replications before a rule is asked: of fewer, the spread is too uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How precisely one output is known.

    Attributes
    ----------
    output : str
    mean, half_width : float
    relative : float
        Half-width as a share of the mean; infinite where the mean is 0, NaN for one replication.
    target : float
        Relative half-width, with respect to the true mean, to be reached.
    replications : int
        So far.
    met : bool
    more : int or None
        Replications to be added, as predicted; None if no number can be: the mean is 0.
    """

    output: str
    mean: float
    half_width: float
    relative: float
    target: float
    replications: int
    met: bool
    more: int | None


def precision(
    values: Mapping[str, Series],
    targets: Mapping[str, float],
    confidence: float = 0.95,
    least: int = LEAST,
) -> list[Precision]:
    """Say of every declared output whether it is known precisely enough, and what it would take.

    An error of `g` relative to the true mean is an estimated one of ``g / (1 + g)`` [1]_, so that
    is what the half-width is held against. ``n * (half-width / target)^2`` replications are
    predicted to be enough. Values are looked at again and again until they are, so that the
    coverage is a little less than nominal; at least 10 replications keep it close [1]_.

    Parameters
    ----------
    values : mapping of output to sequence of float
        One value per replication.
    targets : mapping of output to float
        Relative half-width of each declared output, in (0, 1).
    confidence : float
        Coverage, in (0, 1).
    least : int
        Replications before which nothing is met.

    Returns
    -------
    list of Precision
        In the order of `targets`; the study may stop when all are met.

    References
    ----------
    .. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., McGraw-Hill 2015, section 9.4.1.

    Examples
    --------
    >>> values = {"latency.mean": [98.0, 99.0, 100.0, 101.0, 102.0] * 2}
    >>> [found] = precision(values, {"latency.mean": 0.005})
    >>> print(f"{found.relative:.4f} {found.met} {found.more}")
    0.0107 False 36
    >>> precision(values, {"latency.mean": 0.02})[0].met
    True
    """
    if least < 2:
        raise ParameterError("precision", "least", "at least 2", least)
    found = []
    for output, target in targets.items():
        if output not in values:
            raise UnknownNameError("output", output, values)
        if not 0 < target < 1:
            raise ParameterError("precision", output, "in (0, 1)", target)
        found.append(_one(output, values[output], target, confidence, least))
    return found


def _one(output: str, values: Series, target: float, confidence: float, least: int) -> Precision:
    mean, half_width = interval(checked("precision", output, values, least=1), confidence)
    count, held = len(values), target / (1 + target)
    relative = 0.0
    if half_width != 0:  # it may be NaN
        relative = half_width / abs(mean) if mean else half_width * math.inf
    met = count >= least and relative <= held
    more: int | None = max(0, least - count)
    if not met and math.isinf(relative):
        more = None
    elif not met and relative > held:
        more = max(least - count, math.ceil(count * (relative / held) ** 2) - count, 1)
    return Precision(
        output=output,
        mean=mean,
        half_width=half_width,
        relative=relative,
        target=target,
        replications=count,
        met=met,
        more=more,
    )
