"""The import direction is a rule of the house, so it is a test."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import virtperf

ROOT = Path(__file__).parents[2] / "virtperf"
FLOORS = [  # a module imports from lower rows only
    {"errors", "units", "rng", "stats", "builds"},
    {"params", "dist", "catalog", "path"},
    {"tables"},
    {"draws", "rules", "mechanism", "assembly"},
    {"technique", "stream"},
    {"sim", "fast", "theory", "mmu"},
    {"scenario", "build", "importers"},
    {"design", "experiment", "store", "result"},
    {"validation", "timeline", "plot", "report"},
    {"cli"},
    {"__main__"},
]
NEIGHBOURS = {  # the few imports allowed within a floor
    "units": {"errors"},
    "rng": {"errors", "units"},
    "stats": {"errors"},
    "catalog": {"params"},
    "path": {"dist"},
    "assembly": {"rules"},
    "importers": {"scenario"},
    "build": {"scenario"},
    "experiment": {"design", "store", "result"},
    "report": {"plot", "validation"},
}
AT_HOME = {"simpy": {"sim"}, "numba": {"fast", "mmu"}, "matplotlib": {"plot", "report"}}
HEAVY = ["numpy", "simpy", "pydantic", "rich", "pyarrow", "matplotlib", "pandas", "scipy", "numba"]

FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def home(path: Path) -> str:
    """Return the module, or the package, right below virtperf that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yield every module or name a file imports, dotted and absolute, wherever it stands."""
    package = ("virtperf", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join(filter(None, (*above, node.module)))
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def inner(path: Path) -> set[str]:
    """Return what a file imports of virtperf: modules and packages right below it."""
    parts = [name.split(".") for name in imports(path)]
    below = {name[1] for name in parts if name[0] == "virtperf" and len(name) > 1}
    return {virtperf._HOME.get(name, name) for name in below} - {"__version__", "models"}


EACH = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))


@EACH
def test_every_module_has_a_floor(path):
    assert home(path) in FLOOR, f"{home(path)} stands on no floor: add it to FLOORS on purpose"


@EACH
def test_imports_point_down(path):
    here = home(path)
    allowed = {name for name, level in FLOOR.items() if level < FLOOR[here]}
    allowed |= NEIGHBOURS.get(here, set()) | {here}
    assert inner(path) <= allowed, f"{here} must not import {sorted(inner(path) - allowed)}"


@EACH
@pytest.mark.parametrize("library", AT_HOME)
def test_a_library_is_imported_only_where_it_is_at_home(path, library):
    if any(name.split(".")[0] == library for name in imports(path)):
        assert home(path) in AT_HOME[library]


def test_the_walk_sees_imports_in_functions_and_relative_ones(tmp_path, monkeypatch):
    (tmp_path / "sim").mkdir()
    file = tmp_path / "sim" / "engine.py"
    file.write_text(
        "from ..tables import rows\nfrom . import pools\nfrom virtperf import Scenario\n"
        "def run():\n    import simpy.events\n    from virtperf.fast.loop import go\n"
    )
    monkeypatch.setitem(globals(), "ROOT", tmp_path)

    assert inner(file) == {"tables", "sim", "scenario", "fast"}
    assert "simpy.events" in set(imports(file))


def test_the_public_names_exist():
    for name in virtperf.__all__:
        assert getattr(virtperf, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Scenarios'"):
        _ = virtperf.Scenarios


@pytest.mark.parametrize("code", ["import virtperf", "HELP"])
def test_importing_virtperf_or_asking_for_help_loads_nothing_heavy(code):
    if code == "HELP":
        code = (
            "import virtperf.cli\nsys.argv = ['virtperf', '--help']\n"
            "try:\n    virtperf.cli.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        )
    script = f"import sys\n{code}\nprint('LOADED', *sorted(set(sys.modules) & set({HEAVY})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]
