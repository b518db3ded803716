"""Every experiment loads and plans; its script runs, and says what the page of answers says."""

import subprocess
import sys
from pathlib import Path

import pytest

from virtperf import Experiment, validation

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments"
PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
QUICK = ("shadow_or_nested", "adams_2006_nanobenchmarks")
MANY = ("page_size", "overcommit", "iommu", "dom0")  # TLBs to run, or VMs to solve for
TOOLS = ("asking", "reproducing", "__main__")
FILES = sorted(FOLDER.glob("*.toml"))
SCRIPTS = sorted(path for path in FOLDER.rglob("*.py") if path.stem not in TOOLS)


def each(paths, slow):
    """Return the paths as parameters; those of `slow` take more than a few seconds."""
    marks = {path: [pytest.mark.slow] if slow(path) else [] for path in paths}
    return [pytest.param(path, marks=marks[path], id=path.stem) for path in paths]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_experiment_loads_and_has_a_script_beside_it(path):
    experiment = Experiment.load(path)

    assert experiment.name == path.stem
    assert experiment.title
    assert len(experiment.design) > 5
    assert path.with_suffix(".py").exists()


@pytest.mark.parametrize("path", each(FILES, lambda path: path.stem in MANY))
def test_an_experiment_plans_and_saturates_nowhere(path):
    experiment = Experiment.load(path)
    plan = str(experiment.plan())

    assert f"{len(experiment.design)} points x" in plan
    assert "saturat" not in plan


def ran(script, results):
    done = subprocess.run(
        [sys.executable, script, results], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def folder(script):
    return script.stem if script.parent == FOLDER else f"papers/{script.stem}"


@pytest.mark.parametrize("script", each(SCRIPTS, lambda path: path.stem not in QUICK))
def test_a_script_draws_and_says_what_the_page_says(script, tmp_path):
    answer = ran(script, tmp_path)

    assert answer in PAGE
    assert (tmp_path / folder(script) / "figure.png").stat().st_size > 10_000
    assert list((tmp_path / folder(script)).glob("*.csv"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_is_told_of(script):
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 60
    assert f"experiments/{script.relative_to(FOLDER)}" in PAGE


def test_claims_are_found_by_the_beginning_of_their_outcome():
    found = validation.claims_of("walk.", "wang11.")

    assert [claim.outcome for claim in found] == ["walk.nested", "walk.native", "wang11.gap"]
    assert validation.claims_of("nobody99.") == ()


def test_a_quoted_address_may_be_set_to_a_table(tmp_path):
    think = '"vm.load.think" = { kind = "exponential", mean = "1ms" }'
    file = tmp_path / "mine.toml"
    file.write_text(f'scenario = "overcommit"\n[set]\nvm.count = 2\n{think}\n', encoding="utf-8")

    (vm,) = Experiment.load(file).scenario.vm

    assert (vm.count, vm.load.think.mean) == (2, 1e6)
