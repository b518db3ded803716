"""An open source that brings more than can be carried: queues grow, but requests get through."""

import pytest

from tests.systems import DISKS, system
from virtperf.sim.clock import Alarm, Owner, Ticker
from virtperf.sim.engine import Machine

US = 1_000_000  # ticks


@pytest.mark.parametrize("disk", DISKS)
def test_overload_does_not_stop_the_service(disk):
    """A turn must end although the inbox never empties, else what it deferred never starts."""
    built = system(disk, load={"kind": "open", "rate": 1e6}, channels=4)
    machine = Machine(built, seed=1, replication=0, requests=10**9)
    for worker in machine.workers:
        machine.env.process(worker.process)
    machine.env.run(until=machine.env.timeout(0))
    machine._start()
    machine.env.run(until=Alarm(machine.env, Ticker(Owner.TIMER, 0), 10_000 * US))
    assert sum(machine.completed) > 50
