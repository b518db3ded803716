"""What is built is what works: the wheel alone, away from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOAD_EVERYTHING = """
import json, virtperf
from virtperf import catalog
from virtperf.scenario import Scenario

for name in catalog.names("platforms"):
    assert len(catalog.platform(name)) > 0
for name in catalog.names("scenarios"):
    Scenario.load(name)
print(json.dumps({
    "platforms": catalog.names("platforms"),
    "scenarios": catalog.names("scenarios"),
    "references": len(catalog.bibliography()),
    "files": [virtperf.__file__, *(str(catalog.path(kind, name))
              for kind in ("platforms", "scenarios", "workloads", "images", "published")
              for name in catalog.names(kind))],
}))
"""


def run(*command: object, **options: object) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that the checkout stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    waste = shutil.ignore_patterns("__pycache__")
    for name in ("virtperf", "models"):
        shutil.copytree(ROOT / name, source / name, ignore=waste)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, source)
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, source)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel):
    """The Python of an environment that holds the wheel and nothing else."""
    env = wheel.parent / "env"
    run(sys.executable, "-m", "venv", "--without-pip", env)
    python = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "-q", "--no-deps", "--no-index", wheel)
    return python


def stored(folder: str, *suffixes: str) -> set[str]:
    files = (path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.*"))
    return {path.as_posix() for path in files if path.suffix in suffixes}


def test_the_wheel_holds_every_module_and_every_model(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    modules = {f"virtperf/{name}" for name in stored("virtperf", ".py", ".j2", ".typed")}
    models = stored("models", ".py", ".toml", ".bib", ".csv", ".json", ".j2", ".md")

    assert modules | {f"virtperf/models/{name}" for name in models} <= held
    assert "virtperf/py.typed" in held


def test_every_platform_and_scenario_loads_from_the_installed_copy(installed, tmp_path):
    # A folder on PYTHONPATH gives its packages but runs no .pth file: no editable checkout.
    libraries = sysconfig.get_path("purelib")
    elsewhere = {**os.environ, "PYTHONPATH": libraries}
    told = json.loads(run(installed, "-c", LOAD_EVERYTHING, cwd=tmp_path, env=elsewhere))

    assert told["platforms"] == sorted(path.stem for path in (ROOT / "models/platforms").glob("*"))
    assert told["scenarios"] == sorted(path.stem for path in (ROOT / "models/scenarios").glob("*"))
    assert told["platforms"]
    assert told["scenarios"]
    assert told["references"] > 0
    home = installed.parents[1]
    assert all(Path(file).is_relative_to(home) for file in told["files"])
