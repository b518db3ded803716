"""vCPUs that are polled for before they sleep: in both engines, to the tick. Times in us."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.schedules import BOTH
from virtperf.assembly import Assembly
from virtperf.dist import Cycle, Deterministic
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.path import Bell, end, ring, serve, work
from virtperf.tables import NONE, Run, System, Timeline

US = 1_000_000  # ticks
IRQ = Bell(name="", to="", rule="always", costs={})
KVM = {"poll": "halt", "poll_ns": 200_000, "poll_start_ns": 10_000}
ENGINES = pytest.mark.parametrize("engine", BOTH)


def vcpu_on(assembly: Assembly, blocks: Sequence[float], **polls: Any) -> None:
    """Add a vCPU that computes for 1 us, halts, and takes an interrupt after each block, in turn.

    Being woken takes it 3 us, finding the interrupt by polling 1.
    """
    wake, pickup = work("v", 3_000, "v: woken"), work("v", 1_000, "v: noticed")
    assembly.worker("v", "v", wake=(wake,), pickup=(pickup,), **polls)
    assembly.interrupt_level("v")
    assembly.station("device", 1)
    assembly.bell("irq", IRQ, to="v.interrupt", sender="")
    service = Cycle([1_000 * block for block in blocks])
    path = (
        work("v", 1_000, "v: guest"),
        serve("device", service, "device", purpose="device"),
        ring("irq"),
        end(),
    )
    assembly.source("v", {"io": (1.0, path)}, to="v", outstanding=1)


def thread_on(assembly: Assembly, name: str, at: float, length: float) -> None:
    """Add a thread that computes once, from an instant on."""
    assembly.worker(name, name)
    path = (work(name, 1_000 * length, name), end())
    assembly.source(name, {"job": (1.0, path)}, to=name, gap=Cycle((1_000 * at, 1e9)))


def recorded(system: System, requests: int, engine: Any) -> tuple[Run, Timeline]:
    found: tuple[Run, Timeline] = engine.record(system, seed=1, replication=0, requests=requests)
    return found


def burnt(timeline: Timeline) -> list[float]:
    """Return for how long each halt was polled for, in us, one after the other."""
    (track,) = timeline.pcpus
    found: list[float] = []
    for span in track:
        if span.name == "v: guest":
            found.append(0)
        elif span.name.endswith(" polling"):
            found[-1] += (span.end - span.start) / US
    return found


def counted(system: System, run: Run) -> dict[str, int]:
    return dict(zip(system.counters, run.snapshots[-1].counters, strict=True))


def lines(assembly: Assembly, requests: int, engine: Any) -> list[str]:
    """Return what each pCPU did."""
    _, timeline = recorded(assembly.system(), requests, engine)
    return [
        ", ".join(f"{s.name} {s.start / US:g}-{s.end / US:g}" for s in spans if s.worker != NONE)
        for spans in timeline.pcpus
    ]


# -- how long is polled ---------------------------------------------------------------------------


@ENGINES
@pytest.mark.parametrize(
    ("block", "windows"),
    [
        (50, [0, 10, 20, 40, 80, 80, 80]),
        (150, [0, 10, 20, 40, 80, 160, 160]),
        (190, [0, 10, 20, 40, 80, 160, 200]),
        (500, [0] * 7),
    ],
)
def test_a_halt_burns_the_shorter_of_its_length_and_the_window(block, windows, engine):
    assembly = Assembly("alone")
    vcpu_on(assembly, [block], **KVM)
    system = assembly.system()
    run, timeline = recorded(system, len(windows), engine)

    assert burnt(timeline)[: len(windows)] == [min(block, window) for window in windows]
    hits = sum(window >= block for window in windows)
    misses = sum(0 < window < block for window in windows)
    assert counted(system, run) == {"halt_polls.hit": hits, "halt_polls.miss": misses}


@ENGINES
@pytest.mark.parametrize("shrink", [0, 2])
def test_long_halts_between_short_ones_are_polled_for_in_vain(shrink, engine):
    assembly = Assembly("alternating")
    vcpu_on(assembly, [50, 500], poll_shrink=shrink, **KVM)
    system = assembly.system()
    run, timeline = recorded(system, 20, engine)

    assert burnt(timeline)[:20] == [0, 10] * 10
    assert counted(system, run) == {"halt_polls.hit": 0, "halt_polls.miss": 10}


@ENGINES
def test_a_hit_saves_the_wake_up_and_a_miss_pays_it(engine):
    polls = {"poll": "halt", "poll_ns": 20_000}
    assembly = Assembly("saves")
    vcpu_on(assembly, [5, 30], **polls)
    assert lines(assembly, 2, engine) == [
        "v: woken 0-3, v: guest 3-4, v: halt polling 4-9, v: noticed 9-10, "
        "v: guest 10-11, v: halt polling 11-31, v: woken 41-44"
    ]


@ENGINES
@pytest.mark.parametrize(
    ("block", "windows"),
    [(50, [0, 50, 50, 50, 50]), (190, [0, 50, 100, 100, 100]), (500, [0] * 5)],
)
def test_a_guest_looks_at_what_is_left_of_a_halt_after_its_own_poll(block, windows, engine):
    """Of 190 us it halts for 90 once it polls for 100: no reason for it to poll any longer."""
    assembly = Assembly("guest")
    vcpu_on(assembly, [block], poll="guest", poll_ns=200_000, poll_start_ns=50_000, poll_shrink=2)
    system = assembly.system()
    run, timeline = recorded(system, len(windows), engine)

    assert burnt(timeline)[: len(windows)] == [min(block, window) for window in windows]
    hits = sum(window >= block for window in windows)
    misses = sum(0 < window < block for window in windows)
    assert counted(system, run) == {"guest_polls.hit": hits, "guest_polls.miss": misses}


# -- who else wants the pCPU ----------------------------------------------------------------------


def shared(policy: str, at: float, **polls: Any) -> Assembly:
    """Return a vCPU and a thread that wakes `at`, on one pCPU."""
    credit = {"ratelimit": 0, "balance_every": 10**9, "sampled": 0} if policy == "credit" else {}
    periods = {"tick_ns": 10e6, "period_ns": 30e6} if credit else {}
    assembly = Assembly("shared", policy=policy, slice_ns=3e6, constants=credit, **periods)
    vcpu_on(assembly, [50], **polls)
    thread_on(assembly, "t", at, 5)
    return assembly


@ENGINES
@pytest.mark.parametrize("policy", ["round-robin", "pinned", "credit"])
def test_the_host_stops_polling_as_soon_as_another_thread_is_runnable(policy, engine):
    assembly = shared(policy, 11, poll="halt", poll_ns=100_000)
    assert lines(assembly, 2, engine) == [
        "v: woken 0-3, v: guest 3-4, v: halt polling 4-11, t 11-16, v: woken 54-57"
    ]


@ENGINES
@pytest.mark.parametrize("policy", ["round-robin", "pinned"])
def test_the_host_does_not_begin_to_poll_while_another_thread_is_runnable(policy, engine):
    assembly = shared(policy, 0.5, poll="halt", poll_ns=100_000)
    assert lines(assembly, 2, engine) == ["v: woken 0-3, v: guest 3-4, t 4-9, v: woken 54-57"]


@ENGINES
def test_a_guest_that_polls_has_its_slice_whoever_waits(engine):
    """The poll is over at 44; the host sees a vCPU that runs."""
    assembly = shared("round-robin", 11, poll="guest", poll_ns=40_000)
    assert lines(assembly, 2, engine) == [
        "v: woken 0-3, v: guest 3-4, v: guest idle polling 4-44, t 44-49, v: woken 54-57"
    ]


@ENGINES
def test_a_guest_that_polls_can_be_preempted(engine):
    """Its slice is over at 21, that of the other one at 42; the interrupt comes at 54."""
    assembly = Assembly("preempted", slice_ns=21_000)
    vcpu_on(assembly, [50], poll="guest", poll_ns=100_000)
    thread_on(assembly, "t", 11, 35)
    assert lines(assembly, 1, engine) == [
        "v: woken 0-3, v: guest 3-4, v: guest idle polling 4-21, t 21-42, "
        "v: guest idle polling 42-54, v: noticed 54-55"
    ]


@ENGINES
def test_a_waiter_that_takes_another_pcpu_lets_the_rest_poll_on(engine):
    """Of two that poll, the first one makes room, and the other sees that nobody waits any more."""
    assembly = Assembly("room", pcpus=2)
    vcpu_on(assembly, [50], poll="halt", poll_ns=100_000)
    assembly.worker("u", "u", poll="halt", poll_ns=100_000)
    path = (work("u", 2_000, "u"), end())
    assembly.source("u", {"job": (1.0, path)}, to="u", outstanding=1, think=Deterministic(1e9))
    thread_on(assembly, "t", 11, 5)
    one, other = lines(assembly, 3, engine)
    assert one == "v: woken 0-3, v: guest 3-4, v: halt polling 4-11, t 11-16, v: woken 54-57"
    assert other == "u 0-2, u: halt polling 2-11, u: halt polling 11-57"  # it has looked


@ENGINES
def test_interrupt_work_of_the_host_interrupts_a_poll_but_does_not_end_it(engine):
    assembly = Assembly("hard")
    vcpu_on(assembly, [50], poll="halt", poll_ns=100_000)
    assembly.worker("hard", "hard", host_interrupts_of=0)
    path = (work("hard", 5_000, "hard"), end())
    assembly.source("hard", {"job": (1.0, path)}, to="hard", gap=Cycle((11_000, 1e9)))
    assert lines(assembly, 2, engine) == [
        "v: woken 0-3, v: guest 3-4, v: halt polling 4-11, hard 11-16, "
        "v: halt polling 16-54, v: noticed 54-55"
    ]


@ENGINES
def test_the_wait_for_a_pcpu_counts_as_part_of_a_halt(engine):
    """A hog makes the vCPU wait: its halts of 50 us last for longer than any window may cover."""
    assembly = Assembly("hog", slice_ns=1e6)
    vcpu_on(assembly, [50], **KVM)
    assembly.worker("hog", "hog")
    path = (work("hog", 1e6, "hog"), end())
    assembly.source("hog", {"job": (1.0, path)}, to="hog", outstanding=1)
    system = assembly.system()
    run, _ = recorded(system, 40, engine)
    assert counted(system, run) == {"halt_polls.hit": 0, "halt_polls.miss": 0}


# -- the guest's clock ----------------------------------------------------------------------------


@ENGINES
@pytest.mark.parametrize(("poll", "ticks"), [("halt", 0), ("guest", 3)])
def test_a_tickless_guest_does_not_tick_while_its_host_polls(poll, ticks, engine):
    assembly = Assembly("ticks")
    vcpu_on(assembly, [33], poll=poll, poll_ns=100_000)
    assembly.bell(
        "tick",
        Bell(name="", to="", rule="always", costs={}, counts="ticks"),
        to="v.interrupt",
        sender="",
    )
    assembly.timer("tick", (ring("tick"), end()), worker="v", period_ns=10_000, tickless=True)
    system = assembly.system()
    run, _ = recorded(system, 1, engine)
    assert counted(system, run)["ticks"] == ticks


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"poll_ns": -1.0}, "v.poll_ns must be at least 0, got -1.0"),
        ({"poll_start_ns": -1.0}, "v.poll_start_ns must be at least 0, got -1.0"),
        ({"poll_grow": 0}, "v.poll_grow must be at least 1, got 0"),
        ({"poll_shrink": -2}, "v.poll_shrink must be at least 0, got -2"),
    ],
)
def test_an_impossible_window_is_refused(words, says):
    with pytest.raises(ParameterError) as caught:
        Assembly("bad").worker("v", "v", poll="halt", **words)
    assert str(caught.value) == says


def test_an_unknown_kind_of_polling_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean halt\\?"):
        Assembly("bad").worker("v", "v", poll="halts", poll_ns=1.0)  # type: ignore[arg-type]
