"""The verbs of stored sweeps: what there is, what it says, and in which form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from virtperf.cli.options import examples, guarded

results = typer.Typer(
    name="results",
    help="List, show and export the sweeps of a store.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=examples(
        "virtperf results ls",
        "virtperf results show results/sweeps/mine",
        "virtperf results compare results/sweeps/mine --baseline vm.disk=native",
        "virtperf results export results/sweeps/mine --as pkb -o samples.json",
        'virtperf results sql results/sweeps/mine "select point, avg(value) from data group by 1"',
    ),
)

FolderArg = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a sweep.")]


class Form(StrEnum):
    """Forms that results are exported in."""

    csv = "csv"
    json = "json"
    pkb = "pkb"
    canonical = "canonical"


@results.command("ls")
@guarded
def ls(
    store: Annotated[Path, typer.Argument(help="Folder of the store.")] = Path("results/sweeps"),
) -> None:
    """List the sweeps of a store, and how far they are."""
    from virtperf.cli.text import table

    rows = list(_rows(store))
    if not rows:
        typer.echo(f"no sweep is stored in {store}")
        return
    header = ("sweep", "points", "runs", "failed", "other models", "engine", "title")
    typer.echo(table(header, rows))


def _rows(store: Path) -> Iterator[tuple[str, ...]]:
    from virtperf.errors import StoreError
    from virtperf.store import Store

    for folder in sorted(store.iterdir()) if store.is_dir() else ():
        one = Store(folder)
        if not one.exists:
            continue
        try:
            plan, runs, failures = one.plan, one.read("runs"), one.read("failures")
            keys = {row["key"] for row in plan["points"]}
            own = int(runs["key"].isin(keys).sum()) if len(runs) else 0
            failed = int(failures["key"].isin(keys).sum()) if len(failures) else 0
            counts = (len(plan["points"]), own, failed, len(runs) - own)
            yield (folder.name, *map(str, counts), plan["engine"], plan["title"])
        except StoreError as error:
            yield (folder.name, *"----", "-", str(error))


@results.command("show")
@guarded
def show(
    folder: FolderArg,
    full: Annotated[bool, typer.Option("--full", help="Everything, not a line per point.")] = False,
) -> None:
    """Print what a sweep found, as far as it has been run."""
    from virtperf.cli import text
    from virtperf.cli.many import many
    from virtperf.result import Result

    result = Result.load(folder)
    typer.echo(text.show(result) if full else many(result))


@results.command("export")
@guarded
def export(
    folder: FolderArg,
    form: Annotated[
        Form,
        typer.Option(
            "--as",
            help="Summary as CSV or JSON lines, PerfKit Benchmarker samples, or every observation.",
        ),
    ] = Form.csv,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File.")] = None,
) -> None:
    """Write a sweep in the form that another tool reads."""
    from virtperf.result import Result
    from virtperf.result import export as forms

    result = Result.load(folder)
    written = {
        Form.csv: forms.csv,
        Form.json: forms.json_lines,
        Form.pkb: lambda found: forms.perfkit_samples(found, time.time()),
        Form.canonical: forms.canonical_csv,
    }[form](result)
    if output is None:
        typer.echo(written, nl=False)
    else:
        typer.echo(f"wrote {forms.save(written, output)}", err=True)


@results.command("compare")
@guarded
def compare(
    folder: FolderArg,
    baseline: Annotated[str, typer.Option(help="Label of a point, or a level: vm.disk=native.")],
    metric: Annotated[str, typer.Option(help="What is compared.")] = "latency.mean",
) -> None:
    """Compare every point with a baseline: paired, and adjusted for how many there are."""
    from virtperf.cli.against import show as shown
    from virtperf.design import axis
    from virtperf.result import Result

    result = Result.load(folder)
    point: str | dict[str, object] = baseline
    if baseline not in result.labels:
        point = {address: levels[0] for address, levels in map(axis, baseline.split()) if levels}
    typer.echo(shown(result.against(point, metric)))


@results.command("sql")
@guarded
def sql(
    folder: FolderArg,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="Its tables are those of a result.")
    ],
) -> None:
    """Ask a sweep's tables in SQL, where duckdb is installed."""
    from virtperf.result import Result

    typer.echo(Result.load(folder).sql(query).to_csv(index=False).rstrip("\n"))
