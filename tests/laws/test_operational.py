"""Little's law and the utilization law hold for every run, exactly, not on the average."""

import pytest

from tests.systems import DISKS, station_queue, system, tandem, worker_queue
from virtperf.dist import Exponential
from virtperf.sim import run
from virtperf.sim.engine import Machine
from virtperf.sim.request import Request
from virtperf.tables import Kind, StationKind

pytestmark = pytest.mark.laws
CROWD = dict(vms=3, outstanding=8, pcpus=2, slice_="50us", channels=3, platform="x86-kvm-2020")
CROWD |= dict(service={"kind": "exponential", "mean": "30us"})
SYSTEMS = {disk: system(disk, **CROWD) for disk in DISKS} | {
    "open": station_queue(Exponential(1000.0), load=0.9),
    "worker": worker_queue(load=0.9),
    "tandem": tandem(1000.0, 700.0, customers=4),
}
EACH = pytest.mark.parametrize("built", SYSTEMS.values(), ids=SYSTEMS)


def under_way(machine: Machine) -> list[Request]:
    """Return the requests in the system; side paths are nobody's requests."""
    return [request for request in machine.in_flight if not request.row.side]


@EACH
def test_littles_law_is_exact(built):
    """The integral of the number in the system is the time all requests spent there."""
    result = run(built, seed=1, replication=0, requests=1000)
    last = result.snapshots[-1]
    assert last.in_system == sum(last.residence) + result.in_flight


@EACH
def test_littles_law_is_exact_at_every_snapshot(built):
    """At an instant, those under way have been there since they were created."""
    machine = Machine(built, seed=1, replication=0, requests=1000)
    look, ages = machine.look, []

    def watch():
        ages.append(sum(machine.env.now - request.created for request in under_way(machine)))
        return look()

    machine.probe.look = watch
    result = machine.run()

    checked = 0
    for snapshot in result.snapshots[1:]:
        age = snapshot.in_system - sum(snapshot.residence)
        assert age in ages
        checked += age > 0
    assert checked > 10


@EACH
def test_the_utilization_law_is_exact(built):
    """The integral of busy servers is the service all requests got, partial stays counted."""
    machine = Machine(built, seed=1, replication=0, requests=1000)
    result = machine.run()
    last = result.snapshots[-1]
    served = {step.account for step in built.steps if step.kind == Kind.SERVE}
    partial = sum(r.booked.get(account, 0) for r in machine.in_flight for account in served)
    booked = sum(row[account] for row in last.requests for account in served)
    stations = [s for s, row in enumerate(built.stations) if row.kind == StationKind.SERVERS]

    assert sum(last.busy[s] for s in stations) == booked + partial
    for s in stations:
        assert last.busy[s] <= built.stations[s].servers * last.time


@EACH
def test_waiting_at_a_station_is_the_integral_of_its_queue(built):
    machine = Machine(built, seed=1, replication=0, requests=1000)
    last = machine.run().snapshots[-1]
    stations = [s for s, row in enumerate(built.stations) if row.kind == StationKind.SERVERS]
    waits = {built.stations[s].wait_account for s in stations}
    partial = sum(r.booked.get(account, 0) for r in machine.in_flight for account in waits)
    booked = sum(row[account] for row in last.requests for account in waits)

    assert sum(last.queued[s] for s in stations) == booked + partial


@EACH
def test_no_request_is_lost(built):
    machine = Machine(built, seed=1, replication=0, requests=500)
    created = []
    enter = machine._begin
    for source in machine.sources:
        source.enter = lambda request, inbox: (created.append(request), enter(request, inbox))
    last = machine.run().snapshots[-1]
    assert sum(last.completed) + len(under_way(machine)) == len(created)
    assert sum(last.completed) == 500
