"""``virtperf path``: the way of one request, step by step, with its times."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from virtperf.cli.options import ScenarioArg, guarded, writable
from virtperf.errors import ParameterError

if TYPE_CHECKING:
    from virtperf.scenario import Scenario


@guarded
def path(
    scenario: ScenarioArg,
    over: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS[=LEVELS]", help="What varies; may be given more than once."),
    ] = None,
    job: Annotated[int, typer.Option(help="Whose request: the number of a job.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write a sequence diagram of each point into.")
    ] = None,
) -> None:
    """Print the way of one request through an idle system, and how long each step takes."""
    from virtperf.build import build
    from virtperf.cli.text import table
    from virtperf.result.words import quantity
    from virtperf.scenario import Scenario
    from virtperf.theory.way import several, way

    writable(out)
    for name, chosen in _points(Scenario.load(scenario), over):
        system = build(chosen)
        jobs = len(system.sources)
        if job >= jobs:
            raise ParameterError("path", "job", f"below {jobs}, the number of jobs", job)
        legs = way(system, job)
        total = legs[-1].start + legs[-1].ns if legs else 0.0
        where, what = (max(len(getattr(leg, a)) for leg in legs) for a in ("where", "what"))
        rows = [
            (
                quantity(leg.start, "ns"),
                quantity(leg.ns, "ns"),
                leg.where.ljust(where),
                leg.what.ljust(what),
            )
            for leg in legs
        ]
        typer.echo(f"{name}: {quantity(total, 'ns')}")
        lines = table(("at", "takes", "where".ljust(where), "what".ljust(what)), rows).splitlines()
        typer.echo("\n".join(f"  {line}" for line in lines))
        if several(system, job):
            typer.echo("  Requests go several ways: a leg stands for its mean over all of them.")
        typer.echo("")
        if out is not None:
            _draw(legs, name, out)


def _points(base: "Scenario", over: list[str] | None) -> list[tuple[str, "Scenario"]]:
    from virtperf.design import label
    from virtperf.experiment.plan import design

    if not over:
        return [(base.name, base)]
    return [(label(levels), base.with_all(levels)) for levels in design(over, base)]


def _draw(legs: Any, name: str, out: Path) -> None:
    from virtperf.plot import save, sequence

    file = out / f"path-{name.replace(' ', '-').replace('/', '-')}.png"
    save(sequence(legs, title=name), file)
    typer.echo(f"wrote {file}", err=True)
