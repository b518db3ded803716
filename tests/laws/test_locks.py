"""What becomes of a lock whose holder loses its pCPU, by discipline; times in ns."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.random_systems import RandomSystem
from tests.systems import work_of
from virtperf import fast
from virtperf.assembly import Assembly
from virtperf.assembly.scheduling import Share, SpinExits
from virtperf.dist import Exponential
from virtperf.errors import VirtperfError
from virtperf.path import end, lock, unlock, work
from virtperf.sim import run
from virtperf.sim.engine import Machine
from virtperf.sim.hands import Hands
from virtperf.sim.lock import Lock
from virtperf.tables import NONE, Discipline, System

pytestmark = pytest.mark.laws
VCPUS, PCPUS, SLICE = 8, 4, 3e6
FOREVER = 1e12


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


# -- what guests and hypervisors do about it -----------------------------------------------------

ALONE, INSIDE = 100_000.0, 1_000.0
CAPACITY = PCPUS * 1e9 / (ALONE + INSIDE)  # requests per second, if nobody ever waited


def guest(discipline: str = "ticket", *, spin_ns: float = 0.0, window_ns: float = 0.0) -> System:
    """Return a VM whose vCPUs take a lock now and then, for a short while; all times random.

    An exit or a kick is some 1,500 cycles of 2.5 GHz, a halt a switch more. With a window the
    hypervisor is KVM.
    """
    assembly = Assembly(discipline, pcpus=PCPUS, slice_ns=SLICE, switch_ns=1_500)
    wake_ns = 2_000 if spin_ns else 0
    assembly.lock("l", called="lock", wake_ns=wake_ns, discipline=discipline, spin_ns=spin_ns)
    for n in range(VCPUS):
        name = f"v{n}"
        exit_ = (work(name, 600, "vcpu: exit pause", masked=True),)
        assembly.worker(
            name,
            "vcpu",
            share=Share(domain="vm"),
            wake=(work(name, 2_100, "vcpu: halt", masked=True),),
            kick=(work(name, 600, "vcpu: kick", masked=True),),
            pauses=SpinExits(window_ns=window_ns, cost=exit_) if window_ns else None,
        )
        path = (
            work_of(name, Exponential(ALONE), purpose="alone"),
            lock("l", masked=False),
            work_of(name, Exponential(INSIDE), purpose="inside"),
            unlock("l"),
            end(),
        )
        assembly.source(name, {"job": (1.0, path)}, to=name, outstanding=1)
    return assembly.system()


def rates(system: System) -> list[float]:
    """Return the requests per second of three replications.

    A second or more: one slice in a hundred ends inside a section, and it takes one to collapse.
    """
    lasts = [
        fast.run(system, seed=1, replication=n, requests=40_000).snapshots[-1] for n in range(3)
    ]
    return [sum(last.completed) / last.time * 1e12 for last in lasts]


def test_exits_and_halting_each_bring_back_most_of_what_spinning_takes():
    """Neither is always ahead: who is woken with a lock in its hands may wait for a pCPU."""
    collapsed, seen = rates(guest()), rates(guest(window_ns=1_638.4))
    told = rates(guest("paravirtual", spin_ns=10_000))
    assert max(collapsed) < CAPACITY / 2 < min(*seen, *told)


def test_the_longer_a_guest_spins_before_it_halts_the_less_it_gains():
    """2^15 turns of a loop are 100 us or 2 ms, by how long the processor pauses in each."""
    thresholds = (10e3, 100e3, 2e6)
    found = [rates(guest("paravirtual", spin_ns=ns)) for ns in thresholds]
    assert min(found[0]) > max(found[1])
    assert min(found[1]) > max(found[2])


@pytest.mark.parametrize(
    "system",
    [guest("paravirtual", spin_ns=FOREVER), guest(window_ns=FOREVER)],
    ids=["paravirtual", "pauses"],
)
def test_what_never_comes_changes_nothing(system):
    """A threshold, or a window, that is longer than the run leaves a ticket lock."""
    words = {"seed": 1, "replication": 0, "requests": 1_000}
    found, expected = run(system, **words), run(guest(), **words)
    assert (found.ends, found.sums) == (expected.ends, expected.sums)


# -- whoever waits, and however ------------------------------------------------------------------


@contextmanager
def watched() -> Iterator[None]:
    """Look at each lock as it is taken and released: one at a time, and by whom it belongs to."""

    def taking(self: Lock, by) -> bool:
        free = self.holder == NONE
        got = take(self, by)
        assert got == free
        assert self.busy.count == 1
        return got

    def unlocking(self: Hands, held: Lock, request):
        assert (held.holder, held.level) == (self.index, self.level)
        yield from unlock_(self, held, request)

    def releasing(self: Lock):
        kicked = release(self)
        left_free = self.discipline in (Discipline.UNFAIR, Discipline.MUTEX_BARGING)
        assert self.holder != NONE or left_free or not self.queue
        assert kicked is None or (kicked.owns and kicked.sleeps and not kicked.over)
        return kicked

    take, unlock_, release = Lock.take, Hands._unlock, Lock.release
    with (
        patch.multiple(Lock, take=taking, release=releasing),
        patch.object(Hands, "_unlock", unlocking),
    ):
        yield


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000_000),
    kind=st.sampled_from([{}, {"credit": True}, {"contended": True}]),
)
def test_a_lock_is_held_by_one_and_never_lost(seed, kind):
    """Who holds one at the end is somebody who will release it: it works, or is being called."""
    system = RandomSystem(seed, **kind).system()
    machine = Machine(system, seed=1, replication=0, requests=150)
    with watched():
        try:
            machine.run()
        except VirtperfError:
            return
    for held in machine.locks.values():
        assert held.busy.count == (held.holder != NONE)
        if held.holder != NONE:
            holder = machine.workers[held.holder]
            assert holder.holds or (holder.need is not None and holder.need.lock is held)
