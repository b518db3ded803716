"""docs/memory-traces.md runs: its Python, its commands, its links."""

import doctest
import re
import shlex
from importlib import import_module
from pathlib import Path

import matplotlib
import pytest
import typer
from typer.testing import CliRunner

from virtperf.cli import app

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "memory-traces.md"
PAGE = PATH.read_text(encoding="utf-8")


def commands():
    """Return each command of the page with the output shown below it."""
    found = {}
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("$ "):
                found[line.removeprefix("$ ")] = shown = []
            else:
                shown.append(line)
    return found


OURS = [part for line in commands() for part in line.split(" | ") if part.startswith("virtperf ")]


def test_python_of_the_page_runs_and_prints_what_it_shows(tmp_path, monkeypatch):
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(PAGE, {}, PATH.name, str(PATH), 0)
    assert len(test.examples) > 15
    said = []
    runner = doctest.DocTestRunner(verbose=False)
    failed, _ = runner.run(test, out=said.append)
    plt.close("all")
    assert not failed, "".join(said)


@pytest.mark.parametrize("command", OURS)
def test_a_command_of_the_page_parses(command):
    parser, (_, *arguments) = typer.main.get_command(app), shlex.split(command)
    while hasattr(parser, "commands"):
        parser = parser.commands[arguments.pop(0)]
    parser.make_context("virtperf", arguments)


def test_a_count_of_the_page_is_what_the_command_prints(monkeypatch):
    monkeypatch.chdir(ROOT)
    ((command, shown),) = [(line, says) for line, says in commands().items() if says]
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    assert len(shown) > 5 and set(shown) <= set(done.output.splitlines())


def test_names_of_the_page_are_public():
    import virtperf.mmu
    import virtperf.stream

    named = set(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE))
    public = set(virtperf.mmu.__all__) | set(virtperf.stream.__all__)
    assert len(named) == 11 and named <= public


@pytest.mark.parametrize(
    "module",
    [
        "mechanism.memory.stack_distance",
        "mmu.chosen_sizes",
        "mmu.every_associativity",
        "mmu.every_size",
        "stream.chunks",
        "stream.compose",
        "stream.declared",
        "stream.words",
    ],
)
def test_examples_in_docstrings_run(module):
    failed, tried = doctest.testmod(import_module(f"virtperf.{module}"))
    assert tried and not failed
