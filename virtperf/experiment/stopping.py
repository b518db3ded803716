"""When a point has been run often enough: every output precise enough, or the budget spent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from virtperf.stats import precision

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

    Parameters
    ----------
    values : mapping of str to sequence of float or None
        Of each output, one value per replication.
    asked : mapping of str to float
        Relative half-width of each; see `virtperf.stats.precision`.

    Examples
    --------
    >>> verdict({"latency.mean": [9.9, 10.0, 10.1] * 4}, {"latency.mean": 0.05}).met
    True
    """
    enough = {output: _given(values.get(output, ())) for output in asked}
    none = [output for output, given in enough.items() if not given]
    why = [f"{output} has no value: too few samples per replication" for output in none]
    targets = {output: share for output, share in asked.items() if output not in none}
    found = precision(enough, targets)
    why += [f"{p.output} +-{p.relative:.1%}, asked for {p.target:.1%}" for p in found if not p.met]
    widths = dict.fromkeys(none, math.nan) | {p.output: p.relative for p in found}
    return Verdict(widths=widths, met=not why, because="; ".join(why), hopeless=bool(none))


def _given(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
