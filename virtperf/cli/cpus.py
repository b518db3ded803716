"""Commands about CPUs: what traps, what then goes wrong, and what each technique costs."""

from pathlib import Path
from typing import Annotated

import typer

from virtperf.cli.options import guarded, writable

POPF = Path("results/popf")
CPU = Path("results/cpu")


@guarded
def isa(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="An instruction set; a table of all if not given."),
    ] = None,
) -> None:
    """Say whether trap-and-emulate is enough for an instruction set, and if not, why."""
    from virtperf.cli import isas

    typer.echo(isas.show(name) if name is not None else isas.overview())


@guarded
def popf(
    out: Annotated[Path, typer.Option(help="Folder to write popf.png into.")] = POPF,
) -> None:
    """Show what becomes of a guest's interrupt flag under each kind of monitor."""
    from virtperf.cli import flags

    writable(out)
    outcomes = flags.outcomes()
    typer.echo(flags.show(outcomes))
    flags.draw(outcomes, out / "popf.png")
    typer.echo(f"wrote {out / 'popf.png'}", err=True)


@guarded
def cpu_(
    platform: Annotated[str, typer.Option(help="A platform: name or file.")] = "x86-kvm-2020",
    workload: Annotated[
        list[str] | None,
        typer.Option(help="A workload, name or file; may be given more than once. [default: all]"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write the figures into.")] = CPU,
) -> None:
    """Compare the techniques of CPU virtualization: slowdown, exits, memory, what they ask for."""
    from virtperf.cli import cpu as text

    machine, works = text.load(platform, workload or [])
    shown = text.show(machine, works)
    writable(out)
    typer.echo(shown)
    for path in text.draw(machine, works if workload else text.examples(), out):
        typer.echo(f"wrote {path}")
