"""Compiled TLBs and the compiled engine are kept apart: a change of one leaves the other alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from virtperf import builds
from virtperf.fast import compiling as engine
from virtperf.mmu import compiling

ROOT = Path(builds.__file__).parent


def names(root):
    """Return the hashes of the engine and of this package, as they would be at `root`."""
    return engine.digest(root), builds.digest(root, compiling._SOURCES)


@pytest.mark.parametrize(
    ("changed", "engine_too", "mmu_too"),
    [("mmu/compiling.py", False, True), ("fast/loop.py", True, False), ("path.py", False, False)],
)
def test_a_build_is_named_by_its_own_sources(tmp_path, changed, engine_too, mmu_too):
    for part in ("fast", "rules", "tables", "mmu"):
        shutil.copytree(ROOT / part, tmp_path / part)
    shutil.copy(ROOT / "path.py", tmp_path)
    before = names(tmp_path)
    assert before == names(ROOT)

    with (tmp_path / changed).open("a") as file:
        file.write("# one more line\n")
    after = names(tmp_path)

    assert (after[0] != before[0], after[1] != before[1]) == (engine_too, mmu_too)


def test_sweeping_the_builds_of_one_leaves_those_of_the_other(tmp_path, monkeypatch):
    monkeypatch.setenv("VIRTPERF_CACHE", str(tmp_path))
    for age in range(6):
        (tmp_path / f"mmu-{age}").mkdir()
        (tmp_path / f"engine-{age}").mkdir()
    builds.sweep("mmu-", "mmu-0")

    kept = [path.name for path in tmp_path.iterdir()]
    assert len([name for name in kept if name.startswith("engine-")]) == 6
    assert len([name for name in kept if name.startswith("mmu-")]) == 5
    assert "mmu-0" in kept


def _total(values):
    total = 0
    for value in values:
        total += value
    return total


def test_what_is_compiled_is_kept_in_the_folder_of_the_build(tmp_path, monkeypatch):
    monkeypatch.setenv("VIRTPERF_CACHE", str(tmp_path))
    assert compiling.entry(_total)(np.arange(4)) == 6
    assert list((tmp_path / compiling.build_name()).rglob("*.nbi"))
