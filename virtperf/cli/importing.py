"""Commands that read files of other tools."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from virtperf.cli.options import examples, guarded

importers = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Read a file of another tool.",
    epilog=examples(
        "virtperf import fio qd1.json qd32.json -o disk.toml",
        "virtperf import perf-kvm exits.txt --duration 10 --vcpus 4",
        "virtperf import lackey sort.lackey -o sort.zst",
    ),
)


@importers.command(
    epilog=examples(
        "virtperf import fio qd1.json qd32.json -o disk.toml",
        "virtperf import fio qd1.json -o disk.toml --channels 8",
    )
)
@guarded
def fio(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="fio's --output-format=json+ files.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Scenario file to write.")],
    platform: Annotated[
        str, typer.Option(help="Platform the numbers of the host come from.")
    ] = "zen1-kvm-guest",
    channels: Annotated[
        int | None, typer.Option(help="Channels of the device, if you know them.", min=1)
    ] = None,
) -> None:
    """Fit one device to fio results of one disk and block size; write a scenario."""
    from virtperf.importers.fio import import_fio, write

    found = import_fio(files, platform=platform, channels=channels)
    written = write(found, output)
    typer.echo(f"wrote {', '.join(map(str, written))}" if written else f"wrote {output}")
    for line in (*found.flags, *(f"assumed: {says}" for says in found.assumed)):
        typer.echo(f"  - {line}")
    typer.echo(f"next: virtperf compare {output} --over vm.disk")


@importers.command(
    "perf-kvm",
    epilog=examples(
        "perf kvm stat report > exits.txt",
        "virtperf import perf-kvm exits.txt --duration 10 --vcpus 4 -o exits.csv",
    ),
)
@guarded
def perf_kvm(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="perf kvm stat, perf script of kvm events, or kvm_service_time."
        ),
    ],
    duration: Annotated[
        float | None, typer.Option(help="Wall time of the recording, in seconds.")
    ] = None,
    vcpus: Annotated[int | None, typer.Option(help="Virtual CPUs recorded.", min=1)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "--out", "-o", help="CSV to write.")
    ] = None,
) -> None:
    """Read why guests exited, how often and how long. Time% leaves out exits of idle guests."""
    from virtperf.cli import exits
    from virtperf.importers.perf_kvm import read_perf_kvm

    profile = read_perf_kvm(file, duration_s=duration, vcpus=vcpus)
    typer.echo(exits.show(profile))
    if output is not None:
        exits.write(profile, output)
        typer.echo(f"wrote {output}", err=True)


@importers.command(
    epilog=examples(
        "valgrind --tool=lackey --trace-mem=yes --log-file=ls.lackey ls",
        "virtperf import lackey ls.lackey -o ls.zst",
        "valgrind --tool=lackey --trace-mem=yes --log-fd=9 ls 9>&1 >ls.txt |",
        "    virtperf import lackey - -o ls.zst",
    )
)
@guarded
def lackey(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="valgrind --tool=lackey --trace-mem=yes; - is stdin."),
    ],
    output: Annotated[Path, typer.Option("--output", "--out", "-o", help="Page trace to write.")],
) -> None:
    """Make a page trace of what a program accessed; an access to two pages counts for both."""
    from virtperf.importers.lackey import import_lackey

    found = import_lackey(sys.stdin.buffer if file == "-" else file, output)
    typer.echo(f"wrote {output}: {found.words:,} words")
    typer.echo(f"  - {found.fetches:,} instruction fetches, {found.lines - found.fetches:,} data")
    typer.echo(f"  - {found.writes:,} write, {found.crossings:,} touch two pages")
    typer.echo(f"next: virtperf tlb {output}")
