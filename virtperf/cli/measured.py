"""A fio result taken inside a real VM beside the prediction, and what would explain the rest."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from virtperf.cli.text import table
from virtperf.report.answer import leading_metric
from virtperf.result.words import digits, plus_minus, quantity
from virtperf.units import TICKS_PER_NS

if TYPE_CHECKING:
    from virtperf.result import Result
    from virtperf.scenario import Scenario

_METRICS = {"latency.p50": "p50", "latency.mean": "mean", "throughput": "iops"}
_MOST = 8


def beside_measurement(result: Result, scenario: Scenario, path: Path) -> str:
    """Return prediction, measurement and residual of each point, and what would explain one."""
    from virtperf.importers.fio import measured

    found = measured(path)
    rows = []
    for point in result.labels:
        for metric, key in _METRICS.items():
            real, (mean, _) = found[key], result.value(point, metric)
            if real is None or mean != mean:
                continue
            unit = "1/s" if metric == "throughput" else "ns"
            residual = plus_minus(real - mean, 0.0, unit, sign=True)
            shown = (quantity(real, unit), quantity(mean, unit), residual)
            rows.append((f"{point} {metric}", *shown, f"{real / mean - 1:+.0%}"))
    header = ("", "measured", "predicted", "residual", "of predicted")
    title = f"beside {path.name}:\n"
    return f"{title}{table(header, rows)}\n\n{_explained(result, scenario, found)}"


def _explained(result: Result, scenario: Scenario, found: dict[str, float | None]) -> str:
    """Return by how much each cost alone would have to change; costs from theory's own walk."""
    from virtperf.build import build
    from virtperf.design import axis
    from virtperf.theory import zero_load

    point = _point(result, scenario)
    metric = leading_metric(result)
    real = found[_METRICS[metric]]
    if real is None:
        return ""
    residual = real - result.value(point, metric)[0]
    levels = {address: level[0] for address, level in map(axis, point.split()) if level}
    walk = zero_load(build(scenario.with_all(levels) if levels else scenario)).per_step
    visits = Counter(step.account for step in walk if step.ticks)
    spent: Counter[str] = Counter()
    for step in walk:
        spent[step.account] += step.ticks / TICKS_PER_NS  # type: ignore[assignment]
    rows = []
    for account, ns in spent.most_common():
        if not visits[account] or account.startswith("wait: device"):
            continue
        each = residual / visits[account]
        now = ns / visits[account]
        possible = f"{digits((now + each) / now)} x" if now + each >= 0 else "not possible"
        change = plus_minus(each, 0.0, "ns", sign=True)
        rows.append((account, str(visits[account]), quantity(now, "ns"), change, possible))
    says = (
        f"{metric} of {point} is {plus_minus(residual, 0.0, 'ns', sign=True)} off; one cost alone"
    )
    says += " would explain it if it changed by (exact for one request in flight):"
    header = ("cost", "visits/request", "now", "change each", "to")
    return f"{says}\n{table(header, rows[:_MOST])}"


def _point(result: Result, scenario: Scenario) -> str:
    """Return the point of the scenario's own technique; virtio where it runs natively."""
    technique = scenario.vm[0].on_disk[0].technique
    wanted = "virtio" if technique == "native" else technique
    named = [label for label in result.labels if f"vm.disk={wanted}" in label.split()]
    return named[0] if named else result.labels[0]
