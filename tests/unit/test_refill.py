"""What a worker loads again after others ran on its pCPU: by hand, on both engines."""

from types import SimpleNamespace

import pytest

from tests.schedules import BOTH, recorded
from virtperf.assembly import Assembly
from virtperf.build import build
from virtperf.errors import ParameterError
from virtperf.path import end, work
from virtperf.rules.refill import reload
from virtperf.scenario import Scenario

US = 10**6  # ticks


@pytest.mark.parametrize(
    ("last", "others", "lost"),
    [(0, 0, 0), (0, 250, 25), (0, 1000, 100), (0, 5000, 100), (1, 0, 100)],
)
def test_what_is_lost_grows_with_what_others_ran(last, others, lost):
    worker = SimpleNamespace(refill=100, forgets=1000, last=last, seen_ran=7)
    assert reload(worker, SimpleNamespace(index=0, ran=7 + others)) == pytest.approx(lost, abs=1)


def test_it_is_exact_however_long_the_times():
    worker = SimpleNamespace(refill=10**12, forgets=10**12, last=0, seen_ran=0)
    assert reload(worker, SimpleNamespace(index=0, ran=5 * 10**11)) == 5 * 10**11


@pytest.mark.parametrize("engine", BOTH)
def test_two_that_take_turns_load_again_each_time(engine):
    """Slices of 1 ms, a switch of 2 us, 100 us to load all, forgotten after 500 us of others."""
    assembly = Assembly("turns", pcpus=1, slice_ns=1e6, switch_ns=2e3)
    for name in ("a", "b"):
        assembly.worker(name, "vcpu", refill_ns=1e5, forgets_ns=5e5)
        path = (work(name, 5e6, name), end())
        assembly.source(name, {name: (1.0, path)}, to=name, outstanding=1)
    timeline = recorded(assembly.system(), 3, engine=engine)
    spans = [(s.name, (s.end - s.start) // US) for s in timeline.pcpus[0][:7]]
    assert spans[0] == ("a", 1000)
    turn = [("host: switch", 2), ("vcpu: cache refill", 100)]
    assert spans[1:4] == [*turn, ("b", 898)]
    assert spans[4:7] == [*turn, ("a", 898)]


def test_a_slice_must_be_longer_than_a_switch_with_its_reload():
    assembly = Assembly("short", slice_ns=1e5, switch_ns=1e3)
    with pytest.raises(ParameterError, match="refill"):
        assembly.worker("a", "vcpu", refill_ns=1e5)


def test_a_working_set_is_loaded_as_far_as_the_cache_holds_it():
    def refill(working_set: str) -> tuple[int, int]:
        vm = {"name": "a", "cpu": {"technique": "hardware"}, "working_set": working_set}
        vm["load"] = {"kind": "work", "workload": "compute-bound"}
        (row,) = build(Scenario.from_dict({"platform": "toy", "vm": [vm]})).workers
        return row.refill, row.forgets

    # 1 MiB of cache at 10 GB/s: 104.8576 us
    assert refill("512KiB") == (52_428_800, 104_857_600)
    assert refill("64MiB") == (104_857_600, 104_857_600)
