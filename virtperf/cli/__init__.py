"""The command line. Imports nothing heavy before a command runs."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from virtperf.cli.cpus import cpu_, isa, popf
from virtperf.cli.crossover import crossover_
from virtperf.cli.importing import importers
from virtperf.cli.memory import memory_, tlb, walk
from virtperf.cli.options import (
    INTERRUPTED,
    Engine,
    EngineOpt,
    Format,
    FormatOpt,
    Kind,
    OutOpt,
    ReplicationsOpt,
    RequestsOpt,
    ScenarioArg,
    SeedOpt,
    examples,
    guarded,
    writable,
)
from virtperf.cli.paths import path as path_
from virtperf.cli.progress import Shown
from virtperf.cli.protection import protection_
from virtperf.cli.results import results
from virtperf.cli.sensitivity import sensitivity_
from virtperf.cli.size import size_
from virtperf.cli.sweeps import STORE, ProgressOpt, SweepsOpt, replay_, sweep_

TIMELINES = Path("results/timeline")


app = typer.Typer(
    name="virtperf",
    help="What does virtualization cost here, and where does each microsecond go?",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=examples(
        "virtperf list scenarios",
        "virtperf run first-light",
        "virtperf compare first-light --over vm.disk --over vm.count=1,8",
        "virtperf timeline toy",
        "virtperf run first-light --vary vm.disk --vary vm.count=1..4",
        "virtperf import fio mine.json -o mine.toml && virtperf compare mine.toml",
        "virtperf report",
    ),
)
app.add_typer(importers, name="import")
app.add_typer(results, name="results")


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Take the options that belong to no command."""
    if version:
        from virtperf import __version__

        typer.echo(f"virtperf {__version__}")
        raise typer.Exit


@app.command(epilog=examples("virtperf schema > scenario.schema.json"))
@guarded
def schema() -> None:
    """Print the JSON schema of scenario files, for editors that complete and check TOML."""
    import json

    from virtperf.scenario import Scenario

    typer.echo(json.dumps(Scenario.json_schema(), indent=2))


@app.command(
    "list", epilog=examples("virtperf list", "virtperf list platforms", "virtperf list --matrix")
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


@app.command(epilog=examples("virtperf show x86-kvm-2020", "virtperf show first-light"))
@guarded
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A platform, workload or scenario: name or file.")
    ],
) -> None:
    """Print every number of a platform, workload or scenario with its source."""
    from virtperf.cli import inventory

    typer.echo(inventory.show(name))


app.command(epilog=examples("virtperf isa", "virtperf isa x86-32"))(isa)
app.command(epilog=examples("virtperf popf", "virtperf popf --out results/mine"))(popf)
app.command(
    "cpu",
    epilog=examples(
        "virtperf cpu",
        "virtperf cpu --platform p4-vmware-2006 --workload fork-storm --out results/p4",
    ),
)(cpu_)


app.command(
    epilog=examples(
        "virtperf tlb sort.zst --level 16x4 --level 128x12",
        "virtperf tlb sort.zst --level FA64 --page 2M --stream ifetch --format csv",
        "virtperf tlb one.zst two.zst --quantum 10000 --tags off",
    )
)(tlb)
app.command(
    "memory",
    epilog=examples(
        "virtperf memory",
        "virtperf memory --cpu nehalem --share 0.25 --out results/nehalem",
    ),
)(memory_)
app.command(
    "protection",
    epilog=examples("virtperf protection", "virtperf protection iommu-modes"),
)(protection_)
app.command(epilog=examples("virtperf walk", "virtperf walk --guest 4K --host 2M"))(walk)


@app.command(
    epilog=examples(
        "virtperf run toy",
        "virtperf run first-light --replications 1",
        "virtperf run disk.toml --format csv > disk.csv",
        "virtperf run disk.toml --requests 12000   # enough for p99",
        "virtperf run first-light --vary vm.count=1..8 --vary platform.exit_kernel=1x,2x",
    )
)
@guarded
def run(
    scenario: ScenarioArg,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS=LEVELS", help="Sweep over these levels; may be given more than once."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Leave out the points that do not meet this, e.g. vm.count <= 4."),
    ] = None,
    seed: SeedOpt = None,
    replications: ReplicationsOpt = None,
    requests: RequestsOpt = None,
    engine: EngineOpt = None,
    store: SweepsOpt = STORE,
    progress: ProgressOpt = Shown.auto,
    out: OutOpt = None,
    format: FormatOpt = Format.table,
) -> None:
    """Simulate one scenario, or sweep over it with --vary."""
    from virtperf.cli.progress import bar
    from virtperf.experiment import simulate
    from virtperf.scenario import Scenario

    writable(out)
    chosen = Scenario.load(scenario)
    if vary or where:
        from virtperf.cli.sweeps import carry_out
        from virtperf.experiment.varying import varied

        how = {"seed": seed, "replications": replications, "requests": requests, "engine": engine}
        swept = varied(chosen, vary or [], where or [], **how)
        carry_out(swept, store, None, progress, out, format)
        return
    with bar() as told:
        result = simulate(
            chosen,
            seed=seed,
            replications=replications,
            requests=requests,
            engine=engine,
            progress=told,
        )
    if chosen.run.timeline is not None:
        _record(chosen, out or TIMELINES, chosen.run.timeline, seed, engine)
    _deliver(result, out, format)


@app.command(
    epilog=examples(
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
            help="What varies; may be given more than once. [default: techniques, as vm.disk]",
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
    from virtperf.experiment.plan import main_axis
    from virtperf.scenario import Scenario

    writable(out)
    base = Scenario.load(scenario)
    with bar() as progress:
        result = compare_levels(
            base,
            over or [main_axis(base)],
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


app.command(
    "sweep",
    epilog=examples(
        "virtperf sweep experiments/iothreads.toml --plan",
        "virtperf sweep mine.toml --store results/sweeps",
        "virtperf sweep mine.toml --cluster tcp://10.0.0.1:8786 --progress json",
        "virtperf sweep mine.toml --retry-failed",
    ),
)(sweep_)
app.command(
    "replay",
    epilog=examples("virtperf replay results/sweeps/mine --point 'vm.count=2' --replication 3"),
)(replay_)
app.command(
    "path",
    epilog=examples(
        "virtperf path first-light",
        "virtperf path first-light --over vm.disk=native,virtio --out results/paths",
        "virtperf path whole-vm --over vm",
    ),
)(path_)


app.command("size", epilog=examples("virtperf size first-light --until 'p99 <= 3 ms'"))(size_)
app.command(
    "crossover",
    epilog=examples(
        "virtperf crossover queue-depth-1 --vary vm.load.outstanding=1..32 "
        "--between vm.disk=virtio,vhost-blk"
    ),
)(crossover_)
app.command(
    "sensitivity",
    epilog=examples(
        "virtperf sensitivity queue-depth-1 --out results/qd1",
        "virtperf sensitivity queue-depth-1 --method morris --output throughput",
        "virtperf sensitivity toy --over platform.exit_kernel=0.5x..2x",
    ),
)(sensitivity_)


@app.command(
    epilog=examples(
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

    writable(out)
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


@app.command(epilog=examples("virtperf warmup"))
@guarded
def warmup() -> None:
    """Compile what is compiled now, so that the first run need not: once for each version."""
    from virtperf import fast, mmu

    typer.echo(f"the fast engine is ready; that took {fast.warm_up():.1f} s")
    typer.echo(f"TLBs and page walks are ready; that took {mmu.warm_up():.1f} s")


@app.command(
    epilog=examples(
        "virtperf report",
        "virtperf report qd1.toml qd32.toml --out results/mine",
        "virtperf report net-server file-server --out results/servers",
    )
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

    writable(out)
    with bar() as progress:
        page = write_report(out, scenarios or None, progress=progress)
    typer.echo(f"wrote {page}")


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
