import json
import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from virtperf.cli import app
from virtperf.scenario import Scenario

runner = CliRunner()
TINY = ["--replications", "2", "--requests", "300"]


def virtperf(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_csv_is_exactly_the_summary_and_null_is_empty():
    done = virtperf("run", "toy", *TINY, "--format", "csv")

    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "point,metric,unit,mean,ci_low,ci_high,n"
    assert lines[1].startswith("toy,latency.mean,ns,66000.0,")
    assert "toy,latency.p99,ns,,,,0" in lines


def test_json_holds_the_tables_and_where_they_come_from():
    done = virtperf("run", "toy", *TINY, "--seed", "7", "--format", "json")

    data = json.loads(done.stdout)
    assert data["provenance"]["seed"] == 7
    assert {"summary", "requests", "sources", "nulls"} <= set(data)


def test_a_table_leads_with_the_answer_and_explains_nulls():
    done = virtperf("compare", "toy", "--over", "vm.disk=emulated-nvme,virtio", *TINY)

    assert done.exit_code == 0
    assert done.stdout.startswith("vm.disk=emulated-nvme: median latency ")
    assert "simulation noise" in done.stdout
    assert "too few samples" in done.stdout


def test_out_writes_every_table(tmp_path):
    done = virtperf("run", "toy", *TINY, "--out", tmp_path / "deep")

    assert done.exit_code == 0
    assert (tmp_path / "deep" / "summary.csv").is_file()


def test_an_unwritable_folder_is_refused_before_anything_runs(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("virtperf.experiment.simulate", lambda *_, **__: pytest.fail("was run"))

    done = virtperf("run", "toy", "--out", tmp_path / "file")

    assert done.exit_code == 1
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "tpy"], 1, "did you mean toy"),
        (["run", "no/such.toml"], 1, "cannot be read"),
        (["compare", "toy", "--over", "vm.count"], 1, "vm.count=1,2,4"),
        (["compare", "toy", "--over", "vm.dsk=1"], 1, "did you mean"),
        (["compare", "toy", "--over", "vm.disk=virtoi"], 1, "did you mean virtio?"),
        (["show", "toi"], 1, "did you mean toy?"),
        (["show", "lat-prc-2003"], 1, "did you mean lat-proc-2003?"),
        (["import", "fio", "no.json", "-o", "x.toml"], 1, "no.json"),
        (["run"], 2, "Missing argument"),
        (["run", "toy", "--replications", "0"], 2, "replications"),
        (["list", "platfroms"], 2, "platforms"),
    ],
)
def test_bad_input_is_one_message_and_an_exit_code(arguments, code, says):
    done = virtperf(*arguments)

    assert done.exit_code == code
    assert says in done.stderr
    assert "Traceback" not in done.output


def test_ctrl_c_keeps_what_is_finished_and_exits_130(monkeypatch):
    from virtperf.experiment import work

    attempts = []

    def attempt(unit, *progress):
        attempts.append(unit)
        if len(attempts) > 1:
            raise KeyboardInterrupt
        return work.run_one(unit.system, unit.seed, unit.replication, unit.requests, unit.engine)

    monkeypatch.setattr(work, "attempt", attempt)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    done = virtperf("run", "toy", *TINY)

    assert done.exit_code == 130
    assert "replications missing: 1" in done.stdout


def test_a_timeline_is_a_trace_and_a_figure(tmp_path):
    done = virtperf("timeline", "guest-processes", "--requests", "60", "--out", tmp_path)

    assert done.exit_code == 0
    events = json.loads((tmp_path / "timeline.json").read_text())["traceEvents"]
    assert {"X", "M", "s", "f"} == {event["ph"] for event in events}
    assert (tmp_path / "timeline.png").stat().st_size > 10_000


def test_a_scenario_that_wants_a_timeline_gets_one_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = Scenario.load("toy").with_("run.timeline", 20).to_toml()
    (tmp_path / "mine.toml").write_text(wanted)
    done = virtperf("run", "mine.toml", *TINY)

    assert done.exit_code == 0
    assert (tmp_path / "results" / "timeline" / "timeline.json").exists()


def test_list_names_what_ships_and_the_matrix_gives_reasons():
    assert "first-light" in virtperf("list", "scenarios").stdout
    assert "round-robin" in virtperf("list").stdout
    assert "lat-proc-2003" in virtperf("list", "images").stdout
    assert "no hypervisor behind the virtqueue" in virtperf("list", "--matrix").stdout


@pytest.mark.parametrize("name", ["toy", "x86-kvm-2020", "first-light", "lat-proc-2003"])
def test_show_prints_numbers_with_their_sources(name):
    done = virtperf("show", name)

    assert done.exit_code == 0
    assert "evidence" in done.stdout


def test_a_measurement_stands_beside_the_prediction_with_what_would_explain_it():
    from virtperf import catalog

    real = catalog.path("scenarios", "toy").parents[1] / "fio" / "randread_psync_qd1.json"
    over = ["--over", "vm.disk=emulated-nvme,virtio"]
    done = virtperf("compare", "first-light", *over, *TINY, "--measured", real)

    assert done.exit_code == 0
    assert "vm.disk=virtio throughput" in done.stdout
    assert "one cost alone would explain it" in done.stdout


def test_help_teaches_by_example_and_loads_nothing_heavy():
    code = (
        "import sys, virtperf.cli\n"
        "try: virtperf.cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = 'numpy simpy pydantic rich pyarrow matplotlib pandas scipy numba'.split()\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )

    assert "virtperf compare first-light --over vm.disk" in done.stdout
    assert "LOADED []" in done.stdout


def test_warmup_says_how_long_it_took():
    done = virtperf("warmup")
    assert done.exit_code == 0
    assert re.search(r"the fast engine is ready; that took \d+\.\d s", done.output)
    assert re.search(r"TLBs and page walks are ready; that took \d+\.\d s", done.output)


def test_engines_print_the_same_result():
    fast, sim = (virtperf("run", "toy", *TINY, "--engine", engine) for engine in ("fast", "sim"))
    assert fast.exit_code == sim.exit_code == 0
    assert fast.stdout == sim.stdout
    assert virtperf("run", "toy", "--engine", "warp").exit_code == 2
