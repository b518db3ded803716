"""Random systems of every primitive: nothing is lost, nobody idles beside work, time scales."""

from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines import plain
from tests.property.test_engine import watched
from tests.random_systems import RandomSystem
from virtperf.errors import SimulationError
from virtperf.sim import run
from virtperf.sim.engine import Machine
from virtperf.sim.inbox import Inbox
from virtperf.sim.source import Source
from virtperf.tables import NONE, Run, System

pytestmark = pytest.mark.property
SEEDS = st.integers(0, 10_000_000)
REQUESTS = 120


def machine(system: System, requests: int = REQUESTS) -> Machine:
    return Machine(system, seed=1, replication=0, requests=requests)


def without_names(result: Run) -> list:
    """Return all of a run that does not depend on what its tables name besides."""
    last = result.snapshots[-1]
    busy = [sorted(ticks for ticks in row if ticks) for row in last.cpu]
    mine = [sorted(ticks for ticks in row if ticks) for row in last.requests]
    return [result.ends, result.sums, result.batch, last.completed, last.residence, busy, mine]


@settings(max_examples=150)
@given(seed=SEEDS)
def test_every_primitive_balances_and_wastes_no_pcpu(seed):
    """The ledger checks itself at the end of each run."""
    system = RandomSystem(seed).system()
    with watched():
        last = (result := machine(system).run()).snapshots[-1]

    assert sum(last.completed) >= REQUESTS  # others may end at the very instant of the last
    assert last.in_system >= sum(last.residence) + result.in_flight  # the rest was dropped
    assert [sum(row) for row in last.cpu] == [last.time] * system.pool.pcpus


@settings(max_examples=100)
@given(seed=SEEDS)
def test_no_request_is_lost_or_made_twice(seed):
    """What a closed source has outstanding is in the system or thinks, always."""
    system = RandomSystem(seed).system()
    created: dict[int, int] = defaultdict(int)
    creating = Source._create

    def count(self: Source, *alarm) -> None:
        created[self.index] += 1
        creating(self)

    with patch.object(Source, "_create", count):
        last = (crowd := machine(system)).run().snapshots[-1]
    ours = [request for request in crowd.in_flight if not request.row.side]
    dropped = sum(created.values()) - len(ours) - sum(last.completed)

    assert dropped == dict(zip(system.sides, last.sides, strict=True)).get("dropped", 0)
    just_over = sum(last.completed) - REQUESTS + 1
    for i, source in enumerate(system.sources):
        here = sum(request.source == i for request in ours)
        assert not source.outstanding or here <= source.outstanding
        if source.think == NONE and source.outstanding:
            assert here >= source.outstanding - just_over


@settings(max_examples=100)
@given(seed=SEEDS)
def test_a_system_whose_load_ends_runs_dry(seed):
    """A lost wake-up would leave somebody waiting for ever."""
    system = RandomSystem(seed, timers=False).system()
    left = 60
    creating = Source._create

    def create(self: Source, *alarm) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            creating(self)

    def no_more(self: Source, *alarm) -> None:
        if left > 0:
            arriving(self)

    arriving = Source._arrive
    crowd = machine(system, requests=10_000)
    with patch.multiple(Source, _create=create, _arrive=no_more), pytest.raises(SimulationError):
        crowd.run()
    assert not crowd.in_flight


@settings(max_examples=100)
@given(seed=SEEDS)
def test_what_was_cut_goes_on_with_exactly_what_was_left(seed):
    """Each step of work has an account of its own: it is booked in full, or not at all."""
    random = RandomSystem(seed)
    system = random.system()
    finish = Machine.finish

    def look(self: Machine, request, step) -> None:
        for account, ticks in request.booked.items():
            whole = random.work.get(system.accounts[account], ticks)
            assert ticks == whole
        finish(self, request, step)

    with patch.object(Machine, "finish", look):
        machine(system).run()


@contextmanager
def in_order() -> Iterator[None]:
    """Check that each inbox is served first in first out, those that were begun before others."""
    begun: dict[Inbox, deque] = defaultdict(deque)
    new: dict[Inbox, deque] = defaultdict(deque)
    push, take = Inbox.push, Inbox.take

    def pushing(self: Inbox, request) -> None:
        (begun if request.home is self else new)[self].append(request)
        push(self, request)

    def taking(self: Inbox):
        request = take(self)
        assert request is (begun[self] or new[self]).popleft()
        assert self.in_turn
        return request

    with patch.multiple(Inbox, push=pushing, take=taking):
        yield


@settings(max_examples=50)
@given(seed=SEEDS)
def test_an_inbox_is_served_in_order(seed):
    with in_order():
        machine(RandomSystem(seed).system()).run()


@settings(max_examples=50)
@given(seed=SEEDS)
def test_the_same_seed_gives_the_same_run(seed):
    a, b = (run(RandomSystem(seed).system(), seed=3, replication=1, requests=80) for _ in range(2))
    assert plain(a) == plain(b)


@settings(max_examples=50)
@given(seed=SEEDS)
def test_an_unused_part_changes_nothing(seed):
    bare, more = (RandomSystem(seed, spare=spare).system() for spare in (False, True))
    assert without_names(machine(more).run()) == without_names(machine(bare).run())


@settings(max_examples=50)
@given(seed=SEEDS, scale=st.sampled_from([2, 7, 1000]))
def test_times_scale(seed, scale):
    """All costs times k gives all instants, latencies and accounts times k, to the tick."""
    unit, scaled = (
        machine(RandomSystem(seed, scale=k, refills=False).system()).run() for k in (1, scale)
    )
    assert scaled.ends == tuple(scale * end for end in unit.ends)
    assert scaled.sums == tuple(scale * total for total in unit.sums)
    a, b = unit.snapshots[-1], scaled.snapshots[-1]
    assert b.cpu == tuple(tuple(scale * ticks for ticks in row) for row in a.cpu)
    assert b.requests == tuple(tuple(scale * ticks for ticks in row) for row in a.requests)
    assert b.counters == a.counters
