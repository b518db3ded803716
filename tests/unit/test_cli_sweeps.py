"""Sweeps from the command line."""

import json

import pytest
from typer.testing import CliRunner

from virtperf.cli import app
from virtperf.experiment import tasks

RUN = CliRunner()
FILE = """
title = "How many guests?"
scenario = "toy"
where = "vm.count != 2"

[vary]
"vm.count" = "1..3"

[precision]
"latency.mean" = 0.1

[run]
requests = 600
"""


def call(*words, code=0):
    result = RUN.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    (folder / "guests.toml").write_text(FILE, encoding="utf-8")
    call("sweep", folder / "guests.toml", "--store", folder / "sweeps")
    return folder


def test_a_plan_is_shown_before_anything_runs(store):
    said = call("sweep", store / "guests.toml", "--plan", "--store", store / "other")

    assert "guests: 2 points x 10 replications of 600 requests, 20 runs; about" in said.stdout
    assert "until latency.mean to 10 %" in said.stdout
    assert not (store / "other").exists()


def test_a_second_sweep_prints_what_is_stored(store, monkeypatch):
    monkeypatch.setattr(tasks, "run_one", None)
    again = call("sweep", store / "guests.toml", "--store", store / "sweeps")

    assert "vm.count=3" in again.stdout
    assert "precision met" in again.stdout
    assert "20 runs are stored already" in again.stderr


def test_stored_sweeps_are_listed_and_shown(store):
    listed = call("results", "ls", store / "sweeps").stdout
    shown = call("results", "show", store / "sweeps" / "guests").stdout

    assert listed.splitlines()[1].split()[:5] == ["guests", "2", "20", "0", "0"]
    assert "120.0 us" in shown
    assert "theory" in call("results", "show", store / "sweeps" / "guests", "--full").stdout
    assert "no sweep is stored in" in call("results", "ls", store / "none").stdout


@pytest.mark.parametrize(
    ("form", "begins"),
    [("csv", "point,"), ("json", '{"point"'), ("pkb", '{"metric"'), ("canonical", "experiment,")],
)
def test_a_sweep_is_exported(store, form, begins, tmp_path):
    folder, file = store / "sweeps" / "guests", tmp_path / "out"
    printed = call("results", "export", folder, "--as", form).stdout
    call("results", "export", folder, "--as", form, "-o", file)

    assert printed.startswith(begins)
    assert len(file.read_text(encoding="utf-8").splitlines()) == len(printed.splitlines()) > 20


def test_a_sweep_answers_sql(store):
    pytest.importorskip("duckdb")
    query = (
        "select point, max(n) n from summary where metric = 'latency.mean' group by 1 order by 1"
    )

    said = call("results", "sql", store / "sweeps" / "guests", query).stdout

    assert said.splitlines() == ["point,n", "vm.count=1,10.0", "vm.count=3,10.0"] or (
        said.splitlines() == ["point,n", "vm.count=1,10", "vm.count=3,10"]
    )


def test_points_are_compared_with_a_baseline(store):
    folder = store / "sweeps" / "guests"
    said = call("results", "compare", folder, "--baseline", "vm.count=1").stdout

    assert "latency.mean against vm.count=1" in said
    assert "+81.8%" in said
    wrong = call("results", "compare", folder, "--baseline", "vm.cnt=1", code=1)
    assert "did you mean vm.count" in wrong.stderr


def test_one_run_is_made_again(store):
    folder = store / "sweeps" / "guests"
    said = call("replay", folder, "--point", "vm.count=1", "--replication", 3)

    assert said.stdout.startswith("600 requests in ")
    wrong = call("replay", folder, "--point", "vm.count=9", "--replication", 3, code=1)
    assert "did you mean vm.count=" in wrong.stderr
    gone = call("replay", store / "none", "--point", "x", "--replication", 0, code=1)
    assert "has no sweep in it" in gone.stderr


def test_run_varies_too(tmp_path):
    words = ("run", "toy", "--vary", "vm.count=1,2", "--requests", 400, "--store", tmp_path)
    said = call(*words, "--progress", "json", "--format", "csv")

    assert said.stdout.startswith("point,metric,unit,mean,ci_low,ci_high,n\n")
    lines = [json.loads(line) for line in said.stderr.splitlines() if line.startswith("{")]
    assert lines[-1]["done"] == lines[-1]["planned"] == 20
    assert (tmp_path / "toy-by-vm.count" / "plan.json").is_file()


def test_a_failed_run_is_told_by_the_exit_code(tmp_path, monkeypatch):
    real = tasks.run_one

    def fails(system, seed, replication, *more):
        if replication == 2:
            raise RuntimeError("boom")
        return real(system, seed, replication, *more)

    monkeypatch.setattr(tasks, "run_one", fails)
    words = ("run", "toy", "--vary", "vm.count=1", "--requests", 400, "--store", tmp_path)

    assert (
        "RuntimeError: boom (replication 2; again: virtperf replay" in call(*words, code=1).stdout
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["scenario must be given"]),
        ('scenario = "toi"', ["did you mean toy"]),
        ('scenario = "toy"\nvray = 1', ["did you mean vary"]),
        (
            'scenario = "toy"\n[run]\nrequest = 1\nseed = "x"',
            ["requests", "run.seed must be a whole"],
        ),
        ('scenario = "toy"\n[vary]\n"vm.cuont" = [1]', ["did you mean vm.count"]),
        (
            'scenario = "toy"\nwhere = "vm.count > 9"\n[vary]\n"vm.count" = [1]',
            ["where must be met"],
        ),
        ('scenario = "toy"\n[vary]\n"vm.count" = []', ["at least one level"]),
        ('scenario = "toy"\n[vary]\n"vm.count" = [0, -1]', ["at least 1, got 0", "got -1"]),
        ('scenario = "toy"\n[precision]\n"latency.mean" = 7', ["in (0, 1)"]),
        ("scenario = [", ["is not TOML"]),
    ],
)
def test_all_that_is_wrong_with_a_file_is_told_at_once(tmp_path, text, says):
    (tmp_path / "wrong.toml").write_text(text, encoding="utf-8")

    said = call("sweep", tmp_path / "wrong.toml", code=1).stderr

    assert "wrong.toml" in said
    assert all(word in said for word in says), said


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert "cannot be read" in call("sweep", tmp_path / "none.toml", code=1).stderr
