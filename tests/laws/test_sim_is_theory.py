"""With every random time replaced by its mean, a lone request's latency is the theory's, exactly.

Laps are what more requests add to a run, once the state at the birth of requests repeats. A poll
window that adapts may take several requests to repeat, so many are compared.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systems import DISKS as ALL
from tests.systems import (
    PLATFORMS,
    SLEEPLESS,
    WITH_SIDE_PATHS,
    booked,
    scaled,
    system,
)
from virtperf import catalog
from virtperf.assembly import Assembly
from virtperf.dist import Deterministic
from virtperf.path import Bell, Join, Ringing, end, give, ring, serve, take, work
from virtperf.sim import run
from virtperf.tables import System
from virtperf.theory import zero_load

pytestmark = pytest.mark.laws
DISKS = [disk for disk in ALL if disk not in WITH_SIDE_PATHS]
POLLS = ("0us", None, "100us")
CASES = [(d, poll) for d in DISKS for poll in POLLS if d == "virtio" or poll is None]
COSTS = (
    *("exit_hardware", "exit_kernel", "exit_user", "exit_blocking", "eventfd_signal"),
    *("thread_wake_delay", "thread_wake_cpu", "thread_switch", "poll_pickup", "virtio_pop"),
    *("virtio_complete", "host_submit", "host_complete", "device_model", "irq_ioctl"),
    *("native_user", "native_kernel"),
)

TOY = catalog.platform("toy")
CONSTANT_WINDOW = scaled("toy", {"iothread_poll_start": 0})
WARM, LAPS = 60, 60  # a cycle of 1 to 6 requests repeats whole


def laps(built: System) -> tuple[int, dict[str, int], dict[str, int]]:
    """Return latency, breakdown and counts of `LAPS` requests after `WARM` others."""
    runs = [run(built, seed=1, replication=0, requests=n) for n in (WARM, WARM + LAPS)]
    before, after = (one.snapshots[-1] for one in runs)
    spent = Counter(booked(runs[1], built))
    spent.subtract(booked(runs[0], built))
    counted = [b - a for a, b in zip(before.counters, after.counters, strict=True)]
    return (
        sum(after.residence) - sum(before.residence),
        {account: ticks for account, ticks in spent.items() if ticks},
        dict(zip(built.counters, counted, strict=True)),
    )


def whole(per_request: Mapping[str, float]) -> dict[str, int]:
    """Return the totals of `LAPS` requests; theory's fractions are shares of a cycle."""
    return {name: round(share * LAPS) for name, share in per_request.items()}


def assert_equal_to_theory(built: System) -> None:
    if built.name in SLEEPLESS and built.pool.pcpus < len(built.workers):
        return  # it shares its pCPU by slices, which no walk of one request can tell
    theory = zero_load(built)
    latency, breakdown, counters = laps(built)
    assert breakdown == {a: ticks for a, ticks in whole(theory.breakdown).items() if ticks}
    assert latency == round(theory.latency * LAPS) == sum(breakdown.values())
    assert counters == whole(theory.counters)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("pcpus", [1, 2, 4])
@pytest.mark.parametrize(("disk", "poll"), CASES)
def test_a_lone_request_takes_what_theory_says(disk, poll, pcpus, platform):
    assert_equal_to_theory(system(disk, poll=poll, pcpus=pcpus, platform=platform))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("disk", WITH_SIDE_PATHS)
def test_a_side_path_changes_when_a_request_is_served_not_what_it_takes(disk, platform):
    """The thread may be awake for it, or busy with it; work, device and counts stay the same."""
    built = system(disk, pcpus=4, platform=platform)
    theory, (_, breakdown, counters) = zero_load(built), laps(built)
    told = ("wait:", "iothread: wake-up", "main loop: wake-up")
    for account, ticks in whole(theory.breakdown).items():
        if not account.startswith(told):
            assert breakdown[account] == ticks, account
    assert counters == whole(theory.counters)


@pytest.mark.parametrize("poll", ["7us", "20us", "50us"])
def test_a_thread_that_polls_after_a_completion_woke_it_needs_no_kick(poll):
    """It asked to be kicked before it slept; the index must be withdrawn when it polls."""
    service = {"kind": "deterministic", "value": "55us"}
    built = system("virtio", numbers=CONSTANT_WINDOW, poll=poll, service=service)
    assert_equal_to_theory(built)
    assert laps(built)[2]["kicks"] == (LAPS if poll == "7us" else 0)


@pytest.mark.parametrize("pcpus", [1, 2])
@pytest.mark.parametrize("think", ["0us", "20us", "150us", "1ms"])
@pytest.mark.parametrize("disk", [disk for disk in DISKS if disk != "native"])
@pytest.mark.parametrize(
    "halts",
    [
        {"halt_poll": {"max": "200us", "shrink": 2}},
        {"halt_poll": {"max": "15us", "start": "15us"}},
        {"guest_poll": {"max": "200us"}},
    ],
)
def test_vcpus_that_are_polled_for_agree_too(halts, disk, think, pcpus):
    load = {"kind": "closed", "outstanding": 1, "think": think}
    words = {"load": load, "halts": halts, "pcpus": pcpus, "platform": "x86-kvm-2020"}
    assert_equal_to_theory(system(disk, **words))


@pytest.mark.parametrize("disk", DISKS)
def test_pinned_workers_on_shared_pcpus_agree_too(disk):
    for pcpus in (1, 2, 3):
        assert_equal_to_theory(system(disk, pcpus=pcpus, policy="pinned", platform="toy"))


@pytest.mark.parametrize("disk", DISKS)
def test_thinking_users_let_everything_fall_asleep(disk):
    for think in ("1us", "20us", "1ms"):
        load = {"kind": "closed", "outstanding": 1, "think": think}
        assert_equal_to_theory(system(disk, load=load, pcpus=2, platform="x86-kvm-2020"))


@settings(max_examples=60)
@given(
    disk=st.sampled_from([*DISKS, "virtio", "virtio"]),
    pcpus=st.integers(1, 4),
    factors=st.fixed_dictionaries({cost: st.sampled_from([0, 0.5, 1, 1.7]) for cost in COSTS}),
    poll_us=st.sampled_from([0, 1, 7, 20, 50]),
    device_us=st.sampled_from([0.5, 3, 20, 55]),
    posted=st.booleans(),
    start_us=st.sampled_from([0, 4, 30]),
)
def test_theory_and_simulation_agree_on_platforms_nobody_built(
    disk, pcpus, factors, poll_us, device_us, posted, start_us
):
    """Zeros make ties, other factors make every order of poll ends, wake-ups and completions."""
    adapts = replace(TOY["iothread_poll_start"], value=start_us, unit="us")
    numbers = scaled("toy", factors | {"apicv": float(posted)}).replace(iothread_poll_start=adapts)
    service = {"kind": "deterministic", "value": f"{device_us}us"}
    assert_equal_to_theory(
        system(disk, numbers=numbers, pcpus=pcpus, poll=f"{poll_us}us", service=service)
    )


@pytest.mark.parametrize("kind", ["exponential", "lognormal", "empirical"])
def test_theory_replaces_every_distribution_by_its_mean(kind):
    service = {
        "exponential": {"kind": "exponential", "mean": "20us"},
        "lognormal": {"kind": "lognormal", "mean": "20us", "cv": 2.0},
        "empirical": {"kind": "empirical", "values": ["10us", "40us"], "weights": [2.0, 1.0]},
    }[kind]
    random, constant = system("virtio", service=service), system("virtio")
    assert zero_load(random) == zero_load(constant)


def every_primitive(
    *,
    pcpus: int,
    policy: str,
    poll: int,
    hold: str,
    hard: bool,
    moderated: int,
    service: int,
    join: str,
    switch: int,
) -> System:
    """Return a request that takes a credit, waits in hand, rings, joins and is told late."""
    assembly = Assembly(
        "all", pcpus=pcpus, policy=policy, slice_ns=10_000_000, switch_ns=float(switch)
    )
    wake = (work("any", 300, "w: wake-up"),)
    for name in ("v", "io", "other"):
        assembly.worker(name, name, wake=wake, poll_ns=poll if name == "io" else 0)
    assembly.interrupt_level("v")
    assembly.interrupt_level("other")
    if hard:
        assembly.worker("irq", "host", wake=wake, host_interrupts_of=0)
    assembly.station("disk", 2)
    assembly.credit("tags", 1, called="tags")
    late = {"asleep": Ringing(delay=700.0, target=(work("any", 150, "told"),))}
    kick = Ringing(sender=(work("v", 400, "v: kick", masked=True),), delay=900.0)
    told = Bell(name="", to="", rule="always", costs=late, counts="told")
    if moderated:
        told = replace(told, rule="moderated", timer=float(moderated))
    first = "irq" if hard else "io"
    assembly.bell("done", told, to=first, sender="")
    assembly.bell("aio", Bell(name="", to="", rule="always", costs=late), to="io", sender="irq")
    kicks = Bell(name="", to="", rule="event-index", costs={"asleep": kick}, counts="kicks")
    assembly.bell("kick", kicks, to="io", sender="v")
    irq = Bell(name="", to="", rule="event-index", costs=late, counts="interrupts")
    assembly.bell("irq", irq, to="v.interrupt", sender="io")
    call = Bell(name="", to="", rule="always", costs={"asleep": kick}, counts="calls")
    assembly.bell("call", call, to="other.interrupt", sender="v")
    answers = ((ring("call"), work("other", 800, "other: flush"), end()),)
    interrupt = (work("irq", 600, "host: irq"), ring("aio")) if hard else ()
    joins = (Join(name="j", paths=answers, account="wait: answers", hold=join),) if join else ()
    path = (
        work("v", 1_100, "v: user"),
        take("tags"),
        serve("disk", Deterministic(2_300.0), "disk", hold=hold),
        *joins,
        work("v", 500, "v: more"),
        ring("kick"),
        work("io", 700, "io: submit"),
        serve("disk", Deterministic(float(service)), "disk", hold="defer"),
        ring("done"),
        *interrupt,
        work("io", 650, "io: complete"),
        ring("irq", hold="defer"),
        give("tags"),
        work("v", 250, "v: done"),
        end(),
    )
    assembly.source("load", {"job": (1.0, path)}, to="v", outstanding=1)
    return assembly.system()


@settings(max_examples=60)
@given(
    pcpus=st.integers(1, 3),
    policy=st.sampled_from(["round-robin", "pinned"]),
    poll=st.sampled_from([0, 1_000, 3_000, 9_000, 60_000]),
    hold=st.sampled_from(["block", "spin"]),
    hard=st.booleans(),
    moderated=st.sampled_from([0, 0, 4_000]),
    service=st.sampled_from([0, 2_500, 8_400, 30_000]),
    join=st.just(""),
    switch=st.sampled_from([0, 350]),
)
def test_every_primitive_takes_what_theory_says(**words):
    assert_equal_to_theory(every_primitive(**words))


@pytest.mark.parametrize("join", ["spin", "block", "async"])
def test_a_join_with_a_pcpu_for_everybody_takes_what_theory_says(join):
    """Where nobody stands in the way of the answers, they are exact too."""
    words = dict(pcpus=4, policy="pinned", poll=0, hold="block", hard=False, moderated=0)
    assert_equal_to_theory(every_primitive(join=join, service=8_400, switch=0, **words))
