"""The analyses from the command line: an answer first, files where they were asked for."""

import pytest
from typer.testing import CliRunner

from virtperf.cli import app

FEW = ["--replications", "2", "--requests", "400"]
DEPTH = "vm.load.outstanding"


def virtperf(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_size_answers_first_and_writes_tables(tmp_path):
    until = ["--until", "mean <= 60 us"]
    done = virtperf("size", "toy", "--vary", f"{DEPTH}=1..4", *until, *FEW, "--out", tmp_path)

    assert done.exit_code == 0
    assert done.stdout.startswith(f"latency.mean <= 60.0 us holds up to {DEPTH}=")
    assert (tmp_path / "summary.csv").is_file()


def test_crossover_answers_first():
    rivals = ["--between", "vm.disk=native,virtio"]
    done = virtperf("crossover", "toy", "--vary", f"{DEPTH}=1,2", *rivals, *FEW)

    assert done.exit_code == 0
    assert done.stdout.startswith("vm.disk=native is better at every level from 1 to 2")


def test_sensitivity_draws_a_tornado(tmp_path):
    over = ["--over", "platform.exit_kernel=0.5x..2x"]
    done = virtperf("sensitivity", "toy", *over, *FEW, "--out", tmp_path)

    assert done.exit_code == 0
    assert "0.5x to 2x" in done.stdout
    assert (tmp_path / "tornado.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["size", "toy", "--vary", "vm.count=1,2"], "size.vary must be given with a range"),
        (["size", "toy", "--until", "p99"], "criterion.until must be a metric"),
        (["crossover", "toy", "--vary", "vm.count=1..2", "--between", "vm.disk"], "two levels"),
        (["sensitivity", "toy"], "reads no number of toy that has one"),
    ],
)
def test_what_cannot_be_asked_is_one_message(arguments, says):
    done = virtperf(*arguments)

    assert done.exit_code == 1
    assert says in done.stderr
