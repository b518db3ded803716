"""A run in which no request ever ends is given up, by both engines at the same event."""

import pytest

from tests.engines import both
from tests.nets import net
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
    monkeypatch.setattr(progress, "EVERY", 25)  # times 25, times 4, and 2 workers
    with pytest.raises(SimulationError, match="endless: 5,000 events came and went, but no"):
        engine.run(endless(), seed=1, replication=0, requests=100)


def test_both_engines_look_at_the_same_events(monkeypatch):
    seen = []
    for engine in BOTH:
        looks = []

        class Watched(progress.Watch):
            def look(self, left, *more, looks=looks):
                looks.append((self.mark, left, more))
                super().look(left, *more)

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


FLOOD = {"kind": "packets", "direction": "in", "size": 18}


def flooded(rate):
    """Return a guest with a NIC of its own, into which packets come at a rate."""
    return net("passthrough", FLOOD | {"rate": rate})


@pytest.fixture
def short(monkeypatch):
    """Have 200 losses in a ms be enough."""
    for name, value in {"EVERY": 1_000, "LOST": 200, "SECOND": 10**9}.items():
        monkeypatch.setattr(progress, name, value)


@EACH
def test_a_guest_that_is_flooded_is_given_up_and_named(engine, short):
    """At 2 million packets a second the guest's interrupts leave its processes nothing."""
    says = r"requests were lost in .* but none ended: interrupts take guest\[0\].vcpu0 .*tasks 0%"
    with pytest.raises(SimulationError, match=says):
        engine.run(flooded(2e6), seed=1, replication=0, requests=20_000)


def test_both_engines_give_a_flooded_guest_up_alike(short):
    compiled, reference = both(flooded(2e6), requests=20_000)
    assert compiled == reference
    assert "error" in compiled


def test_losses_are_no_reason_as_long_as_some_request_ends(short):
    compiled, reference = both(net("vhost-net", FLOOD | {"rate": 1.2e6}), requests=2_000)
    assert compiled == reference
    assert "error" not in compiled


def test_side_paths_that_end_are_no_losses():
    """The TX cleanup of each packet is a side path: none of them counts."""
    built = net("native", {"kind": "stream"})
    watch = progress.Watch(built, 100)
    many = [progress.LOST] * len(built.sides)
    lost = {"lost: RX ring full"} & set(built.sides)
    for name in lost:
        many[built.sides.index(name)] = 0
    watch.look(100, 10 * progress.SECOND, many, [[0] * 7] * len(built.workers))


def test_a_thread_that_never_gets_a_pcpu_is_named(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0)
    watch = progress.Watch(endless(), 1)
    waits = [[0, 95, 5, 0, 0, 0, 0], [0, 0, 100, 0, 0, 0, 0]]
    with pytest.raises(SimulationError, match=r"no request ended: A waits for a pCPU 95% of it"):
        watch.look(1, 100, [], waits)
