"""docs/io.md: every path is named, its commands can be run, and its numbers are the model's."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from virtperf import catalog
from virtperf.cli import app
from virtperf.experiment import simulate
from virtperf.experiment.plan import design
from virtperf.scenario import Scenario
from virtperf.technique import matrix, profiles

FILE = catalog.root().parent / "docs" / "io.md"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="an installed copy has no docs")
PAGE = FILE.read_text(encoding="utf-8") if FILE.is_file() else ""
COMMANDS = re.findall(r"^\$ virtperf (.*)$", PAGE, re.MULTILINE)


def section(title):
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def cells(title):
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_path_has_its_place_in_the_table():
    rows = cells("Paths")
    block = set(re.findall(r"`([\w-]+)`", " ".join(row[1] for row in rows)))
    net = set(re.findall(r"`([\w-]+)`", " ".join(row[2] for row in rows)))
    placed = {"emulated-nvme-ioeventfd", "emulated-nvme-iothread", "emulated-nvme-dbbuf"}

    assert block | placed == set(matrix.disk_techniques())
    assert net == set(matrix.nic_techniques())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_can_be_run(command, tmp_path):
    words = shlex.split(command)
    if words[0] == "compare":  # what it asks for is there; running it takes longer than a test
        over = [words[n + 1] for n, word in enumerate(words) if word == "--over"]
        assert len(design(over, Scenario.load(words[1]))) > 1
        return
    words = [str(tmp_path) if word.startswith("results/") else word for word in words]
    assert CliRunner().invoke(app, words).exit_code == 0


@pytest.mark.parametrize("name", profiles.names())
def test_the_table_of_profiles_says_what_the_model_says(name):
    """To the microsecond that the table is rounded to, and the runs' own noise."""
    row = next(row for row in cells("Full virtualization or paravirtualization?") if row[0] == name)
    result = simulate(
        Scenario.load("whole-vm").with_("vm", name), requests=20_000, replications=4, band=False
    )
    for metric, cell in (("latency.mean", row[1]), ("cpu_per_request.total", row[2])):
        mean, half = result.value("whole-vm", metric)
        assert half < 2_000, "tight enough to tell"
        assert float(cell.removesuffix(" us")) == pytest.approx(mean / 1e3, abs=0.5 + half / 1e3)
