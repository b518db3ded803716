"""Exits by reason, in the columns that ``perf kvm stat`` has for a real machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from virtperf.result import Result

COLUMNS = ("point", "VM-EXIT", "exits/s", "Samples%", "Time%", "Avg time [ns]")
_HEAD = "exits_per_request."
_ACCOUNTS = ("vcpu: exit ", "vcpu: trap ", "vcpu: monitor ")


def exits(result: Result) -> pd.DataFrame:
    """Return exits by point and reason, most frequent first.

    Parameters
    ----------
    result : Result

    Returns
    -------
    pandas.DataFrame
        Columns ``point VM-EXIT exits/s Samples% Time% Avg time [ns]``; shares are of a point's
        exits. A trap and a trip into a monitor count as exits: the guest stops for them.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for point in result.labels:
        rows += _of(result, point)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of(result: Result, point: str) -> list[dict[str, Any]]:
    data = result.data[result.data["point"] == point]
    means = data.groupby("metric", sort=False)["value"].mean()
    named = {str(metric): float(mean) for metric, mean in means.items()}
    counts = {m.removeprefix(_HEAD): n for m, n in named.items() if m.startswith(_HEAD) and n}
    spent = result.cpu[result.cpu["point"] == point].groupby("account")["ns"].sum()
    times = {
        reason: float(sum(spent.get(head + reason, 0.0) for head in _ACCOUNTS)) for reason in counts
    }
    all_counts, all_times = sum(counts.values()), sum(times.values())
    rows = [
        {
            "point": point,
            "VM-EXIT": reason,
            "exits/s": count * named["throughput"],
            "Samples%": 100 * count / all_counts,
            "Time%": 100 * times[reason] / all_times if all_times else 0.0,
            "Avg time [ns]": times[reason] / count,
        }
        for reason, count in counts.items()
    ]
    return sorted(rows, key=lambda row: -row["exits/s"])
