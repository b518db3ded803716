"""What commands have in common: their options, how their errors become one message."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from virtperf.errors import OutputError, VirtperfError

Command = TypeVar("Command", bound=Callable[..., None])
INTERRUPTED = 130


class Format(StrEnum):
    """How a result is printed."""

    table = "table"
    csv = "csv"
    json = "json"


class Engine(StrEnum):
    """What makes the runs."""

    fast = "fast"
    sim = "sim"


class Kind(StrEnum):
    """What can be listed."""

    platforms = "platforms"
    scenarios = "scenarios"
    techniques = "techniques"
    profiles = "profiles"
    policies = "policies"
    workloads = "workloads"
    images = "images"
    isas = "isas"


def examples(*lines: str) -> str:
    """Return an epilog whose lines are kept as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def guarded(command: Command) -> Command:
    """Turn errors into one message and an exit code: 1 for ours, 130 for Ctrl-C."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except VirtperfError as error:
            typer.echo(f"virtperf: {error}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("virtperf: interrupted; only a store keeps what was finished", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return run  # type: ignore[return-value]


def writable(out: Path | None) -> None:
    """Refuse a folder that cannot be written before anything is simulated."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".virtperf").touch()
        (out / ".virtperf").unlink()
    except OSError as error:
        raise OutputError(out, f"cannot be written: {error.strerror}") from None


ScenarioArg = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a shipped one.")
]
SeedOpt = Annotated[int | None, typer.Option(help="Root of all randomness.", min=0)]
ReplicationsOpt = Annotated[int | None, typer.Option(help="Independent runs.", min=1)]
RequestsOpt = Annotated[
    int | None, typer.Option(help="Requests per run; planned if not given.", min=1)
]
EngineOpt = Annotated[
    Engine | None,
    typer.Option(help="Compiled, or SimPy; the same results. [default: fast where it can]"),
]
OutOpt = Annotated[Path | None, typer.Option(help="Write all tables into this folder, as CSV.")]
FormatOpt = Annotated[Format, typer.Option(help="How to print the result.")]
StoreOpt = Annotated[
    Path | None,
    typer.Option(help="Folder to keep runs in; those that are in it are not made again."),
]


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given, as plain values."""
    return {
        name: value.value if isinstance(value, StrEnum) else value
        for name, value in options.items()
        if value is not None
    }
