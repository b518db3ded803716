"""``virtperf crossover``: where one alternative stops beating another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from virtperf.cli.options import (
    EngineOpt,
    OutOpt,
    ReplicationsOpt,
    RequestsOpt,
    ScenarioArg,
    SeedOpt,
    StoreOpt,
    given,
    guarded,
    writable,
)
from virtperf.cli.progress import Shown, telling

if TYPE_CHECKING:
    from virtperf.experiment.crossover import Crossover


@guarded
def crossover_(
    scenario: ScenarioArg,
    vary: Annotated[
        str, typer.Option(metavar="ADDRESS=LEVELS", help="What grows, such as a range 1..64.")
    ],
    between: Annotated[
        str, typer.Option(metavar="ADDRESS=ONE,OTHER", help="The two alternatives.")
    ],
    metric: Annotated[str, typer.Option(help="What they are compared by.")] = "latency.mean",
    seed: SeedOpt = None,
    replications: ReplicationsOpt = None,
    requests: RequestsOpt = None,
    engine: EngineOpt = None,
    store: StoreOpt = None,
    out: OutOpt = None,
) -> None:
    """Find the level at which one alternative stops beating the other."""
    from virtperf.experiment.crossover import crossover
    from virtperf.scenario import Scenario

    writable(out)
    with telling(Shown.auto) as tell:
        found = crossover(
            Scenario.load(scenario),
            vary,
            between,
            metric,
            store=store,
            tell=tell,
            **given(seed=seed, replications=replications, requests=requests, engine=engine),
        )
    typer.echo(show(found))
    if out is not None:
        typer.echo(f"wrote {found.result.to_csv(out)}", err=True)


def show(found: Crossover) -> str:
    """Return the answer, and what was seen at each level, as text."""
    from virtperf.cli.text import table
    from virtperf.result import NOISE, unit_of
    from virtperf.result.words import plus_minus

    unit = unit_of(found.metric)
    rows = []
    for level, (mean, half) in found.found.seen.items():
        told = "no steady state of the other" if math.isinf(mean) else ""
        sure = "" if abs(mean) > half else ", within noise"
        by = told or plus_minus(abs(mean), half, unit)
        rows.append((f"{level:g}", f"{found.better(level)}{sure}", by))
    lines = [_answer(found), "", f"± is {NOISE.format(0.95)}, of differences by replication"]
    lines.append(table((found.vary, f"better {found.metric}", "by"), rows))
    if found.lost is not None:
        lines.append(f"{found.vary}={found.lost:g} and above: neither has a steady state")
    return "\n".join(lines)


def _answer(found: Crossover) -> str:
    root, vary = found.found, found.vary
    if root.before is None or root.after is None:
        lowest, highest = min(root.seen), max(root.seen)
        who = found.better(lowest)
        return f"{found.between}={who} is better at every level from {lowest:g} to {highest:g}"
    says = f"{found.between}={found.better(root.before)} is better up to {vary}={root.before:g}, "
    says += f"{found.better(root.after)} from {root.after:g} on"
    says += f" (95%: the change lies {_between(root.low, root.high)})"
    return says + ("; it changes again further on" if root.verdict == "several" else "")


def _between(low: float | None, high: float | None) -> str:
    """Word an interval whose ends may lie beyond what was looked at."""
    if low is None and high is None:
        return "anywhere"
    if low is None or high is None:
        return f"below {high:g}" if low is None else f"above {low:g}"
    return f"between {low:g} and {high:g}"
