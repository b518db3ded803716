"""What a worker does between its turns, and what is left behind; times in ns."""

import pytest

from virtperf.assembly import Assembly
from virtperf.dist import Cycle, Deterministic
from virtperf.path import Bell, Ringing, end, lock, ring, serve, unlock, work
from virtperf.sim import record
from virtperf.sim.engine import Machine
from virtperf.tables import NONE

US = 1_000_000  # ticks
DIRECT = Bell(name="", to="", rule="always", costs={})


def lines(assembly: Assembly, requests: int) -> list[str]:
    """Return what each pCPU did, in us."""
    _, timeline = record(assembly.system(), seed=1, replication=0, requests=requests)
    return [
        ", ".join(f"{s.name} {s.start / US:g}-{s.end / US:g}" for s in spans if s.worker != NONE)
        for spans in timeline.pcpus
    ]


@pytest.mark.parametrize("rule", ["always", "event-index"])
def test_a_poller_sees_an_entry_whose_signal_is_still_under_way(rule):
    """The kick found it asleep and takes 30 us; meanwhile it wakes for other work, and polls."""
    assembly = Assembly("poller", pcpus=2)
    assembly.worker("g", "g")
    assembly.worker("io", "io", poll_ns=50_000)
    kick = Ringing(sender=(work("g", 5_000, "kick"),), delay=30_000)
    bell = Bell(name="", to="", rule=rule, costs={"asleep": kick})
    assembly.bell("kick", bell, to="io", sender="g")
    path = (work("g", 1_000, "g"), ring("kick"), work("io", 1_000, "io kick"), end())
    assembly.source("g", {"k": (1.0, path)}, to="g", outstanding=1, think=Deterministic(1e6))
    own = (work("io", 1_000, "io own"), end())
    assembly.source("own", {"c": (1.0, own)}, to="io", gap=Cycle((3_000, 1e6)))

    assert lines(assembly, 2) == ["g 0-1, kick 1-6", "io own 3-4, io: polling 4-6, io kick 6-7"]


@pytest.mark.parametrize("task", ["v", "t"])
def test_a_poll_window_adapts_whichever_task_the_work_is_for(task):
    assembly = Assembly("adapts", pcpus=1)
    assembly.worker("v", "v", poll_ns=10_000, poll_start_ns=2_000)
    assembly.task("t", "v")
    path = (work("v", 1_000, "w"), end())
    think = Deterministic(3_000)
    assembly.source("s", {"j": (1.0, path)}, to=task, outstanding=1, think=think)

    assert lines(assembly, 3) == ["w 0-1, w 4-5, v: polling 5-7, w 8-9"]


def test_a_switch_that_is_cut_for_good_does_not_shorten_the_next():
    """At 5 host interrupt work cuts the switch to b, at 8 the slice of b is over."""
    assembly = Assembly("switch", pcpus=1, slice_ns=4_000, switch_ns=2_000)
    for n in "ab":
        assembly.worker(n, n)
        path = (work(n, 20_000, n), end())
        assembly.source(n, {"j": (1.0, path)}, to=n, outstanding=1)
    assembly.worker("irq", "irq", host_interrupts_of=0)
    assembly.bell("hard", DIRECT, to="irq", sender="")
    assembly.station("d", 1)
    path = (serve("d", Deterministic(5_000), "d"), ring("hard"), work("irq", 4_000, "irq"), end())
    think = Deterministic(1e6)
    assembly.source("dev", {"i": (1.0, path)}, outstanding=1, think=think)

    (pcpu,) = lines(assembly, 2)
    assert pcpu.startswith(
        "a 0-4, host: switch 4-5, irq 5-9, host: switch 9-11, a 11-12, host: switch 12-14, b 14-16"
    )


def test_alarms_that_nothing_comes_of_leave_the_agenda():
    """Work without end is cut by an interrupt again and again."""
    assembly = Assembly("cut", pcpus=1)
    assembly.worker("v", "v")
    assembly.interrupt_level("v")
    assembly.station("d", 1)
    assembly.bell("irq", DIRECT, to="v.interrupt", sender="")
    hog = (work("v", 1e11, "hog"), end())
    assembly.source("v", {"j": (1.0, hog)}, to="v", outstanding=1)
    path = (serve("d", Deterministic(5_000), "d"), ring("irq"), work("v", 1_000, "irq"), end())
    assembly.source("i", {"j": (1.0, path)}, outstanding=1)
    machine = Machine(assembly.system(), seed=1, replication=0, requests=3_000)
    machine.run()

    assert len(machine.env.agenda) < 200


@pytest.mark.parametrize("begun", [True, False])
def test_who_gets_a_pcpu_back_runs_after_what_was_caused_before(begun):
    """At 5 the spinner x is let go, then w sleeps and h may run; x rings for h, who does not yet.

    Whether h has begun its work before makes no difference.
    """
    assembly = Assembly("order", pcpus=2, policy="pinned", slice_ns=3_000)
    for n in ("w", "x", "h"):
        assembly.worker(n, n)
    assembly.interrupt_level("h")
    assembly.lock("l", called="l", wake_ns=0, discipline="ticket")
    costs = {"other": Ringing(delay=10_000), "pending": Ringing()}
    bell = Bell(name="", to="", rule="always", costs=costs)
    assembly.bell("b", bell, to="h.interrupt", sender="x")
    gaps = {"h": 1 if begun else 4_000, "w": 1_000 if begun else 3_001, "x": 4_500}
    paths = {
        "h": (work("h", 30_000, "h"),),
        "w": (lock("l"), work("w", 2_000, "w"), unlock("l")),
        "x": (lock("l"), unlock("l"), ring("b"), work("h", 1_000, "irq")),
    }
    for n, path in paths.items():
        gap = Cycle((gaps[n], 1e9))
        assembly.source(n, {n: (1.0, (*path, end()))}, to=n, gap=gap)

    assert "irq 5.001-6.001" in lines(assembly, 3)[0]


def test_a_tick_that_is_still_pending_swallows_the_next():
    """A host thread keeps the vCPU off its pCPU for 10 of its ticks."""
    assembly = Assembly("ticks", pcpus=1, slice_ns=10_000)
    assembly.worker("v", "vcpu")
    assembly.interrupt_level("v")
    assembly.worker("hog", "hog")
    assembly.bell("tick", DIRECT, to="v.interrupt", sender="")
    handler = (ring("tick"), work("v", 100, "tick"), end())
    assembly.timer("tick", handler, worker="v", period_ns=1_000)
    for n in ("v", "hog"):
        path = (work(n, 1e6, n), end())
        assembly.source(n, {n: (1.0, path)}, to=n, outstanding=1)
    machine = Machine(assembly.system(), seed=1, replication=0, requests=1)
    last = machine.run().snapshots[-1]
    ticks = last.time // (1_000 * 1_000)

    assert 0.45 * ticks < last.sides[0] < 0.6 * ticks  # half of the time, and one per return


def test_a_process_switch_is_not_interrupted_by_another_one():
    assembly = Assembly("switches", pcpus=1, slice_ns=1_000, switch_ns=600)
    assembly.worker("v", "vcpu", slice_ns=900, switch=(work("v", 800, "change"),))
    assembly.worker("h", "h")
    for n in ("t0", "t1"):
        assembly.task(n, "v")
        assembly.source(n, {n: (1.0, (work("v", 5_000, n), end()))}, to=n, outstanding=1)
    path = (work("h", 1e5, "h"), end())
    assembly.source("h", {"h": (1.0, path)}, to="h", outstanding=1)
    Machine(assembly.system(), seed=1, replication=0, requests=20).run()


def test_a_task_that_has_nothing_left_asks_to_be_told_though_its_vcpu_goes_on():
    """Kernel threads a and b share a vCPU: a is kicked at each of its requests, for b keeps it."""
    assembly = Assembly("tasks", pcpus=2)
    assembly.worker("g", "g")
    assembly.worker("v", "v")
    for n in "ab":
        assembly.task(n, "v", batch=1)
    kick = Bell(name="", to="", rule="event-index", costs={}, counts="kicks")
    assembly.bell("kick", kick, to="a", sender="g")
    path = (work("g", 4_000, "g"), ring("kick"), work("v", 1_000, "a"), end())
    assembly.source("g", {"k": (1.0, path)}, to="g", gap=Deterministic(6_000))
    assembly.source("b", {"j": (1.0, (work("v", 2_000, "b"), end()))}, to="b", outstanding=1)
    machine = Machine(assembly.system(), seed=1, replication=0, requests=200)
    result = machine.run()
    system = assembly.system()
    kicked, last = system.groups.index("k"), result.snapshots[-1]

    assert last.counters[system.counters.index("kicks")] >= last.completed[kicked] > 40
