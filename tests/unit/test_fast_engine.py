"""The compiled engine from Python: tables that grow, looks in the middle, runs that are stopped."""

from dataclasses import replace

import numpy as np
import pytest

from tests.engines import both, plain
from tests.random_systems import RandomSystem
from tests.systems import station_queue, system
from virtperf import fast
from virtperf.assembly import Assembly
from virtperf.dist import Cycle, Exponential
from virtperf.errors import LedgerError, SimulationError
from virtperf.fast import engine, status
from virtperf.fast.engine import Attempt
from virtperf.fast.layout import DEPTH, TABLES
from virtperf.fast.loop import ADVANCE
from virtperf.fast.machine import why_not
from virtperf.fast.warmup import warm_up
from virtperf.path import end, serve
from virtperf.rules.policies import POLICIES
from virtperf.sim import run as reference

WORDS = {"seed": 1, "replication": 0}


def attempt(built, requests=400):
    warm_up()
    return Attempt(built, 1, 0, requests, dict.fromkeys(status.TABLES.values(), 256), None)


# -- tables that grow -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_tables_that_are_too_small_are_made_larger_and_nobody_sees_it(seed, monkeypatch):
    built = RandomSystem(seed, depth=32).system()
    expected = plain(fast.run(built, **WORDS, requests=2_000))
    monkeypatch.setattr(engine, "ROOM", 1)
    assert plain(fast.run(built, **WORDS, requests=2_000)) == expected


def burst():
    """Return a trace with thousands of arrivals at one instant, again and again."""
    assembly = Assembly("burst")
    assembly.station("d", 3)
    path = (serve("d", Exponential(50.0), "d", purpose="d"), end())
    gaps = Cycle((0.0,) * 2_999 + (400_000.0,))
    assembly.source("burst", {"job": (1.0, path)}, gap=gaps)
    return assembly.system()


def test_more_requests_at_once_than_there_are_rows():
    compiled, simulated = both(burst(), requests=9_000)
    assert compiled == simulated


def test_a_queue_that_grows_without_end_gets_the_rows_it_needs():
    overload = station_queue(Exponential(1_000.0), load=3.0)
    result = fast.run(overload, **WORDS, requests=30_000)
    assert result.snapshots[-1].in_system > 10_000 * result.snapshots[-1].time


def test_a_table_past_all_bounds_ends_the_run_with_its_name(monkeypatch):
    monkeypatch.setattr(engine, "ROOM", 1)
    monkeypatch.setattr(engine, "MOST_ROOM", 4)
    with pytest.raises(SimulationError, match=r"burst: the table of requests grows past 8 rows"):
        fast.run(burst(), **WORDS, requests=2_000)


def test_frames_are_enough_for_the_deepest_nesting():
    deepest = 0
    for seed in range(150):
        made = attempt(RandomSystem(seed).system())
        assert made.drive(None) == status.OVER
        used = made.machine.tables["frames"]["code"].reshape(-1, DEPTH) > 0
        deepest = max(deepest, int(used.sum(axis=1).max()))
    assert 8 < deepest <= DEPTH - 4


# -- looks in the middle of a run -----------------------------------------------------------------


def test_progress_is_told_and_may_stop_the_run_as_it_stands():
    built = system("virtio", vms=2, outstanding=8)
    told = []

    def enough(finished):
        told.append(finished)
        return finished > 300_000

    stopped = fast.run(built, **WORDS, requests=10**9, progress=enough)
    assert told == sorted(told)
    count = sum(stopped.snapshots[-1].completed)
    assert count == told[-1]
    # What is known of it is what a run of that length would have said.
    whole = fast.run(built, **WORDS, requests=count)
    assert stopped.ends[-1] <= whole.ends[-1]
    assert stopped.ends[:-1] == whole.ends[: len(stopped.ends) - 1]


def test_memory_does_not_grow_with_the_length_of_a_run():
    sizes = []
    for requests in (2_000, 200_000):
        made = attempt(system("virtio", vms=4, outstanding=32), requests)
        made.drive(None)
        made.result()
        sizes.append(sum(table.nbytes for table in made.machine.tables.values()))
        assert len(made.batches.snapshots) <= 66
    assert sizes[0] == sizes[1]


# -- what must not be -----------------------------------------------------------------------------


def test_a_request_whose_account_is_wrong_ends_the_run():
    made = attempt(system("virtio", outstanding=4))
    made.machine.set(budget=50)
    made._enter(ADVANCE)
    alive = made.machine.tables["requests"]["alive"] == 1
    made.machine.tables["requests"]["created"][alive] -= 1
    made.machine.set(status=status.RUNNING, budget=10**6)
    made._enter(ADVANCE)
    with pytest.raises(LedgerError, match=r"of read was .* ticks but .* were booked: 1 missing"):
        made.refuse(made.machine.get("status"))


def test_a_pcpu_whose_account_is_wrong_is_refused():
    made = attempt(system("virtio", outstanding=4))
    made.drive(None)
    made.machine.tables["cpu"][0] += 1
    with pytest.raises(LedgerError, match="pCPU 0"):
        made.result()


def test_a_worker_whose_clock_is_wrong_is_refused():
    made = attempt(system("virtio", outstanding=4))
    made.drive(None)
    made.machine.tables["workers"]["times"][0, 1] += 1
    with pytest.raises(LedgerError, match=r"web\[0\]"):
        made.result()


def test_a_policy_that_was_not_there_when_the_engine_was_compiled_is_told(monkeypatch):
    monkeypatch.setitem(POLICIES, 99, POLICIES[0])
    built = RandomSystem(1).system()
    strange = replace(built, pool=replace(built.pool, policy=99))
    assert why_not(built) == ""
    assert "policy 99" in why_not(strange)
    with pytest.raises(SimulationError, match="policy 99"):
        fast.run(strange, **WORDS, requests=10)
    assert sum(reference(strange, **WORDS, requests=10).snapshots[-1].completed) >= 10


def test_every_table_has_a_place_in_the_state():
    made = attempt(system("native"))
    assert set(made.machine.tables) == set(TABLES)
    for name, table in made.machine.tables.items():
        assert made.machine.get(name) == table.ctypes.data
        assert made.machine.get(f"{name}_rows") == len(table)
        assert table.dtype == TABLES[name]
        assert all(table.dtype[n].base == np.dtype("i8") for n in table.dtype.names or ())
