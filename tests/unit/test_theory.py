"""Theory on a system small enough to add up by hand: a vCPU, an I/O thread and a disk."""

from dataclasses import replace

import pytest

from virtperf.assembly import Assembly
from virtperf.dist import Deterministic, Exponential
from virtperf.errors import ParameterError
from virtperf.path import Bell, Spawn, end, give, ring, serve, take
from virtperf.tables import (
    NONE,
    BellRow,
    ClassRow,
    DrawKind,
    DrawRow,
    InboxRow,
    Kind,
    Policy,
    Poll,
    PollKind,
    PoolRow,
    Rule,
    Sequence,
    SourceRow,
    StationKind,
    StationRow,
    StepRow,
    System,
    WorkerRow,
)
from virtperf.theory import bounds, demands, events_per_request, mean_cost, zero_load

ACCOUNTS = (
    *("switch", "idle", "asleep", "ready", "busy", "interrupts", "blocked", "switching"),
    *("polling", "batch", "queue", "user", "wake", "kick", "fetch", "finish"),
    *("prologue", "epilogue", "signal", "inject", "handle", "pickup", "device"),
)
COUNTERS = ("exits.kick", "kicks", "interrupts")
NOTHING = Sequence(0, 0)
US = 1_000_000
VCPU, INTERRUPT, IOTHREAD = 0, 1, 2  # inboxes


class Steps:
    """A step table that hands out the ranges it has laid."""

    def __init__(self):
        self.rows = []

    def lay(self, *steps):
        first = len(self.rows)
        for kind, account, ticks, more in steps:
            row = {"draw": NONE, "target": NONE, "defer": 0, "masked": 0, "counter": NONE, **more}
            self.rows.append(
                StepRow(kind=kind, account=_account(account), ticks=ticks, **row),
            )
        return Sequence(first, len(self.rows))


def _account(name):
    return ACCOUNTS.index(name) if name else NONE


def work(account, us, **more):
    return Kind.WORK, account, us * US, more


def other(kind, target=NONE, **more):
    return kind, "", 0, {"target": target, **more}


def worker(name, role, inbox, interrupt, wake, **more):
    waits = tuple(range(ACCOUNTS.index("asleep"), ACCOUNTS.index("polling") + 1))
    return WorkerRow(
        name=name,
        role=role,
        pin=0,
        inbox=inbox,
        interrupt=interrupt,
        wake=wake,
        waits=waits,
        batch_account=_account("batch"),
        poll_account=_account("polling"),
        **more,
    )


def inbox(name, owner, level, **more):
    row = {"prologue": NOTHING, "epilogue": NOTHING, "lock": NONE}
    return InboxRow(name=name, worker=owner, level=level, batch=0, **{**row, **more})


def bell(name, to, rule, counter, pay=NOTHING, delay=0, debt=NOTHING):
    return BellRow(
        name=name,
        inbox=to,
        rule=rule,
        counter=counter,
        pay=(pay,) * 5,
        delay=(0, delay, 0, 0, 0),
        debt=(NOTHING, debt, NOTHING, debt, NOTHING),
    )


def small(*, pcpus=2, poll_us=0, think_us=0, outstanding=1, channels=2, policy=Policy.ROUND_ROBIN):
    """A guest that works 2 us, kicks, and takes an interrupt when the disk (20 us) is done."""
    steps = Steps()
    wake = steps.lay(work("wake", 3))
    kick = steps.lay(work("kick", 2, counter=0))
    signal = steps.lay(work("signal", 1))
    inject = steps.lay(work("inject", 1))
    prologue, epilogue = steps.lay(work("prologue", 1)), steps.lay(work("epilogue", 2))
    pickup = steps.lay(work("pickup", 1))
    serve = (Kind.SERVE, "device", 20 * US, {"target": 0, "defer": 1, "draw": 0})
    path = steps.lay(
        work("user", 2),
        other(Kind.RING, 0),
        work("fetch", 3),
        serve,
        other(Kind.RING, 1),
        work("finish", 2),
        other(Kind.RING, 2),
        work("handle", 2),
        other(Kind.END),
    )
    poll = Poll(PollKind.EVENT_LOOP, poll_us * US)
    draws = [_constant("service", 20_000.0), _constant("think", think_us * 1_000.0)]
    return System(
        name="small",
        accounts=ACCOUNTS,
        counters=COUNTERS,
        groups=("read",),
        pool=PoolRow(
            pcpus=pcpus,
            policy=policy,
            slice=3_000 * US,
            switch=1 * US,
            switch_account=_account("switch"),
            idle_accounts=(_account("idle"),) * 4,
        ),
        workers=(
            worker("vcpu", "vcpu", VCPU, INTERRUPT, wake),
            worker("iothread", "iothread", IOTHREAD, NONE, wake, pickup=pickup, poll=poll),
        ),
        inboxes=(
            inbox("vcpu", 0, 0),
            inbox("vcpu.interrupt", 0, 1),
            inbox("iothread", 1, 0, prologue=prologue, epilogue=epilogue),
        ),
        stations=(
            StationRow(
                name="disk",
                kind=StationKind.SERVERS,
                servers=channels,
                wake=0,
                wait_account=_account("queue"),
            ),
        ),
        bells=(
            bell("kick", IOTHREAD, Rule.EVENT_INDEX, 1, pay=kick, delay=5 * US),
            bell("done", IOTHREAD, Rule.ALWAYS, NONE, delay=5 * US),
            bell("irq", INTERRUPT, Rule.ALWAYS, 2, pay=signal, delay=4 * US, debt=inject),
        ),
        sources=(
            SourceRow(
                name="job",
                outstanding=outstanding,
                think=1 if think_us else NONE,
                gap=NONE,
                inbox=VCPU,
                classes=Sequence(0, 1),
                draws=Sequence(0, 1),
            ),
        ),
        classes=(ClassRow(name="read", group=0, weight=1.0, path=path.first),),
        steps=tuple(steps.rows),
        draws=tuple(draws),
        values=(),
        weights=(),
    )


def _constant(purpose, ns):
    return DrawRow(purpose=purpose, kind=DrawKind.DETERMINISTIC, a=ns, b=0.0, values=NOTHING)


def in_us(ticks):
    return {name: spent / US for name, spent in ticks.items()}


# -- zero load ------------------------------------------------------------------------------


def test_every_microsecond_of_a_lone_request_has_its_account():
    """Think 10 us: every worker sleeps before it is told. Both find pCPU 0 idle and share it."""
    found = zero_load(small(think_us=10))

    assert in_us(found.breakdown) == {
        "wake": 4 * 3,  # vCPU, I/O thread, I/O thread, vCPU by the interrupt
        "user": 2,
        "kick": 2,
        "asleep": 5 + 5 + 4,
        "switching": 2,  # vCPU -> I/O thread -> vCPU on pCPU 0; the disk between is no change
        "prologue": 2,
        "fetch": 3,
        "epilogue": 2,  # only the turn that deferred has one
        "device": 20,
        "finish": 2,
        "signal": 1,
        "inject": 1,
        "handle": 2,
    }
    assert found.latency == sum(found.breakdown.values()) == 65 * US
    assert isinstance(found.latency, int)


def test_the_steps_are_in_the_order_of_the_way():
    found = zero_load(small(think_us=10))

    assert " ".join(stretch.account for stretch in found.per_step) == (
        "wake user kick asleep switching wake prologue fetch epilogue device"
        " asleep wake prologue finish signal asleep switching wake inject handle"
    )
    assert sum(stretch.ticks for stretch in found.per_step) == found.latency


def test_cpu_time_goes_to_roles_and_switching_to_the_host():
    found = zero_load(small(think_us=10))

    assert in_us(found.cpu) == {"vcpu": 13, "iothread": 9 + 7, "host": 2}
    assert found.counters == {"exits.kick": 1, "kicks": 1, "interrupts": 1}


def test_without_thinking_the_next_request_needs_no_wake_up():
    """The interrupt turn ends the request; its successor starts at once on the awake vCPU."""
    thinking, busy = zero_load(small(think_us=10)), zero_load(small())

    assert thinking.latency - busy.latency == 3 * US
    assert busy.breakdown["wake"] == 9 * US


def test_a_poller_is_not_kicked_and_picks_up_instead():
    """With a window of 1 ms the I/O thread never sleeps: no kick, no delay, no switch, no wake."""
    found = zero_load(small(poll_us=1_000))

    assert found.counters == {"exits.kick": 0, "kicks": 0, "interrupts": 1}
    assert in_us(found.breakdown) == {
        "user": 2,
        "pickup": 2,
        "prologue": 2,
        "fetch": 3,
        "epilogue": 2,
        "device": 20,
        "finish": 2,
        "signal": 1,
        "asleep": 4,
        "wake": 3,
        "inject": 1,
        "handle": 2,
    }
    assert in_us(found.cpu)["iothread"] == 2 * 1 + 2 * 1 + 3 + 2 + 2 + 1 + 20 + 12


def test_a_window_shorter_than_the_wait_ends_in_sleep():
    """8 us of polling are over before the disk is done, and are CPU time all the same."""
    sleeping, polling = zero_load(small(think_us=50)), zero_load(small(think_us=50, poll_us=8))

    assert polling.cpu["iothread"] == sleeping.cpu["iothread"] + 2 * 8 * US
    assert polling.counters == sleeping.counters


def test_a_window_that_ends_as_the_disk_does_still_sees_it():
    """Ties go to stations before workers, as everywhere in the engines."""
    assert zero_load(small(poll_us=20)).breakdown["pickup"] >= 1 * US
    assert "pickup" not in zero_load(small(poll_us=19, think_us=50)).breakdown


def test_a_window_that_adapts_itself_gives_up_on_waits_it_cannot_cover():
    """The disk takes 20 us: 16 us of polling never pay off, 32 us do once it has grown to them."""
    base = small(think_us=3)

    def adaptive(poll_us):
        vcpu, iothread = base.workers
        poll = Poll(PollKind.EVENT_LOOP, poll_us * US, 4 * US)
        return zero_load(replace(base, workers=(vcpu, replace(iothread, poll=poll))))

    assert adaptive(16).counters["kicks"] > 0
    assert adaptive(32).counters["kicks"] == 0
    assert adaptive(32).latency == zero_load(small(think_us=3, poll_us=32)).latency


def test_on_one_pcpu_a_poller_keeps_the_others_out():
    """The vCPU waits for the rest of the I/O thread's window: 30 us less the delay of 4."""
    found = zero_load(small(pcpus=1, poll_us=30, think_us=100))

    assert in_us(found.breakdown)["ready"] == 30 - 4


def test_a_pinned_pair_pays_no_switch_on_pcpus_of_its_own():
    system = small(pcpus=2, policy=Policy.PINNED)
    apart = replace(system, workers=(system.workers[0], replace(system.workers[1], pin=1)))

    assert "switching" in zero_load(system).breakdown
    assert "switching" not in zero_load(apart).breakdown


def test_a_request_that_never_leaves_its_worker_shares_its_turn():
    """Work and end: the next request is in the inbox before the turn is over; batches of 4."""
    steps = Steps()
    prologue = steps.lay(work("prologue", 4))
    path = steps.lay(work("user", 2), other(Kind.END))
    base = small()
    system = replace(
        base,
        steps=tuple(steps.rows),
        inboxes=(replace(base.inboxes[0], prologue=prologue, batch=4), *base.inboxes[1:]),
        workers=(replace(base.workers[0], wake=NOTHING), base.workers[1]),
        classes=(replace(base.classes[0], path=path.first),),
    )

    assert in_us(zero_load(system).breakdown) == {"user": 2, "prologue": 1}
    assert zero_load(system).laps == 4
    assert zero_load(base).laps == 1


def test_classes_are_averaged_by_weight():
    base = small()
    steps = Steps()
    steps.rows = list(base.steps)
    short = steps.lay(work("user", 1), other(Kind.END))
    light = ClassRow(name="noop", group=0, weight=3.0, path=short.first)
    system = replace(base, steps=tuple(steps.rows), classes=(*base.classes, light))
    system = replace(system, sources=(replace(base.sources[0], classes=Sequence(0, 2)),))

    assert zero_load(system).latency == 0.25 * zero_load(base).latency + 0.75 * US


def test_random_times_count_by_their_means():
    base = small()
    points = DrawRow(
        purpose="service", kind=DrawKind.EMPIRICAL, a=20_000.0, b=0.0, values=Sequence(0, 2)
    )
    empirical = replace(
        base, draws=(points, base.draws[1]), values=(10_000.0, 50_000.0), weights=(3.0, 1.0)
    )
    skewed = replace(base.draws[0], kind=DrawKind.LOGNORMAL, b=2.0)
    serve = next(step for step in base.steps if step.kind == Kind.SERVE)

    assert mean_cost(empirical, empirical.sources[0], serve) == 20 * US
    assert zero_load(empirical).latency == zero_load(base).latency
    assert zero_load(replace(base, draws=(skewed, base.draws[1]))) == zero_load(base)


def test_an_open_source_is_alone_between_arrivals():
    base = small(think_us=10)
    gap = replace(base.sources[0], outstanding=0, think=NONE, gap=1)
    slow = replace(base, sources=(gap,), draws=(base.draws[0], _constant("gap", 500_000.0)))

    assert zero_load(slow).latency == zero_load(base).latency


def test_work_in_nobodys_hands_is_refused():
    base = small()
    with pytest.raises(ParameterError, match=r"class read\.path must be held by a worker"):
        zero_load(replace(base, sources=(replace(base.sources[0], inbox=NONE),)))


# -- demands and bounds ---------------------------------------------------------------------


def test_least_demands_are_the_path_without_doorbells_and_turns():
    least = demands(small()).least[0]

    assert in_us(least.workers) == {"vcpu": 2 + 2, "iothread": 3 + 2 + 1}  # irq is always sent
    assert in_us(least.stations) == {"disk": 20}
    assert least.visits == {"vcpu": 2, "iothread": 2, "disk": 1, "kick": 1, "done": 1, "irq": 1}


def test_most_demands_wake_everybody_for_every_request():
    most = demands(small()).most[0]

    assert in_us(most.workers) == {"vcpu": 13, "iothread": (3 + 1 + 3 + 2) + (3 + 1 + 2 + 1)}
    assert most.delay == 14 * US


def test_a_lock_is_as_busy_as_it_is_held():
    base = small()
    lock = StationRow(name="biglock", kind=StationKind.LOCK, servers=1, wake=0, wait_account=0)
    inboxes = (*base.inboxes[:2], replace(base.inboxes[2], lock=1))
    system = replace(base, stations=(*base.stations, lock), inboxes=inboxes)

    assert in_us(demands(system).least[0].stations)["biglock"] == 3 + 2 + 1
    assert in_us(demands(system).most[0].stations)["biglock"] == 2 * 1 + 3 + 2 + 2 + 1


def test_the_bottleneck_is_the_narrowest_resource():
    disk, threads, host = (
        bounds(small(outstanding=32, channels=2)),
        bounds(small(outstanding=32, channels=8)),
        bounds(small(outstanding=32, channels=8, pcpus=1)),
    )

    assert (disk.bottleneck, disk.max_throughput_per_s) == ("disk", pytest.approx(1e5))
    assert (threads.bottleneck, threads.max_throughput_per_s) == (
        "iothread",
        pytest.approx(1e6 / 6),
    )
    assert (host.bottleneck, host.max_throughput_per_s) == ("host", pytest.approx(1e5))


def test_one_customer_is_bound_by_latency_and_many_by_the_bottleneck():
    one, many = bounds(small(think_us=10)), bounds(small(think_us=10, outstanding=32))
    floor_us = 2 + 3 + 2 + 20 + 2 + 1 + 2  # path, epilogue and the interrupt's signal

    assert one.floor_latency_ns == pytest.approx(floor_us * 1e3)
    assert one.throughput_upper_per_s == pytest.approx(1e6 / (floor_us + 10))
    assert one.latency_lower_ns == one.floor_latency_ns < one.zero_load_ns == 65_000
    assert many.throughput_upper_per_s == many.max_throughput_per_s == pytest.approx(1e5)
    assert many.latency_lower_ns == pytest.approx(32 / 1e5 * 1e9 - 10_000)


def test_balanced_job_bounds_lie_within_the_asymptotic_ones():
    for outstanding in (1, 2, 8, 64):
        found = bounds(small(think_us=10, outstanding=outstanding))
        assert found.balanced_lower_per_s <= found.balanced_upper_per_s
        assert found.balanced_upper_per_s <= found.throughput_upper_per_s


def test_a_lone_request_keeps_the_balanced_lower_bound():
    for pcpus, poll_us in ((1, 0), (1, 30), (2, 0), (2, 1_000)):
        system = small(pcpus=pcpus, poll_us=poll_us, think_us=10)
        alone = 1e9 / (bounds(system).zero_load_ns + 10_000)
        assert bounds(system).balanced_lower_per_s <= alone * (1 + 1e-12)


def two_vms(*, outstanding=32, channels=8, pcpus=4):
    """The small system twice, on one disk."""
    base = small(outstanding=outstanding, channels=channels, pcpus=pcpus)
    steps = [
        replace(step, target=step.target + 3) if step.kind == Kind.RING else step
        for step in base.steps
    ]
    shift = len(base.steps)

    def moved(row):
        return replace(row, name=f"{row.name}'", inbox=row.inbox + 3)

    second = base.classes[0]
    return replace(
        base,
        workers=base.workers + tuple(moved(row) for row in base.workers),
        inboxes=base.inboxes + tuple(replace(row, worker=row.worker + 2) for row in base.inboxes),
        bells=base.bells + tuple(moved(row) for row in base.bells),
        sources=(base.sources[0], replace(moved(base.sources[0]), classes=Sequence(1, 2))),
        classes=(second, replace(second, path=second.path + shift)),
        steps=base.steps + tuple(steps),
    )


def test_copies_add_their_own_workers_and_share_the_rest():
    own, disk, host = (
        bounds(two_vms(channels=64)),
        bounds(two_vms(channels=4)),
        bounds(two_vms(channels=64, pcpus=1)),
    )

    assert (own.bottleneck, own.max_throughput_per_s) == ("iothread", pytest.approx(2e6 / 6))
    assert (disk.bottleneck, disk.max_throughput_per_s) == ("disk", pytest.approx(2e5))
    assert (host.bottleneck, host.max_throughput_per_s) == ("host", pytest.approx(1e5))


def test_unequal_sources_on_one_worker_are_bound_together():
    """Two jobs of one vCPU cannot each have all of its I/O thread; a third, apart, is no help."""
    base = two_vms(channels=64, pcpus=64)
    system = replace(base, sources=(base.sources[0], *base.sources))

    assert bounds(system).max_throughput_per_s == pytest.approx(2e6 / 6)


def test_an_open_source_beyond_capacity_is_saturated():
    base = small(channels=2)
    source = replace(base.sources[0], outstanding=0, gap=1)

    def at(gap_us):
        draws = (base.draws[0], replace(_constant("gap", gap_us * 1e3), kind=DrawKind.EXPONENTIAL))
        return bounds(replace(base, sources=(source,), draws=draws))

    assert (at(11.0).saturated, at(11.0).resource) == (False, "")
    assert (at(10.0).saturated, at(10.0).resource) == (True, "disk")
    assert at(20.0).throughput_upper_per_s == pytest.approx(5e4)
    assert at(20.0).balanced_upper_per_s is None


def test_events_count_what_takes_time():
    """20 stretches and a pause; a polling I/O thread polls twice but leaves no pCPU to switch."""
    assert events_per_request(small(think_us=50)) == 21
    assert events_per_request(small(think_us=50, poll_us=8)) == 20 + 1 + 2 - 2


# -- bounds that hold whatever sources there are ----------------------------------------------


def stations(*names, **jobs):
    """Jobs at single servers: each a path and the words of its source."""
    assembly = Assembly("stations")
    for name in names:
        assembly.station(name, 1)
    assembly.credit("places", 1, called="places")
    for name, (classes, words) in jobs.items():
        assembly.source(name, {kind: (1.0, path) for kind, path in classes.items()}, **words)
    return assembly.system()


def at(station, us):
    return serve(station, Deterministic(us * 1e3), station)


def test_a_slow_source_that_thinks_less_does_not_raise_the_bound_of_latency():
    """Ten requests of 1,000 us, and a hundred times as many of 1 us whose jobs think."""
    system = stations(
        "slow",
        "fast",
        a=({"job": (at("slow", 1_000), end())}, {"outstanding": 10}),
        b=(
            {"job": (at("fast", 1), end())},
            {"outstanding": 10, "think": Exponential(100e3)},
        ),
    )
    found = bounds(system)

    slow, fast = 10 / 10_000, 10 / 101  # requests per us
    mean = (slow * 10_000 + fast * 1) / (slow + fast)
    assert found.latency_lower_ns <= mean * 1e3
    assert found.floor_latency_ns == 1e3


def test_equal_sources_are_still_bound_by_little():
    words = {"outstanding": 5, "think": Exponential(10e3)}
    path = {"job": (at("s", 10), end())}
    assert bounds(stations("s", a=(path, words), b=(path, words))).latency_lower_ns == (
        pytest.approx(10 * 10e3 - 10e3)
    )


def test_classes_in_a_fixed_order_come_as_often_as_it_says():
    classes = {"short": (at("s", 1), end()), "long": (at("s", 9), end())}
    words = {"outstanding": 1, "order": (0, 0, 0, 1)}
    system = stations("s", a=(classes, words))

    assert demands(system).least[0].stations == {"s": 3 * US}
    assert bounds(system).throughput_upper_per_s == pytest.approx(1e6 / 3)


def test_requests_that_may_be_dropped_count_as_the_way_that_needs_least():
    """One of two classes is dropped most of the time: what finishes is mostly of the other."""
    classes = {
        "dear": (take("places", otherwise=(end("dropped"),)), at("s", 100), give("places"), end()),
        "cheap": (at("t", 1), end()),
    }
    found = bounds(stations("s", "t", a=(classes, {"gap": Exponential(10e3)})))

    assert found.throughput_upper_per_s == pytest.approx(1e5)
    assert found.floor_latency_ns == 1e3
    assert not found.saturated


def test_a_way_without_a_credit_that_succeeds_counts_too():
    way = (take("places", otherwise=(at("t", 2), end())), at("s", 100), give("places"), end())
    system = stations("s", "t", a=({"job": way}, {"gap": Exponential(1e3)}))

    assert bounds(system).floor_latency_ns == 2e3
    assert demands(system).least[0].stations == {}


def test_more_dropping_arrivals_than_can_be_served_are_no_saturation():
    way = (take("places", otherwise=(end("dropped"),)), at("s", 10), give("places"), end())
    found = bounds(stations("s", a=({"job": way}, {"gap": Exponential(1e3)})))

    assert not found.saturated
    assert found.throughput_upper_per_s == pytest.approx(1e5)


def test_side_paths_are_told_apart_and_bound_nothing():
    side = Spawn(name="aside", path=(at("t", 50), end()))
    system = stations("s", "t", a=({"job": (at("s", 10), side, end())}, {"outstanding": 4}))
    least = demands(system).least[0]

    assert (in_us(least.stations), in_us(least.aside)) == ({"s": 10}, {"t": 50})
    assert bounds(system).throughput_upper_per_s == pytest.approx(1e5)


def test_moderation_by_a_count_of_one_delays_nothing():
    def latest(count):
        assembly = Assembly("moderated")
        assembly.station("s", 1)
        assembly.worker("w", "thread")
        bell = Bell(name="", to="", rule="moderated", costs={}, timer=50e3, count=count)
        assembly.bell("irq", bell, to="w", sender="")
        assembly.source("a", {"job": (1.0, (at("s", 1), ring("irq"), end()))}, outstanding=1)
        return demands(assembly.system()).most[0].delay

    assert (latest(1), latest(2), latest(0)) == (0, 50 * US, 50 * US)
