"""The command line. Imports nothing heavy before a command runs."""

import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from virtperf.errors import OutputError, VirtperfError

Command = TypeVar("Command", bound=Callable[..., None])

INTERRUPTED = 130
TIMELINES = Path("results/timeline")
POPF = Path("results/popf")
CPU = Path("results/cpu")


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
    policies = "policies"
    workloads = "workloads"
    isas = "isas"


def _examples(*lines: str) -> str:
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
            typer.echo("virtperf: interrupted before anything was finished", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return run  # type: ignore[return-value]


app = typer.Typer(
    name="virtperf",
    help="What does virtualization cost here, and where does each microsecond go?",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=_examples(
        "virtperf list scenarios",
        "virtperf run first-light",
        "virtperf compare first-light --over vm.disk --over vm.count=1,8",
        "virtperf timeline toy",
        "virtperf import fio mine.json -o mine.toml && virtperf compare mine.toml",
        "virtperf report",
    ),
)
importers = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Read a file of another tool.",
    epilog=_examples(
        "virtperf import fio qd1.json qd32.json -o disk.toml",
        "virtperf import perf-kvm exits.txt --duration 10 --vcpus 4",
    ),
)
app.add_typer(importers, name="import")

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


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Take the options that belong to no command."""
    if version:
        from virtperf import __version__

        typer.echo(f"virtperf {__version__}")
        raise typer.Exit


@app.command(epilog=_examples("virtperf schema > scenario.schema.json"))
@guarded
def schema() -> None:
    """Print the JSON schema of scenario files, for editors that complete and check TOML."""
    import json

    from virtperf.scenario import Scenario

    typer.echo(json.dumps(Scenario.json_schema(), indent=2))


@app.command(
    "list", epilog=_examples("virtperf list", "virtperf list platforms", "virtperf list --matrix")
)
@guarded
def list_(
    kind: Annotated[
        Kind | None, typer.Argument(help="What to list; everything if not given.")
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Which techniques go together, and why not.")
    ] = False,
) -> None:
    """List what ships with virtperf, and which techniques go together."""
    from virtperf.cli import inventory

    typer.echo(inventory.matrix() if matrix else inventory.listing(kind.value if kind else None))


@app.command(epilog=_examples("virtperf show x86-kvm-2020", "virtperf show first-light"))
@guarded
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A platform, workload or scenario: name or file.")
    ],
) -> None:
    """Print every number of a platform, workload or scenario with its source."""
    from virtperf.cli import inventory

    typer.echo(inventory.show(name))


@app.command(epilog=_examples("virtperf isa", "virtperf isa x86-32"))
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


@app.command(epilog=_examples("virtperf popf", "virtperf popf --out results/mine"))
@guarded
def popf(
    out: Annotated[Path, typer.Option(help="Folder to write popf.png into.")] = POPF,
) -> None:
    """Show what becomes of a guest's interrupt flag under each kind of monitor."""
    from virtperf.cli import flags

    _writable(out)
    outcomes = flags.outcomes()
    typer.echo(flags.show(outcomes))
    flags.draw(outcomes, out / "popf.png")
    typer.echo(f"wrote {out / 'popf.png'}", err=True)


@app.command(
    "cpu",
    epilog=_examples(
        "virtperf cpu",
        "virtperf cpu --platform p4-vmware-2006 --workload fork-storm --out results/p4",
    ),
)
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
    _writable(out)
    typer.echo(shown)
    for path in text.draw(machine, works if workload else text.examples(), out):
        typer.echo(f"wrote {path}")


@app.command(
    epilog=_examples(
        "virtperf run toy",
        "virtperf run first-light --replications 1",
        "virtperf run disk.toml --format csv > disk.csv",
        "virtperf run disk.toml --requests 12000   # enough for p99",
    )
)
@guarded
def run(
    scenario: ScenarioArg,
    seed: SeedOpt = None,
    replications: ReplicationsOpt = None,
    requests: RequestsOpt = None,
    engine: EngineOpt = None,
    out: OutOpt = None,
    format: FormatOpt = Format.table,
) -> None:
    """Simulate one scenario."""
    from virtperf.cli.progress import bar
    from virtperf.experiment import simulate
    from virtperf.scenario import Scenario

    _writable(out)
    chosen = Scenario.load(scenario)
    with bar() as progress:
        result = simulate(
            chosen,
            seed=seed,
            replications=replications,
            requests=requests,
            engine=engine,
            progress=progress,
        )
    if chosen.run.timeline is not None:
        _record(chosen, out or TIMELINES, chosen.run.timeline, seed, engine)
    _deliver(result, out, format)


@app.command(
    epilog=_examples(
        "virtperf compare first-light",
        "virtperf compare first-light-qd32 --over vm.disk --over vm.count=1,8",
        "virtperf compare disk.toml --over vm.load.outstanding=1,8,32",
        "virtperf compare disk.toml --over vm.disk --measured in-the-vm.json",
    )
)
@guarded
def compare(
    scenario: ScenarioArg,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS[=LEVELS]",
            help="What varies; may be given more than once. [default: vm.disk]",
        ),
    ] = None,
    measured: Annotated[
        Path | None, typer.Option(help="A fio result taken inside a real VM, to put beside.")
    ] = None,
    seed: SeedOpt = None,
    replications: ReplicationsOpt = None,
    requests: RequestsOpt = None,
    engine: EngineOpt = None,
    out: OutOpt = None,
    format: FormatOpt = Format.table,
) -> None:
    """Simulate a scenario at several levels, and say what differs."""
    from virtperf.cli.progress import bar
    from virtperf.experiment import compare as compare_levels
    from virtperf.scenario import Scenario

    _writable(out)
    base = Scenario.load(scenario)
    with bar() as progress:
        result = compare_levels(
            base,
            over or ["vm.disk"],
            seed=seed,
            replications=replications,
            requests=requests,
            engine=engine,
            progress=progress,
        )
    beside = ""
    if measured is not None:
        from virtperf.cli.measured import beside_measurement

        beside = "\n\n" + beside_measurement(result, base, measured)
    _deliver(result, out, format, after=beside)


@app.command(
    epilog=_examples(
        "virtperf timeline toy", "virtperf timeline first-light-qd32 --requests 500 --out results"
    )
)
@guarded
def timeline(
    scenario: ScenarioArg,
    requests: Annotated[int, typer.Option(help="Requests to record.", min=1)] = 200,
    seed: SeedOpt = None,
    engine: EngineOpt = None,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = TIMELINES,
) -> None:
    """Record a run: who was on which pCPU, and who told whom (ui.perfetto.dev shows it)."""
    from virtperf.scenario import Scenario

    _writable(out)
    _record(Scenario.load(scenario), out, requests, seed, engine)


def _record(
    scenario: Any, out: Path, requests: int, seed: int | None, engine: Engine | None
) -> None:
    """Write a recording as ``timeline.json`` and its end as ``timeline.png``."""
    from virtperf.experiment import record
    from virtperf.plot import gantt, save
    from virtperf.timeline import write

    recorded = record(scenario, requests=requests, seed=seed, engine=engine)
    title = f"{scenario.title or scenario.name}: the last 200 us of {requests:,} requests"
    write(recorded, out / "timeline.json")
    save(gantt(recorded, title=title), out / "timeline.png")
    typer.echo(f"wrote {out / 'timeline.json'} and {out / 'timeline.png'}", err=True)


@app.command(epilog=_examples("virtperf warmup"))
@guarded
def warmup() -> None:
    """Compile the fast engine now, so that the first run need not: once for each version."""
    from virtperf.fast import warm_up

    typer.echo(f"the fast engine is ready; that took {warm_up():.1f} s")


@importers.command(
    epilog=_examples(
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
    epilog=_examples(
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


@app.command(
    epilog=_examples("virtperf report", "virtperf report qd1.toml qd32.toml --out results/mine")
)
@guarded
def report(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO...]", help="Scenarios; the shipped fio files by default."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write index.html into.")] = Path(
        "results/report"
    ),
) -> None:
    """Write one HTML page: what a load sees, and where the time goes."""
    from virtperf.cli.progress import bar
    from virtperf.report import report as write_report

    _writable(out)
    with bar() as progress:
        page = write_report(out, scenarios or None, progress=progress)
    typer.echo(f"wrote {page}")


def _writable(out: Path | None) -> None:
    """Refuse a folder that cannot be written before anything is simulated."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".virtperf").touch()
        (out / ".virtperf").unlink()
    except OSError as error:
        raise OutputError(out, f"cannot be written: {error.strerror}") from None


def _deliver(result: Any, out: Path | None, format: Format, after: str = "") -> None:
    """Print and store a result; a partial one is kept, and told by the exit code."""
    from virtperf.cli import text

    if out is not None:
        typer.echo(f"wrote {result.to_csv(out)}", err=True)
    if format is Format.csv:
        typer.echo(text.csv(result))
    elif format is Format.json:
        typer.echo(result.to_json())
    else:
        typer.echo(text.show(result) + after)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    if result.partial:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="virtperf")
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        sys.exit(0)
