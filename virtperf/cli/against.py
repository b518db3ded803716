"""All points of a result against a baseline, as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from virtperf.cli.text import table
from virtperf.result.words import digits, plus_minus

if TYPE_CHECKING:
    import pandas as pd

_MUCH = 1e4  # times: beyond it, draws are all that differs between replications
_HOW = (
    "± is simulation noise (95% Student-t of differences by replication, under common random "
    "numbers); p is of the paired t-test, adjusted for all rows by Holm's method; saved is how "
    "many times as many replications independent draws would take"
)


def show(compared: pd.DataFrame) -> str:
    """Return what `Result.against` gave as text.

    Parameters
    ----------
    compared : pandas.DataFrame
    """
    one = compared["baseline"].nunique() == 1
    metric, base = compared["metric"].iloc[0], compared["baseline"].iloc[0]
    header = ["point", *([] if one else ["baseline"]), metric, "difference", "", "p", "", "saved"]
    rows = [_row(row, with_baseline=not one) for row in compared.to_dict("records")]
    says = f"{metric} against {base}" if one else f"{metric} against the baseline of each point"
    return f"{says}\n{table(header, rows)}\n{_HOW}"


def _row(row: dict[Any, Any], *, with_baseline: bool) -> list[str]:
    head = [str(row["point"]), *([str(row["baseline"])] if with_baseline else [])]
    if math.isnan(row["p_value"]):
        return [*head, "null", f"{row['n']} replications in common", *[""] * 4]
    half = row["ci_high"] - row["difference"]
    p, saved = row["p_adjusted"], row["saved"]
    return [
        *head,
        plus_minus(row["mean"], 0.0, row["unit"]),
        plus_minus(row["difference"], half, row["unit"], sign=True),
        "" if math.isnan(row["relative"]) else f"{row['relative']:+.1%}",
        "< 0.0001" if p < 1e-4 else f"{p:.4f}",
        "differs" if row["significant"] else "-",
        f"> {_MUCH:,.0f}x" if saved > _MUCH else f"{digits(saved, 2)}x",
    ]
