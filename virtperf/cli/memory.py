"""Commands about memory: what it costs, traces through TLBs, one page walk step by step."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from virtperf.cli.options import guarded, writable

OUT = Path("results/memory")


class Rows(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"


class Part(StrEnum):
    """Which accesses of a trace are looked up."""

    data = "data"
    ifetch = "ifetch"
    all = "all"


class Replacement(StrEnum):
    """Who is replaced in a set."""

    lru = "lru"
    fifo = "fifo"
    plru = "plru"


class Switch(StrEnum):
    """On or off."""

    on = "on"
    off = "off"


@guarded
def tlb(
    traces: Annotated[
        list[Path], typer.Argument(metavar="TRACE...", help="Page traces (.zst), one or several.")
    ],
    level: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SETSxWAYS",
            help="A TLB, nearest first: 16x4, FA64, or 16x4:4K+2M if it holds these pages only. "
            "May be given more than once. [default: 16x4, 128x12]",
        ),
    ] = None,
    cpu: Annotated[
        str | None, typer.Option(help="TLBs of a processor instead: a name of models/tlbs.")
    ] = None,
    page: Annotated[str, typer.Option(help="Page size: 4K, 2M or 1G.")] = "4K",
    host: Annotated[
        str | None, typer.Option(help="Page size of the host, for nested paging.")
    ] = None,
    stream: Annotated[Part, typer.Option(help="Which accesses are looked up.")] = Part.data,
    policy: Annotated[Replacement, typer.Option(help="Who is replaced.")] = Replacement.lru,
    flush_every: Annotated[
        int | None, typer.Option(metavar="N", help="Flush before lookup N, 2N, ...", min=1)
    ] = None,
    quantum: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Lookups of each trace in turn, if there are several.", min=1
        ),
    ] = None,
    tags: Annotated[
        Switch, typer.Option(help="Whether traces have tags; without, a switch flushes.")
    ] = Switch.on,
    walk_caches: Annotated[
        str,
        typer.Option(
            metavar="N,N,N", help="Entries of the caches of 2 MiB, 1 GiB and 512 GiB prefixes."
        ),
    ] = "32,16,4",
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="Read only so many accesses of a trace.", min=1)
    ] = None,
    format: Annotated[Rows, typer.Option(help="How to print the counts.")] = Rows.table,
) -> None:
    """Count what misses the TLBs when real programs run, and what their page walks read."""
    from virtperf.cli import tlbs

    asked = tlbs.Asked(
        traces=tuple(traces),
        levels=tuple(level or ()),
        cpu=cpu,
        page=page,
        host=host,
        stream=stream.value,
        policy=policy.value,
        flush_every=flush_every,
        quantum=quantum,
        tags=tags is Switch.on,
        walk_caches=walk_caches,
        limit=limit,
    )
    row = tlbs.count(asked)
    typer.echo(tlbs.csv(row) if format is Rows.csv else tlbs.table(row))


@guarded
def walk(
    guest: Annotated[str, typer.Option(help="Page size of the guest, or the only one.")] = "4K",
    host: Annotated[
        str | None, typer.Option(help="Page size of the host; without it, a native walk.")
    ] = None,
    tables_on: Annotated[
        str | None, typer.Option(help="Host's page size below the guest's tables, if another.")
    ] = None,
    levels: Annotated[int, typer.Option(help="Levels of the guest's tree: 4 or 5.")] = 4,
    host_levels: Annotated[int, typer.Option(help="Levels of the host's tree: 4 or 5.")] = 4,
) -> None:
    """Print one page walk step by step, as it is when no cache knows the way."""
    from virtperf.cli import walks

    typer.echo(walks.show(guest, host, tables_on, levels=levels, host_levels=host_levels))


@guarded
def memory_(
    cpu: Annotated[
        str,
        typer.Option(help="A processor of models/tlbs whose data caches are known."),
    ] = "skylake-sp",
    share: Annotated[
        float,
        typer.Option(help="Share of the data caches that table entries have; data have the rest."),
    ] = 0.5,
    out: Annotated[Path, typer.Option(help="Folder to write the figures into.")] = OUT,
) -> None:
    """Compare the techniques of memory virtualization: walks, cycles, faults, table memory."""
    from virtperf.cli import paging
    from virtperf.cli.progress import bar

    with bar() as progress:
        study = paging.study(cpu, share, progress)
    writable(out)
    typer.echo(paging.show(study))
    with bar() as progress:
        paths = list(paging.draw(study, out, progress))
    for path in paths:
        typer.echo(f"wrote {path}")
