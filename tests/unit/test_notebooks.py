"""Pages that run: notebooks, and the commands, files and tables of docs/cpu.md."""

import re
import shlex
import tomllib
from pathlib import Path

import matplotlib
import pytest
import typer
from typer.testing import CliRunner

from virtperf import catalog
from virtperf.cli import app
from virtperf.plot.cpu_data import way
from virtperf.scenario import Scenario
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import cpu_technique
from virtperf.technique.cpu.operations import OPERATIONS
from virtperf.technique.cpu.price import price
from virtperf.technique.cpu.workload import once
from virtperf.technique.memory import memory_technique

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cpu.md").read_text(encoding="utf-8")
QUICK = ("isa", "popf", "list", "import perf-kvm")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def commands() -> dict[str, list[str]]:
    """Return each command of the page with the output that is shown below it."""
    found: dict[str, list[str]] = {}
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ virtperf "):
            found[line.removeprefix("$ virtperf ")] = shown = []
        else:
            shown.append(line)
    return found


def table(*header: str) -> list[list[str]]:
    """Return the cells of the table whose header begins so."""
    lines = PAGE.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {' | '.join(header)}"))
    rows = []
    for line in [lines[start], *lines[start + 2 :]]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def cycles(operation: str, cpu: str, memory: str, platform: str) -> str:
    """Return what an operation costs, as the page writes it."""
    machine = catalog.platform(platform)
    costs = Costs(machine)
    steps = once(OPERATIONS[operation], cpu_technique(cpu, costs), memory_technique(memory, costs))
    ns = sum(step.cost.mean for step in steps)
    return f"{ns * machine['frequency'].base / 1e9:,.0f}"


# -- notebooks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda p: p.stem)
def test_a_notebook_runs_from_top_to_bottom_and_draws(path, tmp_path, monkeypatch, capsys):
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    monkeypatch.chdir(tmp_path)
    plt.close("all")
    names = {"__name__": "__main__"}
    for cell in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = cell.partition("\n")
        if "[markdown]" not in title:
            exec(compile(body, str(path), "exec"), names)

    figures = [plt.figure(number) for number in plt.get_fignums()]
    assert len(figures) >= 5
    assert all(axes.has_data() for figure in figures for axes in figure.axes[:1])
    assert capsys.readouterr().out
    assert not list(tmp_path.iterdir())  # it leaves nothing behind
    plt.close("all")


# -- commands, files and links of the page --------------------------------------------------------


def parse(command: str) -> None:
    """Take a command's options and arguments without running it."""
    parser, arguments = typer.main.get_command(app), shlex.split(command)
    while hasattr(parser, "commands"):
        parser = parser.commands[arguments.pop(0)]
    parser.make_context("virtperf", arguments)


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_page_parses(command):
    parse(command)


def test_a_command_that_does_not_parse_would_be_noticed():
    with pytest.raises(Exception, match="No such option: --nowhere"):
        parse("popf --nowhere")
    with pytest.raises(KeyError, match="popff"):
        parse("popff")


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith(QUICK)])
def test_a_quick_command_prints_what_the_page_shows(command, tmp_path, monkeypatch):
    arguments = [str(ROOT / one) if one.startswith("tests/") else one for one in command.split()]
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(app, arguments)

    assert done.exit_code == 0, done.output
    printed = done.output.splitlines()
    assert [line for line in commands()[command] if line not in printed] == []


def test_files_of_the_page_can_be_used_as_they_stand(tmp_path):
    mine, guest = blocks("toml")
    (tmp_path / "mine.toml").write_text(mine, encoding="utf-8")
    (tmp_path / "guest.toml").write_text(guest, encoding="utf-8")

    workload = catalog.workload(tmp_path / "mine.toml")
    assert price(catalog.platform("x86-kvm-2020"), workload, "hardware").ns > 0
    assert set(workload) == set(tomllib.loads(mine)) - {"title"}
    vm = Scenario.load(tmp_path / "guest.toml").vm[0]
    assert Path(vm.load.workload) == tmp_path / "mine.toml"


def test_python_of_the_page_runs(capsys):
    for block in blocks("python"):
        exec(compile(block, "docs/cpu.md", "exec"), {})
    assert "exits.pte-write" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["docs/cpu.md", "docs/memory.md", "README.md"])
def test_links_lead_somewhere(page):
    here = ROOT / page
    targets = re.findall(r"\]\(([^)#]+)\)", here.read_text(encoding="utf-8"))
    missing = [to for to in targets if "://" not in to and not (here.parent / to).exists()]
    assert targets and not missing


# -- tables of the page ---------------------------------------------------------------------------


def test_slowdowns_of_the_page_are_what_the_model_says():
    machine = catalog.platform("x86-kvm-2020")
    (_, *ways), *rows = table("workload", "dbt")
    for name, *shown in rows:
        work = catalog.workload(name)
        bare = price(machine, work, "direct").ns
        assert [f"{price(machine, work, *way(one)).ns / bare:.2f}" for one in ways] == shown, name


def test_costs_of_operations_on_the_page_are_what_the_model_says():
    (_, *ways), *rows = table("operation", "direct")
    for name, *shown in rows:
        memory = ("native", "shadow", "shadow", "shadow")
        pairs = zip(ways, memory, strict=True)
        assert [cycles(name, cpu, by, "p4-vmware-2006") for cpu, by in pairs] == shown, name


def test_one_page_table_write_has_the_prices_of_the_page():
    (*_, old, new), *rows = table("shadow tables under")
    for cpu, _, *shown in rows:
        assert [cycles("pte_write", cpu, "shadow", one) for one in (old, new)] == shown, cpu


def test_claims_on_the_pentium_4_are_those_of_the_page():
    from virtperf.validation.cpu_claims import CPU_CLAIMS
    from virtperf.validation.judge import run

    claims = [claim for claim in CPU_CLAIMS if claim.outcome.startswith("adams06.")]
    judged = {
        f"{one.published:,.0f}": (f"{one.predicted.value:,.0f}", one.accepts, one.verdict)
        for one in run(claims)
    }
    _, *rows = table("case", "published")
    assert {row[1] for row in rows} == set(judged)
    for _, published, model, accepted, shows in rows:
        predicted, (low, high), verdict = judged[published]
        said = "missed" if "**missed**" in shows else "met"
        assert (predicted, f"{low:,.0f} to {high:,.0f}", verdict) == (model, accepted, said)
