"""A page about any scenario: what its load sees under each technique that it can have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from virtperf import plot
from virtperf.report import tables
from virtperf.report.answer import answer
from virtperf.report.findings import Finding
from virtperf.report.picture import Picture, picture

if TYPE_CHECKING:
    from virtperf.result import Result
    from virtperf.scenario import Scenario

Progress = Callable[[float, int, str], None]
MOST_CURVES = 12  # that can be told apart in a figure of distributions


class Compared(NamedTuple):
    """A scenario, what varies, and its result."""

    scenario: Scenario
    over: str
    result: Result


def takes(scenario: Scenario) -> bool:
    """Return whether a scenario is more than loads on one disk each, which have a page apart."""
    return any(vm.disk is None or vm.disks or vm.nic is not None for vm in scenario.vm)


def conduct(scenarios: Sequence[Scenario], progress: Progress | None = None) -> list[Compared]:
    """Run every scenario with each technique of what it is about."""
    from virtperf.experiment import compare
    from virtperf.experiment.plan import main_axis

    return [
        Compared(scenario, over := main_axis(scenario), compare(scenario, over, progress=progress))
        for scenario in scenarios
    ]


def context(compared: Sequence[Compared]) -> dict[str, Any]:
    """Return what the template of a report asks for."""
    results = [one.result for one in compared]
    names = ", ".join(one.scenario.name for one in compared)
    first = compared[0].scenario
    return {
        "lead": f"{names}: {first.title or 'a scenario'}. What it sees under each technique "
        "that it can have.",
        "findings": [_finding(one) for one in compared],
        "figures": [figure for one in compared for figure in _figures(one)],
        "tables": [table for one in compared for table in _tables(one)],
        "assumed": list(dict.fromkeys(note for result in results for note in result.notes)),
        "flags": tables.flags(results),
        "nulls": tables.nulls(results),
        "results": results,
        "provenance": results[-1].provenance,
    }


def _finding(one: Compared) -> Finding:
    first, *more = answer(one.result)
    title = one.scenario.title or "its load"
    return Finding(f"{one.scenario.name}, over {one.over}: {title}", first, tuple(more))


def _tables(one: Compared) -> list[tables.Table]:
    name = f"{one.scenario.name} over {one.over}"
    return [
        tables.values(one.result, name),
        tables.bands(one.result, f"Parameter band, {name}"),
    ]


def _figures(one: Compared) -> Iterator[Picture]:
    name, spent = one.scenario.name, plot.request_times(one.result)
    if not spent:  # no point had a steady state
        return
    says = f"{name}: mean latency by cause (simulation), all requests together."
    yield picture(plot.breakdown(spent), says, wide=True)
    yield picture(plot.payer_stack(one.result), f"{name}: CPU time of a request by who pays.")
    groups = one.result.requests["group"].nunique()
    if len(spent) * groups <= MOST_CURVES:
        yield picture(plot.cdf(one.result, points=list(spent)), f"{name}: distribution of latency.")
