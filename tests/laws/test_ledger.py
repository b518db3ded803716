"""Every tick is booked once; a run that lost one booking must fail."""

import pytest

from tests.systems import DISKS, system
from virtperf.errors import LedgerError
from virtperf.sim import run
from virtperf.sim.clock import Account
from virtperf.sim.engine import Machine
from virtperf.sim.request import Request
from virtperf.tables import System, WorkerState

pytestmark = pytest.mark.laws
CROWD = dict(vms=4, outstanding=32, pcpus=2, slice_="20us", platform="x86-kvm-2020")
CROWD |= dict(service={"kind": "exponential", "mean": "30us"}, channels=8)
REQUESTS = 200


def crowd(disk: str, policy: str = "round-robin") -> System:
    """Return a system in which everybody waits for everybody, with short slices and polls."""
    return system(disk, policy=policy, poll="15us", **CROWD)


def machine(built: System) -> Machine:
    return Machine(built, seed=1, replication=0, requests=REQUESTS)


class Forgetful(Account):
    """An account that loses the first booking of one dial."""

    __slots__ = ()
    victim = -1
    lost = 0

    def enter(self, dial: int) -> None:
        ticks = self.env.now - self.since
        if self.current == Forgetful.victim and ticks and not Forgetful.lost:
            Forgetful.lost = ticks
            self.since = self.env.now
        super().enter(dial)

    @classmethod
    def of(cls, victim: int) -> None:
        cls.victim, cls.lost = victim, 0


@pytest.mark.parametrize("policy", ["round-robin", "pinned"])
@pytest.mark.parametrize("disk", DISKS)
def test_a_crowd_with_short_slices_balances_to_the_tick(disk, policy):
    built = crowd(disk, policy)
    result = run(built, seed=1, replication=0, requests=2 * REQUESTS)
    last = result.snapshots[-1]

    assert sum(last.completed) == 2 * REQUESTS
    assert sum(map(sum, last.requests)) == sum(last.residence)
    assert [sum(row) for row in last.cpu] == [last.time] * built.pool.pcpus
    assert sum(last.residence) + result.in_flight == last.in_system


@pytest.mark.parametrize("disk", DISKS)
def test_a_run_that_loses_one_booking_of_a_request_fails(disk, monkeypatch):
    built = crowd(disk)
    seen: set[int] = set()
    honest = Request.book

    def watch(self, account, ticks):
        seen.update([account] if ticks else [])
        honest(self, account, ticks)

    monkeypatch.setattr(Request, "book", watch)
    machine(built).run()

    def forgetful(self, account, ticks):
        if account == victim and ticks and not lost and self in one.in_flight:
            lost.append(ticks)
        else:
            honest(self, account, ticks)

    monkeypatch.setattr(Request, "book", forgetful)
    assert len(seen) >= 5
    for victim in seen:
        lost: list[int] = []
        one = machine(built)
        with pytest.raises(LedgerError):
            one.run()
        assert lost, built.accounts[victim]


@pytest.mark.parametrize("disk", DISKS)
def test_a_run_that_loses_one_booking_of_a_pcpu_fails(disk):
    built = crowd(disk)
    last = machine(built).run().snapshots[-1]
    used = {a for row in last.cpu for a, ticks in enumerate(row) if ticks}

    assert {"vcpu: guest user", "host: switch"} <= {built.accounts[account] for account in used}
    for victim in used:
        Forgetful.of(victim)
        one = machine(built)
        for pcpu in one.pool.pcpus:
            pcpu.account.__class__ = Forgetful
        with pytest.raises(LedgerError):
            one.run()
        assert Forgetful.lost, built.accounts[victim]


@pytest.mark.parametrize("disk", ["virtio", "emulated-nvme"])
def test_a_run_that_loses_one_booking_of_a_worker_fails(disk):
    built = crowd(disk)
    for victim in WorkerState:
        Forgetful.of(victim)
        one = machine(built)
        for worker in one.workers:
            worker.clock.__class__ = Forgetful
        try:
            one.run()
        except LedgerError:
            assert Forgetful.lost
        else:
            assert not Forgetful.lost, victim.name  # a state nobody was in
