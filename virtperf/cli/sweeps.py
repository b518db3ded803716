"""The verbs of sweeps: run one, run one of its runs again."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from virtperf.cli.options import INTERRUPTED, Format, FormatOpt, OutOpt, guarded, writable
from virtperf.cli.progress import Shown

if TYPE_CHECKING:
    from virtperf.experiment import Experiment
    from virtperf.result import Result

STORE = Path("results/sweeps")

SweepsOpt = Annotated[
    Path, typer.Option(help="Folder of the store; each sweep has a folder in it.")
]
ClusterOpt = Annotated[
    str | None, typer.Option(help="Run on a dask.distributed cluster, tcp://host:port.")
]
ProgressOpt = Annotated[Shown, typer.Option(help="A bar, lines of JSON, or nothing; on stderr.")]
SecondsOpt = Annotated[float | None, typer.Option(help="Begin no run after so much time.", min=0)]
RetryOpt = Annotated[bool, typer.Option("--retry-failed", help="Run points again that failed.")]
PlanOpt = Annotated[bool, typer.Option("--plan", help="Say what would be run, and stop.")]


@guarded
def sweep_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An experiment file.")],
    plan: PlanOpt = False,
    store: SweepsOpt = STORE,
    cluster: ClusterOpt = None,
    retry_failed: RetryOpt = False,
    seconds: SecondsOpt = None,
    progress: ProgressOpt = Shown.auto,
    out: OutOpt = None,
    format: FormatOpt = Format.table,
) -> None:
    """Run an experiment file; what is stored is not run again, and Ctrl-C loses nothing."""
    from virtperf.experiment import Experiment

    writable(out)
    experiment = Experiment.load(file)
    how = {"retry_failed": retry_failed, "seconds": seconds}
    carry_out(experiment, store, cluster, progress, out, format, plan=plan, **how)


def carry_out(
    experiment: Experiment,
    store: Path,
    cluster: str | None,
    progress: Shown,
    out: Path | None,
    format: Format,
    *,
    plan: bool = False,
    **how: Any,
) -> None:
    """Show the plan, run it, and print the result."""
    from virtperf.cli.progress import telling
    from virtperf.experiment.cluster import cluster as connected

    typer.echo(str(experiment.plan(store)), err=not plan)
    if plan:
        return
    with connected(cluster) if cluster else nullcontext() as executor, telling(progress) as tell:
        result = experiment.run(store, executor=executor, tell=tell, **how)
    deliver(result, store / experiment.name, out, format)


def deliver(result: Result, folder: Path, out: Path | None, format: Format) -> None:
    """Print a sweep's result; a partial one is told by the exit code."""
    from virtperf.cli import text
    from virtperf.cli.many import many

    if out is not None:
        typer.echo(f"wrote {result.to_csv(out)}", err=True)
    if format is Format.csv:
        typer.echo(text.csv(result))
    elif format is Format.json:
        typer.echo(result.to_json())
    else:
        typer.echo(many(result))
    typer.echo(f"stored in {folder}", err=True)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    if result.partial:
        raise typer.Exit(1)


@guarded
def replay_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a sweep.")],
    point: Annotated[str, typer.Option(help="Label of the point.")],
    replication: Annotated[int, typer.Option(help="Which run.", min=0)],
    corner: Annotated[str, typer.Option(help="End of a parameter range.")] = "",
) -> None:
    """Make one run of a sweep again, here, where its error shows with its whole trace."""
    from virtperf.experiment import again

    run = again(folder, point, replication, corner)
    last = run.snapshots[-1]
    typer.echo(f"{sum(last.completed):,} requests in {last.time / 1e9:.3f} ms of simulated time")
