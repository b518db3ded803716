"""When a point has been run often enough: every output precise enough, or the budget spent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from virtperf.stats import interval

STEP = 5  # replications added at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How precise the outputs of a point are after some replications.

    Attributes
    ----------
    widths : mapping of str to float
        Half-width over mean of each output; NaN where there is none.
    met : bool
        Whether each is at most what was asked for.
    because : str
        What keeps it from being met; "" if it is.
    hopeless : bool
        Whether more replications cannot help: a quantile has too few samples in each.
    """

    widths: Mapping[str, float]
    met: bool
    because: str
    hopeless: bool


def verdict(values: Mapping[str, Sequence[float | None]], asked: Mapping[str, float]) -> Verdict:
    """Judge the replications that there are.

    A relative half-width g is taken as met at g / (1 + g), so that the error relative to the true
    mean, which nobody knows, is at most g [1]_.

    Parameters
    ----------
    values : mapping of str to sequence of float or None
        Of each output, one value per replication.
    asked : mapping of str to float
        Relative half-width of each.

    References
    ----------
    .. [1] A. M. Law, *Simulation Modeling and Analysis*, on obtaining a specified precision.

    Examples
    --------
    >>> verdict({"latency.mean": [9.9, 10.0, 10.1]}, {"latency.mean": 0.05}).met
    True
    """
    widths, why, hopeless = {}, [], False
    for output, target in asked.items():
        given = [value for value in values.get(output, ()) if value is not None]
        widths[output] = math.nan
        if not given:
            hopeless = True
            why.append(f"{output} has no value: too few samples per replication")
            continue
        mean, half = interval(given)
        widths[output] = half / abs(mean) if mean else (0.0 if half == 0 else math.inf)
        if not widths[output] <= target / (1 + target):
            why.append(f"{output} +-{widths[output]:.1%}, asked for {target:.1%}")
    return Verdict(widths=widths, met=not why, because="; ".join(why), hopeless=hopeless)
