"""Exits by reason, in the columns that ``perf kvm stat`` has for a real machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from virtperf.result import Result

COLUMNS = ("point", "VM-EXIT", "exits/s", "Samples%", "Time%", "Avg time [ns]")
_KINDS = {  # how a counter is called, what a reader calls it, and where its time is booked
    "exits": ("", ("vcpu: exit ", "vcpu: trap ", "vcpu: monitor ")),
    "hypercalls": ("hypercall ", ("vcpu: hypercall ",)),
    "bounced": ("bounced ", ("vcpu: hypercall ",)),
    "reflected": ("reflected ", ("vcpu: reflected ",)),
}


def exits(result: Result) -> pd.DataFrame:
    """Return exits by point and reason, most frequent first.

    Parameters
    ----------
    result : Result

    Returns
    -------
    pandas.DataFrame
        Columns ``point VM-EXIT exits/s Samples% Time% Avg time [ns]``; shares are of a point's
        exits. A trap, a trip into a monitor and a hypercall count as exits: the guest stops for
        them. Calls that wait in a batch do not.
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
    spent = result.cpu[result.cpu["point"] == point].groupby("account")["ns"].sum()
    counts, times = {}, {}
    for kind, (says, accounts) in _KINDS.items():
        head = f"{kind}_per_request."
        for metric in [m for m in named if m.startswith(head) and named[m]]:
            reason = metric.removeprefix(head)
            counts[says + reason] = named[metric]
            booked = (spent.get(account + reason, 0.0) for account in accounts)
            times[says + reason] = float(sum(booked))
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
