"""A run in which no request ever ends is given up, by both engines at the same event."""

import pytest

from tests.engines import both
from tests.schedules import BOTH, FAR, MS, under_credit
from virtperf.assembly import Assembly
from virtperf.errors import SimulationError
from virtperf.path import end, work
from virtperf.tables import progress

EACH = pytest.mark.parametrize("engine", BOTH, ids=lambda engine: engine.__name__)


def endless():
    """Return two workers that take turns, whose work never ends."""
    assembly = Assembly("endless", slice_ns=MS)
    for name in "AB":
        assembly.worker(name, name)
        path = (work(name, float(FAR), name), end())
        assembly.source(name, {name: (1.0, path)}, to=name, outstanding=1)
    return assembly.system()


@EACH
def test_it_is_given_up(engine, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 125)  # times 4, and 2 workers
    with pytest.raises(SimulationError, match="endless: 5,000 events came and went, but no"):
        engine.run(endless(), seed=1, replication=0, requests=100)


def test_both_engines_look_at_the_same_events(monkeypatch):
    seen = []
    for engine in BOTH:
        looks = []

        class Watched(progress.Watch):
            def look(self, left, looks=looks):
                looks.append((self.mark, left))
                super().look(left)

        monkeypatch.setattr(engine.engine, "Watch", Watched)
        monkeypatch.setattr(progress, "EVERY", 3)
        engine.run(under_credit(), seed=1, replication=0, requests=300)
        seen.append(looks)
    assert seen[0] == seen[1]
    assert len(seen[0]) > 5


def test_a_run_that_gets_somewhere_goes_on(monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 1)
    compiled, reference = both(under_credit(), seed=1, requests=300)
    assert compiled == reference
    assert "error" not in reference
