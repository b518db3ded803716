"""All points against a baseline: differences, honest for the whole set, and what CRN saved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.stats import against_baseline, crn_saving, holm

if TYPE_CHECKING:
    import pandas as pd

    from virtperf.result import Result

COLUMNS = (
    *("point", "baseline", "metric", "unit", "n", "mean", "difference", "ci_low", "ci_high"),
    *("relative", "p_value", "p_adjusted", "significant", "saved"),
)


def against(
    result: Result, baseline: str | Mapping[str, Any], metric: str, confidence: float
) -> pd.DataFrame:
    """Return every point against its baseline; see `Result.against`."""
    import pandas as pd

    from virtperf.result import unit_of

    if metric not in set(result.data["metric"]):
        raise UnknownNameError("metric", metric, result.data["metric"].unique())
    rows = []
    for point, base in result.pairs(baseline):
        a, b = result.replications(base, metric), result.replications(point, metric)
        both = sorted(set(a.index) & set(b.index))
        known: dict[str, Any] = {"point": point, "baseline": base, "metric": metric}
        known |= {"unit": unit_of(metric), "n": len(both)}
        rows.append(known | _compared([a[r] for r in both], [b[r] for r in both], confidence))
    if not rows:
        must = "a point, or levels that points have, of a result with others"
        raise ParameterError("against", "baseline", must, baseline)
    told = [row for row in rows if not math.isnan(row["p_value"])]
    for row, p in zip(told, holm([row["p_value"] for row in told]), strict=True):
        row |= {"p_adjusted": p, "significant": p <= 1 - confidence}
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _compared(a: list[float], b: list[float], confidence: float) -> dict[str, Any]:
    """Return the comparison of two points by itself; of fewer than two replications nothing."""
    numbers = ("mean", "difference", "ci_low", "ci_high", "relative", "p_value", "p_adjusted")
    if len(a) < 2:
        return dict.fromkeys((*numbers, "saved"), math.nan) | {"significant": False}
    found = against_baseline(a, {"point": b}, confidence)["point"]
    base = sum(a) / len(a)
    return {
        "mean": sum(b) / len(b),
        "difference": found.difference,
        "ci_low": found.difference - found.half_width,
        "ci_high": found.difference + found.half_width,
        "relative": found.difference / base if base else math.nan,
        "p_value": found.p_value,
        "saved": crn_saving(a, b, confidence).replications,
    }
