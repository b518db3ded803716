"""What is compiled is kept, found again, and never used for another version."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from virtperf import builds
from virtperf.fast import compiling, warmup

ROOT = Path(compiling.__file__).parents[1]
RUN = """
import sys
from time import perf_counter
from tests.systems import system
from virtperf.fast import run
built = system("virtio")
start = perf_counter()
print(sum(run(built, seed=1, replication=0, requests=100).snapshots[-1].completed))
"""


@pytest.fixture
def tree(tmp_path):
    for part in ("fast", "rules", "tables"):
        shutil.copytree(ROOT / part, tmp_path / part)
    return tmp_path


@pytest.mark.parametrize(
    "changed", ["rules/lock.py", "fast/layout.py", "tables/histogram.py", "fast/worker.py"]
)
def test_another_rule_layout_or_flow_has_another_name(tree, changed):
    before = compiling.digest(tree)
    assert before == compiling.digest(ROOT)
    with (tree / changed).open("a") as file:
        file.write("# one more line\n")
    assert compiling.digest(tree) != before


def test_another_compiler_and_the_checked_build_have_another_name(monkeypatch):
    names = {compiling.digest(ROOT)}
    monkeypatch.setattr(compiling, "CHECKED", not compiling.CHECKED)
    names.add(compiling.digest(ROOT))
    monkeypatch.setattr(builds, "version", lambda name: "0")
    names.add(compiling.digest(ROOT))
    assert len(names) == 3


def test_builds_of_other_versions_are_swept_away_but_for_the_latest(tmp_path, monkeypatch):
    monkeypatch.setenv("VIRTPERF_CACHE", str(tmp_path))
    for age in range(7):
        (tmp_path / f"engine-{age}").mkdir()
        os.utime(tmp_path / f"engine-{age}", (age, age))
    compiling.folder().mkdir()
    (tmp_path / "notes").mkdir()
    compiling.sweep()
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {*(f"engine-{age}" for age in range(3, 7)), compiling.build_name(), "notes"}


def test_the_cache_stands_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.delenv("VIRTPERF_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert builds.home() == tmp_path / "virtperf"


def test_a_second_warm_up_has_nothing_to_do():
    warmup.warm_up()
    assert warmup.warm_up(say=pytest.fail) < 0.1


@pytest.mark.slow
def test_what_was_kept_is_used_and_what_is_damaged_is_made_again(tmp_path):
    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", RUN],
            env=os.environ | {"VIRTPERF_CACHE": str(tmp_path), "VIRTPERF_CHECKED": "1"},
            capture_output=True,
            text=True,
        )
        assert done.stdout == "100\n", done.stderr
        return done.stderr

    assert "compiling the fast engine: once" in run()
    assert run() == ""
    (kept,) = tmp_path.rglob("*.nbc")
    kept.write_bytes(b"not what was written")
    assert "compiling the fast engine: once" in run()
    assert run() == ""
