import doctest
from importlib import import_module
from pathlib import Path

import pytest

import virtperf

ROOT = Path(virtperf.__file__).parent
MODULES = [path for name in ("design", "stats") for path in sorted((ROOT / name).glob("[!_]*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_example_of_a_docstring_is_true(path):
    module = import_module(f"virtperf.{path.parent.name}.{path.stem}")
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0
