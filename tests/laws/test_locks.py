"""What becomes of a lock whose holder loses its pCPU, by discipline; times in ns."""

import pytest

from virtperf.assembly import Assembly
from virtperf.path import end, lock, unlock, work
from virtperf.sim import run
from virtperf.tables import System

pytestmark = pytest.mark.laws
VCPUS, PCPUS, SLICE = 8, 4, 3e6


def contenders(discipline: str, *, pcpus: int = PCPUS) -> System:
    """Return vCPUs that spend half of their time under one lock."""
    assembly = Assembly(discipline, pcpus=pcpus, slice_ns=SLICE, switch_ns=1_500)
    spins = discipline in ("ticket", "unfair")
    assembly.lock("l", called="lock", wake_ns=50 if spins else 3_000, discipline=discipline)
    for n in range(VCPUS):
        name = f"v{n}"
        assembly.worker(name, "vcpu")
        path = (
            work(name, 2_000, "vcpu: alone"),
            lock("l", masked=False),
            work(name, 2_000, "vcpu: inside"),
            unlock("l"),
            end(),
        )
        assembly.source(name, {"job": (1.0, path)}, to=name, outstanding=1)
    return assembly.system()


def rate(system: System, requests: int) -> float:
    """Return requests per second."""
    last = run(system, seed=1, replication=0, requests=requests).snapshots[-1]
    return sum(last.completed) / last.time * 1e12


def test_a_preempted_ticket_holder_collapses_throughput_and_a_barging_lock_does_not():
    """Two vCPUs per pCPU: a ticket goes to whoever is next in line, though it does not run."""
    ticket = rate(contenders("ticket"), 2_000), rate(contenders("ticket", pcpus=VCPUS), 20_000)
    barging = [rate(contenders("mutex-barging", pcpus=p), 20_000) for p in (PCPUS, VCPUS)]

    assert ticket[0] < ticket[1] / 20  # overcommit against a pCPU each
    assert ticket[0] < barging[0] / 20  # and against the other lock on the same pCPUs
    assert barging[0] > barging[1] / 2


def test_who_spins_for_a_preempted_holder_burns_its_slice():
    """Nearly all time of the pCPUs goes into spinning."""
    system = contenders("ticket")
    last = run(system, seed=1, replication=0, requests=2_000).snapshots[-1]
    spent = {
        name: sum(column)
        for name, column in zip(system.accounts, zip(*last.cpu, strict=True), strict=True)
    }
    assert spent["vcpu: spinning"] > 0.9 * PCPUS * last.time


@pytest.mark.parametrize("discipline", ["unfair", "mutex-barging"])
def test_a_lock_that_may_be_taken_by_anyone_keeps_going(discipline):
    """At most one section of 2,000 ns at a time: 500,000 a second."""
    assert 150_000 < rate(contenders(discipline), 20_000) <= 500_000
