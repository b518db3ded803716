"""A lock whose holder loses its pCPU: pause exits, directed yields, halting; worked out by hand."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.schedules import BOTH, FAR, MS, US, recorded
from virtperf import sim
from virtperf.assembly import Assembly
from virtperf.assembly.scheduling import Share, SpinExits
from virtperf.dist import Cycle, Deterministic
from virtperf.errors import ParameterError
from virtperf.path import Path, end, lock, serve, unlock, work
from virtperf.rules import pause, round_robin
from virtperf.rules.policies import POLICIES
from virtperf.tables import NONE, System

KVM = SpinExits(window_ns=2 * US, grow=2, directed=True)
XEN = SpinExits(window_ns=2 * US, grow=1, directed=False)


NEVER = Deterministic(FAR)
EACH = pytest.mark.parametrize("engine", BOTH)


class Vm:
    """A machine under construction, whose vCPUs share the lock `l`; times in us."""

    def __init__(self, pcpus: int, *, policy: str = "round-robin", **pool):
        self.assembly = Assembly("locks", pcpus=pcpus, policy=policy, **pool)
        self.assembly.station("clock", 1)
        tick = (serve("clock", Deterministic(MS), "clock"), end())
        self.assembly.source("clock", {"tick": (1.0, tick)}, outstanding=1)

    def lock(self, discipline: str, *, wake: float = 0.0, spin: float = 0.0) -> None:
        self.assembly.lock(
            "l", called="lock", wake_ns=wake * US, discipline=discipline, spin_ns=spin * US
        )

    def vcpu(
        self,
        name: str,
        *path: Path,
        at: float = 0.0,
        pauses: SpinExits | None = None,
        domain: str = "vm",
    ) -> None:
        """Add a vCPU that takes `path` once, beginning at an instant."""
        steps = tuple(step for part in path for step in part)
        gap = {"gap": Cycle((at * US, FAR))} if at else {"outstanding": 1, "think": NEVER}
        self.assembly.worker(
            name,
            "vcpu",
            share=Share(domain=domain, weight=256),
            pauses=pauses and exits(name, pauses),
            wake=(work(name, 4 * US, "wakes", masked=True),),
            kick=(work(name, 3 * US, "kick", masked=True),),
        )
        self.assembly.source(name, {"job": (1.0, (*steps, end()))}, to=name, **gap)

    def system(self) -> System:
        return self.assembly.system()


def exits(name: str, pauses: SpinExits) -> SpinExits:
    return replace(pauses, cost=(work(name, 1 * US, "exit", masked=True, counts="exits"),))


def alone(name: str, us: float) -> Path:
    return (work(name, us * US, "alone"),)


def section(name: str, us: float) -> Path:
    return (lock("l", masked=False), work(name, us * US, "inside"), unlock("l"))


def spans(system: System, engine, until_us: float, pcpu: int = 0) -> list[tuple]:
    """Return (who, what, until when in us) for all that is over on a pCPU at an instant."""
    timeline = recorded(system, int(until_us / 1000) + 1, engine=engine)
    names = {NONE: "-"} | dict(enumerate(timeline.workers))
    found: list[tuple] = []
    for span in timeline.pcpus[pcpu]:
        entry = (names[span.worker], span.name, span.end / 10**6)
        if found and found[-1][:2] == entry[:2]:
            found.pop()
        found.append(entry)
    return [entry for entry in found if entry[2] <= until_us]


# -- round robin, one pCPU -----------------------------------------------------------------------


def holder_preempted(pauses: SpinExits | None) -> System:
    """`holder` enters its section at 2.9 ms, and loses the only pCPU at 3 ms.

    `other` works till 3.5 ms and wants the lock; `hog`, of another VM, waits before the holder.
    """
    vm = Vm(1, slice_ns=3 * MS)
    vm.lock("ticket")
    vm.vcpu("holder", alone("holder", 2_896), section("holder", 1_000), alone("holder", 5_000))
    vm.vcpu("other", alone("other", 496), section("other", 100), pauses=pauses)
    vm.vcpu("hog", alone("hog", 50_000), domain="another")
    return vm.system()


UP_TO_THE_SPIN = [
    ("holder", "wakes", 4),
    ("holder", "alone", 2_900),
    ("holder", "inside", 3_000),
    ("other", "wakes", 3_004),
    ("other", "alone", 3_500),
]


@EACH
def test_without_exits_the_rest_of_the_slice_is_burnt(engine):
    assert spans(holder_preempted(None), engine, 9_900) == [
        *UP_TO_THE_SPIN,
        ("other", "vcpu: spinning", 6_000),
        ("hog", "wakes", 6_004),
        ("hog", "alone", 9_000),
        ("holder", "inside", 9_900),
    ]


@EACH
def test_a_directed_yield_costs_a_window_and_an_exit_and_lets_the_holder_pass_others(engine):
    assert spans(holder_preempted(KVM), engine, 6_503) == [
        *UP_TO_THE_SPIN,
        ("other", "vcpu: spinning", 3_502),
        ("other", "exit", 3_503),
        ("holder", "inside", 4_403),
        ("holder", "alone", 6_503),  # to the end of its slice
    ]


@EACH
def test_a_yield_that_is_not_directed_goes_to_whoever_is_next(engine):
    assert spans(holder_preempted(XEN), engine, 7_403) == [
        *UP_TO_THE_SPIN,
        ("other", "vcpu: spinning", 3_502),
        ("other", "exit", 3_503),
        ("hog", "wakes", 3_507),
        ("hog", "alone", 6_503),
        ("holder", "inside", 7_403),
    ]


# -- windows -------------------------------------------------------------------------------------


def holder_runs(pauses: SpinExits) -> System:
    """`spinner` wants the lock at 4 us, and gets it at 104 us: both have a pCPU."""
    vm = Vm(2)
    vm.lock("ticket")
    vm.vcpu("holder", section("holder", 100))
    vm.vcpu("spinner", section("spinner", 10), pauses=pauses)
    return vm.system()


@EACH
@pytest.mark.parametrize(
    ("pauses", "left"),
    [
        (KVM, [6, 11, 20, 37, 70]),  # 2, 4, 8, 16, 32; the next would end at 135
        (XEN, [*range(6, 104, 3)]),  # 2 each time; nobody else wants the pCPU
    ],
)
def test_a_window_grows_while_there_is_nobody_to_favour(pauses, left, engine):
    told = spans(holder_runs(pauses), engine, 114, pcpu=1)
    assert [end for _, what, end in told if what == "vcpu: spinning"][: len(left)] == left
    assert [end for _, what, end in told if what == "exit"] == [end + 1 for end in left]
    assert told[-1] == ("spinner", "inside", max(104, told[-2][2]) + 10)


@EACH
def test_a_window_is_the_base_again_on_another_stay_on_a_pcpu(engine):
    """One pCPU, slices of 20 us. `spinner` favours `holder` at each exit, so it is put back anew.

    24 wakes and inside, to 20; spinner 20-24 wakes, -26 spins, -27 exits; holder -47; ...
    """
    vm = Vm(1, slice_ns=20 * US)
    vm.lock("ticket")
    vm.vcpu("holder", section("holder", 70))
    vm.vcpu("spinner", section("spinner", 10), pauses=KVM)
    told = spans(vm.system(), engine, 124)
    spun = [entry for entry in told if entry[0] == "spinner"]
    assert spun == [
        ("spinner", "wakes", 24),
        ("spinner", "vcpu: spinning", 26),
        ("spinner", "exit", 27),
        ("spinner", "vcpu: spinning", 49),
        ("spinner", "exit", 50),
        ("spinner", "vcpu: spinning", 72),
        ("spinner", "exit", 73),
        ("spinner", "inside", 97),
    ]


# -- whom a directed yield favours ---------------------------------------------------------------


def vcpus(*queued: int, gave_way: tuple[int, ...] = (), count: int = 6) -> list[SimpleNamespace]:
    """Return the vCPUs of one VM, of which some are `queued`, some of these of their own accord."""
    return [
        SimpleNamespace(
            leader=0,
            kin=i + 1 if i + 1 < count else NONE,
            turn=0,
            queued=i in queued,
            gave_way=int(i in gave_way),
            eligible=0,
        )
        for i in range(count)
    ]


def looks(workers: list[SimpleNamespace], w: int, times: int) -> list[int]:
    """Return whom `w` favours, one time after the other."""
    found = []
    for _ in range(times):
        chosen = pause.candidate(workers, w, NONE)
        found.append(chosen)
        if chosen != NONE:
            pause.favoured(workers, chosen)
    return found


def test_candidates_are_favoured_in_turn_but_neither_who_runs_nor_who_sleeps():
    assert looks(vcpus(1, 3, 4), w=2, times=5) == [1, 3, 4, 1, 3]
    assert looks(vcpus(2), w=2, times=2) == [NONE, NONE]


def test_who_gave_way_itself_is_passed_over_every_other_time():
    """1 at first; 4, asked for the first time, is passed over, so 5; 1; then 4 has its turn."""
    assert looks(vcpus(1, 4, 5, gave_way=(4,)), w=0, times=5) == [1, 5, 1, 4, 5]
    assert looks(vcpus(3, gave_way=(3,)), w=0, times=4) == [NONE, 3, NONE, 3]


def test_all_candidates_are_tried_once():
    workers, tried, found = vcpus(0, 2, 4, 5), NONE, []
    workers[0].turn = 3
    while (tried := pause.candidate(workers, 1, tried)) != NONE:
        found.append(tried)
    assert found == [4, 5, 0, 2]


@pytest.fixture
def refusing() -> Iterator[list[int]]:
    """Let policy 99 be round robin that favours nobody; yield whom it was asked to."""
    asked: list[int] = []

    def favour(pool, pcpus, workers, w, now) -> int:
        asked.append(w)
        return 0

    names = ("place", "enqueue", "pick", "due", "wanted")
    POLICIES[99] = SimpleNamespace(
        favour=favour, **{name: getattr(round_robin, name) for name in names}
    )
    yield asked
    del POLICIES[99]


def test_after_three_tries_that_failed_the_spinner_goes_on_spinning(refusing):
    """Six vCPUs on one pCPU: five wait when the last, whose turn comes at 30 ms, spins."""
    vm = Vm(1, slice_ns=3 * MS)
    vm.lock("ticket")
    vm.vcpu("holder", section("holder", 100_000))
    for n in range(4):
        vm.vcpu(f"v{n}", alone(f"v{n}", 100_000))
    vm.vcpu("spinner", section("spinner", 10), pauses=replace(KVM, window_ns=1_200 * US))
    system = vm.system()
    system = replace(system, pool=replace(system.pool, policy=99))

    told = spans(system, sim, 18_000)
    assert refusing[:3] == [0, 1, 2]
    assert [entry for entry in told if entry[0] == "spinner"] == [
        ("spinner", "wakes", 15_004),
        ("spinner", "vcpu: spinning", 16_204),
        ("spinner", "exit", 16_205),
        ("spinner", "vcpu: spinning", 18_000),
    ]


# -- Xen's credit scheduler ----------------------------------------------------------------------


@EACH
def test_who_yields_waits_behind_one_of_a_lower_priority_and_is_not_stolen(engine):
    """Times in us. `o` on pCPU 0 computes, `h` on pCPU 1 holds the lock from 4 to 5,004.

    `s` wakes on pCPU 0 at 2,000 with a boost, preempts `o`, spins for 100 and exits: `o`, who is
    lower, goes on all the same, until a ratelimit later `s` is found to be higher; and so on. At
    5,004 `h` sleeps, and pCPU 1 has nobody: `s` waits, but it has yielded.
    """
    constants = {"ratelimit": 10**9, "balance_every": 10**9, "sampled": 0}
    clocks = {"slice_ns": 30 * MS, "tick_ns": 10 * MS, "period_ns": 30 * MS}
    vm = Vm(2, policy="credit", constants=constants, **clocks)
    vm.lock("ticket")
    vm.vcpu("o", alone("o", 60_000), domain="another")
    vm.vcpu("h", section("h", 5_000))
    xen = replace(XEN, window_ns=100 * US)
    vm.vcpu("s", section("s", 500), at=2_000, pauses=xen)
    system = vm.system()

    zero, one = (spans(system, engine, 5_807, pcpu=p) for p in (0, 1))
    borders = [2_000, 2_105, 3_105, 3_206, 4_206, 4_307, 5_307, 5_807]
    assert turns(zero) == list(zip("osososos", borders, strict=True))
    assert turns(one) == [("h", 5_004), ("-", 5_807)]


def turns(told: list[tuple]) -> list[tuple[str, float]]:
    """Return who had the pCPU until when."""
    found: list[tuple[str, float]] = []
    for who, _, until in told:
        if found and found[-1][0] == who:
            found.pop()
        found.append((who, until))
    return found


# -- paravirtual locks ---------------------------------------------------------------------------


def halting(discipline: str, **words) -> System:
    """Two pCPUs, slices of 3 ms: `holder` has the lock from 4 to 1,004 us, `waiter` wants it.

    `hog` has waited for a pCPU since 50 us.
    """
    vm = Vm(2, slice_ns=3 * MS)
    vm.lock(discipline, **words)
    vm.vcpu("holder", section("holder", 1_000))
    vm.vcpu("waiter", alone("waiter", 6), section("waiter", 10))
    vm.vcpu("hog", alone("hog", 50_000), at=50, domain="another")
    return vm.system()


@EACH
def test_a_spinner_halts_after_its_threshold_and_its_pcpu_is_free_for_others(engine):
    """The holder kicks it, for 3 us; 5 us later it has a pCPU, pays for having slept, and goes on.

    The first wake-ups take 4 us as well; the holder sleeps at 1,007.
    """
    system = halting("paravirtual", wake=5, spin=100)
    assert spans(system, engine, 200, pcpu=1) == [
        ("waiter", "wakes", 4),
        ("waiter", "alone", 10),
        ("waiter", "vcpu: spinning", 110),
        ("hog", "wakes", 114),
    ]
    assert spans(system, engine, 1_026) == [
        ("holder", "wakes", 4),
        ("holder", "inside", 1_004),
        ("holder", "kick", 1_007),
        ("-", "idle", 1_012),
        ("waiter", "wakes", 1_016),
        ("waiter", "inside", 1_026),
    ]


@EACH
def test_one_that_still_spins_sees_the_lock_at_once_and_is_not_kicked(engine):
    system = halting("paravirtual", wake=5, spin=2_000)
    assert spans(system, engine, 1_014, pcpu=1) == [
        ("waiter", "wakes", 4),
        ("waiter", "alone", 10),
        ("waiter", "vcpu: spinning", 1_004),
        ("waiter", "inside", 1_014),
    ]
    assert spans(system, engine, 1_008) == [
        ("holder", "wakes", 4),
        ("holder", "inside", 1_004),
        ("hog", "wakes", 1_008),
    ]


# -- what makes no sense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pauses", "says"),
    [
        (SpinExits(window_ns=0.0), r"v\.window must be above 0"),
        (SpinExits(window_ns=1.0, grow=0), r"v\.grow must be at least 1"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(pauses, says):
    with pytest.raises(ParameterError, match=says):
        Assembly("a").worker("v", "vcpu", pauses=pauses)


@pytest.mark.parametrize(("discipline", "spin"), [("paravirtual", 0.0), ("ticket", 1.0)])
def test_a_threshold_is_that_of_a_paravirtual_lock(discipline, spin):
    with pytest.raises(ParameterError, match=r"l\.spin must be above 0 for a paravirtual lock"):
        Assembly("a").lock("l", called="l", wake_ns=0.0, discipline=discipline, spin_ns=spin)


def test_a_lock_of_whole_turns_is_not_paravirtual():
    assembly = Assembly("a")
    assembly.lock("l", called="l", wake_ns=0.0, discipline="paravirtual", spin_ns=1.0)
    with pytest.raises(ParameterError, match=r"v\.lock must be no paravirtual one"):
        assembly.worker("v", "thread", lock="l")
