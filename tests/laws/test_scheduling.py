"""All time of workers and pCPUs is somebody's, and each move has its cause, exactly."""

import pytest

from tests.random_systems import RandomSystem
from tests.schedules import under_credit
from tests.systems import DISKS, SLEEPLESS, system
from virtperf.assembly.scheduling import SWITCH
from virtperf.sim import run
from virtperf.sim.engine import Machine
from virtperf.tables import NONE, System, WorkerState

pytestmark = pytest.mark.laws
CROWD = dict(vms=4, outstanding=8, pcpus=2, slice_="20us", channels=8, platform="x86-kvm-2020")
CROWD |= dict(service={"kind": "exponential", "mean": "30us"}, poll="15us")
RUNS = (WorkerState.RUNNING, WorkerState.INTERRUPT, WorkerState.POLLING)


SYSTEMS = {
    f"{disk}, {p}": system(disk, policy=p, **CROWD)
    for disk in DISKS
    for p in (
        "round-robin",
        "pinned",
    )
} | {"credit": under_credit()}
EACH = pytest.mark.parametrize("built", SYSTEMS.values(), ids=SYSTEMS)


def snapshots(built: System):
    return run(built, seed=1, replication=0, requests=600).snapshots


def spent(snapshot, *states: WorkerState) -> int:
    return sum(row[state] for row in snapshot.workers for state in states)


def pcpu_time(built: System, snapshot) -> dict[str, int]:
    times = zip(built.accounts, zip(*snapshot.cpu, strict=True), strict=True)
    return {account: sum(column) for account, column in times}


@EACH
def test_a_worker_is_in_some_state_all_the_time(built):
    for snapshot in snapshots(built):
        assert [sum(row) for row in snapshot.workers] == [snapshot.time] * len(built.workers)


@EACH
def test_shares_of_workers_switches_and_idle_time_are_all_pcpus(built):
    """What pCPUs book to accounts is what workers say they did there."""
    for snapshot in snapshots(built):
        booked = pcpu_time(built, snapshot)
        idle = sum(booked[built.accounts[account]] for account in built.pool.idling)
        switching = spent(snapshot, WorkerState.SWITCHING)

        assert switching == booked[SWITCH]
        assert spent(snapshot, *RUNS) + switching + idle == built.pool.pcpus * snapshot.time


@EACH
def test_who_is_put_on_a_pcpu_has_woken_or_has_been_preempted(built):
    result = run(built, seed=1, replication=0, requests=600)
    woken = sum(histogram.count for batch in result.wakes for histogram in batch)
    last = result.snapshots[-1]

    assert 0 < last.switches <= woken + last.preemptions
    assert last.migrations <= woken + last.preemptions


@pytest.mark.parametrize("disk", DISKS)
def test_pinned_workers_do_not_migrate(disk):
    assert snapshots(SYSTEMS[f"{disk}, pinned"])[-1].migrations == 0


@pytest.mark.parametrize("disk", [disk for disk in DISKS if disk not in SLEEPLESS])
def test_where_nobody_is_preempted_all_waiting_comes_after_a_wake_up(disk):
    """Those that wait still, at the end, have not been counted."""
    machine = Machine(system(disk, **CROWD | {"slice_": "1s"}), seed=1, replication=0, requests=600)
    last = machine.run().snapshots[-1]
    waiting = [w.requested for w in machine.workers if w.requested != NONE]

    assert last.preemptions == 0 < sum(last.waking)
    assert spent(last, WorkerState.READY) == sum(last.waking) + sum(last.time - t for t in waiting)


@pytest.mark.parametrize("seed", range(40))
def test_the_time_of_random_systems_is_somebodys_too(seed):
    """Those have host interrupts, tasks, locks that spin or sleep."""
    built = RandomSystem(seed).system()
    for snapshot in snapshots(built):
        idle = pcpu_time(built, snapshot)[built.accounts[built.pool.idle_account]]
        on = spent(snapshot, *RUNS, WorkerState.SWITCHING)
        assert on + idle == built.pool.pcpus * snapshot.time
