"""Every law that makes a run makes it with both engines; the compiled one must be far closer.

A module that calls `run` is tested with `run` of each engine in turn. Where it says `LONGER` and
`TIGHT` (how many times as long runs are, and how wide a half-width may be, as a share of what is
expected), these are the engine's too. What is marked `long` is slow in SimPy only.
"""

import pytest

from virtperf import fast, sim

ENGINES = {
    "fast": {"run": fast.run, "LONGER": 10, "TIGHT": 0.01},
    "sim": {"run": sim.run, "LONGER": 1, "TIGHT": 0.025},
}


def pytest_generate_tests(metafunc):
    if hasattr(metafunc.module, "run"):
        metafunc.parametrize("engine", ENGINES, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def engine(request):
    """Let the module's runs be made by an engine."""
    chosen = ENGINES.get(getattr(request, "param", ""), {})
    before = {name: getattr(request.module, name, None) for name in chosen}
    for name, value in chosen.items():
        setattr(request.module, name, value)
    yield
    for name, value in before.items():
        setattr(request.module, name, value)


def pytest_collection_modifyitems(items):
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if item.get_closest_marker("long") and params.get("engine") == "sim":
            item.add_marker(pytest.mark.slow)
