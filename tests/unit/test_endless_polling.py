"""A thread that polls for ever, and doorbells that ring once for a batch, in both engines."""

from typing import Any

import pytest

from tests.engines import both
from virtperf import fast, sim
from virtperf.assembly import Assembly
from virtperf.dist import Deterministic
from virtperf.errors import ParameterError, SimulationError
from virtperf.path import CONSUMER_STATES, Bell, Ringing, end, give, ring, serve, take, work
from virtperf.tables import System, WorkerState

ENGINES = pytest.mark.parametrize("engine", [fast, sim], ids=["fast", "sim"])
PICKUP, WORK, DEVICE = 100.0, 1_000.0, 5_000.0
FREE = Bell(name="", to="", rule="event-index", costs={}, counts="kicks")


def core(assembly: Assembly, name: str = "core", **words: Any) -> None:
    """Add a thread that never sleeps."""
    pickup = (work(name, PICKUP, f"{name}: pick-up"),)
    assembly.worker(name, name, poll="endless", pickup=pickup, **words)


def one_core(*, pcpus: int = 2, cores: int = 1, think: float = 50_000.0) -> System:
    """Return a guest that hands requests to a core, and cores with nothing to do beside it."""
    assembly = Assembly("core", pcpus=pcpus, slice_ns=20_000)
    assembly.worker("guest", "guest")
    for number in range(cores):
        core(assembly, f"core{number}" if number else "core")
    assembly.bell("kick", FREE, to="core", sender="guest")
    path = (work("guest", WORK, "guest"), ring("kick"), work("core", WORK, "core: work"), end())
    thinks = Deterministic(think)
    assembly.source("load", {"job": (1.0, path)}, to="guest", outstanding=1, think=thinks)
    return assembly.system()


def share(run: Any, system: System, account: str) -> float:
    last = run.snapshots[-1]
    return sum(row[system.accounts.index(account)] for row in last.cpu) / last.time


@ENGINES
def test_a_core_that_polls_sees_what_comes_and_is_never_told(engine):
    system = one_core()
    run = engine.run(system, seed=1, replication=0, requests=50)
    last = run.snapshots[-1]

    assert last.counters[system.counters.index("kicks")] == 0
    assert sum(last.residence) / 50 == (2 * WORK + PICKUP) * 1000


@ENGINES
def test_it_never_sleeps_and_fills_its_pcpu(engine):
    system = one_core()
    last = engine.run(system, seed=1, replication=0, requests=50).snapshots[-1]
    states = last.workers[1]

    assert states[WorkerState.ASLEEP] == 0
    assert states[WorkerState.POLLING] + states[WorkerState.RUNNING] == last.time


@ENGINES
def test_cores_that_share_a_pcpu_take_slices_and_let_others_live(engine):
    """Three threads on one pCPU, two of which always want it: all requests end."""
    system = one_core(pcpus=1, cores=2)
    run = engine.run(system, seed=1, replication=0, requests=50)
    assert sum(run.snapshots[-1].completed) == 50
    assert share(run, system, "core1: polling") > 0.3  # an equal part, and the guest is mostly idle
    assert run.snapshots[-1].preemptions > 50


@ENGINES
def test_polling_for_ever_hides_no_deadlock(engine):
    """A request that waits for what nobody gives is found though a thread is busy for ever."""
    assembly = Assembly("stuck", pcpus=2)
    assembly.worker("guest", "guest")
    core(assembly)
    assembly.credit("tag", 1, called="tag")
    path = (work("guest", WORK, "guest"), take("tag"), take("tag"), give("tag"), give("tag"), end())
    assembly.source("load", {"job": (1.0, path)}, to="guest", outstanding=1)
    with pytest.raises(SimulationError, match="tag"):
        engine.run(assembly.system(), seed=1, replication=0, requests=10)


def batching(rule: Any, *, outstanding: int = 6) -> System:
    """Return a thread that takes three at a time from a device, and tells a guest of them."""
    assembly = Assembly("batch", pcpus=2)
    assembly.worker("guest", "guest")
    assembly.interrupt_level("guest")
    assembly.worker("thread", "thread", batch=3)
    pays = work("thread", 10.0, "thread: tells", masked=True)
    costs = {state: Ringing(sender=(pays,)) for state in CONSUMER_STATES}
    told = Bell(name="", to="", rule=rule, costs=costs, counts="interrupts")
    assembly.bell("irq", told, to="guest.interrupt", sender="thread")
    assembly.bell("done", Bell(name="", to="", rule="always", costs={}), to="thread", sender="")
    assembly.station("device", outstanding)
    path = (
        serve("device", Deterministic(DEVICE), "device"),
        ring("done"),
        work("thread", WORK, "thread"),
        ring("irq", hold="defer"),
        work("guest", 1.0, "guest"),
        end(),
    )
    assembly.source("load", {"job": (1.0, path)}, outstanding=outstanding)
    return assembly.system()


@ENGINES
@pytest.mark.parametrize(("rule", "per_request"), [("always", 1), ("batch", 1 / 3)])
def test_a_batch_is_told_of_once(engine, rule, per_request):
    """Six come back from the device at once, and are completed by threes."""
    system = batching(rule)
    last = engine.run(system, seed=1, replication=0, requests=60).snapshots[-1]
    interrupts = last.counters[system.counters.index("interrupts")]
    assert interrupts == pytest.approx(60 * per_request, abs=3)  # a batch may be under way


@pytest.mark.parametrize("system", [one_core(), one_core(pcpus=1, cores=3), batching("batch")])
def test_both_engines_say_the_same(system):
    compiled, reference = both(system, requests=300)
    assert compiled == reference


def test_an_endless_poll_has_no_window():
    with pytest.raises(ParameterError, match="no window"):
        core(Assembly("x"), poll_ns=1_000.0)


def test_a_device_hands_over_one_by_one():
    assembly = Assembly("x")
    assembly.worker("guest", "guest")
    told = Bell(name="", to="", rule="batch", costs={})
    with pytest.raises(ParameterError, match="one by one"):
        assembly.bell("irq", told, to="guest", sender="")


def test_what_rings_for_a_batch_is_deferred():
    assembly = Assembly("x")
    assembly.worker("guest", "guest")
    assembly.worker("thread", "thread")
    told = Bell(name="", to="", rule="batch", costs={})
    assembly.bell("irq", told, to="guest", sender="thread")
    path = (work("thread", WORK, "thread"), ring("irq"), work("guest", 1.0, "guest"), end())
    with pytest.raises(ParameterError, match="rings once for a batch"):
        assembly.source("load", {"job": (1.0, path)}, to="thread", outstanding=1)
