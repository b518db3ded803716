"""Small systems that nobody thought of: nothing is lost, nobody idles beside work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines import plain
from tests.systems import DISKS, scenario
from virtperf.build import build
from virtperf.sim import run
from virtperf.sim.engine import Machine
from virtperf.sim.lock import Lock
from virtperf.sim.pool import NOBODY, Pool
from virtperf.tables import DrawKind, System
from virtperf.theory import demands

pytestmark = pytest.mark.property
SERVICES = st.sampled_from(
    [
        {"kind": "deterministic", "value": "3us"},
        {"kind": "deterministic", "value": "20us"},
        {"kind": "exponential", "mean": "10us"},
        {"kind": "lognormal", "mean": "10us", "cv": 2.0},
    ]
)
LOADS = st.one_of(
    st.builds(
        lambda n, think, jobs: dict(kind="closed", outstanding=n, think=think, jobs=jobs),
        st.integers(1, 8),
        st.sampled_from(["0us", "5us", "50us"]),
        st.integers(1, 2),
    ),
    st.builds(lambda rate: dict(kind="open", rate=rate), st.sampled_from([5e3, 5e4, 1e6])),
)
SYSTEMS = st.builds(
    lambda disk, **words: build(scenario(disk, **words)),
    st.sampled_from(DISKS),
    vms=st.integers(1, 3),
    pcpus=st.integers(1, 4),
    policy=st.sampled_from(["round-robin", "round-robin", "pinned"]),
    platform=st.sampled_from(["toy", "x86-kvm-2020", "zen1-kvm-guest"]),
    poll=st.sampled_from([None, "0us", "2us", "30us"]),
    slice_=st.sampled_from(["3us", "10us", "1ms"]),
    channels=st.integers(1, 4),
    service=SERVICES,
    load=LOADS,
)


@contextmanager
def watched() -> Iterator[None]:
    """Look at pools and locks after each of their decisions."""

    def looking(method):
        def call(self: Pool, *given):
            answer = method(self, *given)
            for pcpu in self.pcpus:
                idle = pcpu.worker == NOBODY
                assert not (
                    idle
                    and self.policy.wanted(self, self.pcpus, self.workers, pcpu.index, self.env.now)
                )
            on = [pcpu.worker for pcpu in self.pcpus if pcpu.worker != NOBODY]
            assert len(on) == len(set(on))
            return answer

        return call

    def taking(self: Lock, by) -> bool:
        free = self.holder == -1
        got = take(self, by)
        assert not got or (free and self.busy.count == 1)
        return got

    def releasing(self: Lock) -> Any:
        assert self.holder != -1
        kicked = release(self)
        assert self.busy.count == (self.holder != -1)  # it may have been handed over at once
        return kicked

    take, release = Lock.take, Lock.release
    methods = {name: looking(getattr(Pool, name)) for name in ("request", "release", "_look_again")}
    with patch.multiple(Pool, **methods), patch.multiple(Lock, take=taking, release=releasing):
        yield


def is_constant(system: System) -> bool:
    return all(row.kind == DrawKind.DETERMINISTIC for row in system.draws)


@settings(max_examples=80)
@given(system=SYSTEMS, requests=st.integers(100, 200))
def test_whatever_runs_balances_and_wastes_no_pcpu(system, requests):
    """The ledger checks itself at the end of each run."""
    with watched():
        machine = Machine(system, seed=1, replication=0, requests=requests)
        last = (result := machine.run()).snapshots[-1]

    assert sum(last.completed) == requests
    assert last.in_system == sum(last.residence) + result.in_flight
    assert [sum(row) for row in last.cpu] == [last.time] * system.pool.pcpus
    floor = min(need.latency for need in demands(system).least)
    assert not is_constant(system) or sum(last.residence) >= requests * floor * (1 - 1e-9)


@settings(max_examples=25)
@given(system=SYSTEMS)
def test_the_same_seed_gives_the_same_run(system):
    a, b = (run(system, seed=3, replication=1, requests=100) for _ in range(2))
    assert plain(a) == plain(b)


@settings(max_examples=25)
@given(system=SYSTEMS, more=st.integers(1, 60))
def test_a_longer_run_begins_as_the_shorter_one(system, more):
    """How long a run is asked to be has no influence on what happens."""
    short, long = (run(system, seed=1, replication=0, requests=n) for n in (60, 60 + more))
    assert long.ends[: len(short.ends)] == short.ends
    assert long.sums[: len(short.sums)] == short.sums
