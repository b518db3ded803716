"""What a result says, in sentences; shared by the command line and the report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from virtperf.plot import request_times
from virtperf.result.words import digits, plus_minus, quantity

if TYPE_CHECKING:
    from virtperf.result import Result


def answer(result: Result) -> list[str]:
    """Return the answer of a result in sentences, the most important first."""
    first = result.labels[0]
    if why := _silent(result).get(first):
        return [f"{first}: {why}."]
    if len(result.labels) == 1:
        return _single(result)
    return _comparison(result)


def _silent(result: Result) -> dict[str, str]:
    """Return why points have no numbers: no steady state, or no run."""
    says: dict[str, str] = {}
    for row in result.flags.to_dict("records"):
        point, flag = str(row["point"]), row["flag"]
        if flag in ("saturated", "failed") and math.isnan(result.value(point, "throughput")[0]):
            head = "no steady state. " if flag == "saturated" else "every run failed. "
            says.setdefault(point, head + str(row["says"]))
    return says


def leading_metric(result: Result) -> str:
    """Return the metric to lead with: the median, which heavy tails leave alone, where known."""
    silent = _silent(result)
    points = [point for point in result.labels if point not in silent]
    values = [result.value(point, "latency.p50")[0] for point in points]
    return "latency.mean" if any(map(math.isnan, values)) else "latency.p50"


def name_of(metric: str) -> str:
    """Return a metric in words."""
    words = {"latency.p50": "median latency", "latency.mean": "mean latency"}
    return words.get(metric, metric)


def _single(result: Result) -> list[str]:
    point, metric = result.labels[0], leading_metric(result)
    parts = [f"{name_of(metric)} {value(result, point, metric)}"]
    if metric != "latency.mean":
        parts.append(f"mean {value(result, point, 'latency.mean')}")
    parts.append(f"{value(result, point, 'throughput')} requests")
    parts.append(f"{value(result, point, 'cpu_per_request.total')} of CPU time per request")
    return [f"{point}: {', '.join(parts)}.", where_it_goes(result, point)]


def value(result: Result, point: str, metric: str) -> str:
    """Word one value with its simulation noise."""
    mean, half = result.value(point, metric)
    units = result.data.loc[result.data["metric"] == metric, "unit"]
    return plus_minus(mean, 0.0 if math.isnan(half) else half, str(units.iloc[0]))


def where_it_goes(result: Result, point: str, most: int = 4) -> str:
    """Name the accounts that a request's mean latency goes to, the largest first."""
    spent = request_times(result)[point]
    total = sum(spent.values())
    largest = sorted(spent, key=lambda name: -spent[name])[:most]
    parts = [f"{n} {quantity(spent[n], 'ns')} ({spent[n] / total:.0%})" for n in largest]
    return f"Of the mean of {quantity(total, 'ns')}: {', '.join(parts)}."


def _comparison(result: Result) -> list[str]:
    metric, baseline, silent = leading_metric(result), result.labels[0], _silent(result)
    sentences = [f"{baseline}: {name_of(metric)} {value(result, baseline, metric)}. Against it:"]
    rate = {p: result.value(p, "throughput")[0] for p in result.labels}
    cpu = {p: result.value(p, "cpu_per_request.total")[0] for p in result.labels}
    for row in result.paired(metric, baseline).to_dict("records"):
        point, half = row["point"], (row["ci_high"] - row["ci_low"]) / 2
        if math.isnan(row["difference"]):
            sentences.append(f"{point}: {silent.get(str(point), 'no steady state')}.")
            continue
        change = plus_minus(row["difference"], 0.0 if math.isnan(half) else half, "ns", sign=True)
        base = result.value(baseline, metric)[0]
        sentences.append(
            f"{point}: {change} ({digits((base + row['difference']) / base)} x), "
            f"throughput {digits(rate[point] / rate[baseline])} x, "
            f"CPU per request {digits(cpu[point] / cpu[baseline])} x."
        )
    return sentences
