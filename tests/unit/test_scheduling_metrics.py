"""What a result tells of scheduling, on schedules worked by hand. Slices are 3 ms."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.engines import both
from tests.schedules import BOTH, Thread, system, under_credit
from virtperf import sim
from virtperf.assembly import Assembly
from virtperf.assembly.scheduling import Share
from virtperf.experiment import observe
from virtperf.path import end, work
from virtperf.rules import round_robin
from virtperf.rules.policies import POLICIES
from virtperf.tables import NONE, WorkerState
from virtperf.tables.histogram import bucket

MS = 10**9  # ticks
ALL = observe.Cut(requests=0, rule="")
EACH = pytest.mark.parametrize("engine", BOTH)
PAIR = [Thread(name="a", role="vcpu"), Thread(name="b", role="vcpu")]


def ran(threads, requests, *, engine, policy="round-robin", **pool):
    """Return a system and its run: a hog ends a request each ms it runs, the clock each ms.

    Of one instant the clock's is the first. A run that ends with it leaves the hogs running; the
    last request of a hog would be followed by no other, so that the hog fell asleep.
    """
    built = system(threads, policy, **pool)
    return built, engine.run(built, seed=1, replication=0, requests=requests)


def metrics(built, run):
    return {name: value for name, value, _ in observe.metrics(observe.window(built, run, ALL))}


# -- two hogs on one pCPU: a slice each, in turn -----------------------------------------------


@EACH
def test_of_two_hogs_each_has_half_of_the_pcpu_and_the_other_half_stolen(engine):
    """In 6 s there are 2,000 slices, of which all but the first begin with a switch."""
    built, run = ran(PAIR, 11_999, engine=engine)
    found = metrics(built, run)

    assert run.snapshots[-1].time == 6_000 * MS
    assert found["cpu_share.a"] == found["cpu_share.b"] == 0.5
    assert found["steal.a"] == found["steal.b"] == 0.5
    assert found["switches.rate"] == pytest.approx(1_999 / 6)
    assert found["preemptions.rate"] == pytest.approx(1_999 / 6)
    assert found["migrations.rate"] == 0
    assert found["fairness.host"] == 1


@EACH
def test_a_switch_is_nobodys_share_and_steals_from_the_other_alone(engine):
    """Each slice of 3 ms begins with 1 ms of switch, but for the first one of all.

    In 37 ms there are 7 slices of `a`, the last of which is in its switch, and 6 of `b`.
    """
    built, run = ran(PAIR, 37 + 13 + 12, engine=engine, switch_ns=1e6)
    last, found = run.snapshots[-1], metrics(built, run)

    assert last.time == 37 * MS
    assert [row[WorkerState.SWITCHING] for row in last.workers] == [6 * MS, 6 * MS]
    assert [found[f"cpu_share.{name}"] for name in "ab"] == pytest.approx([13 / 37, 12 / 37])
    assert [found[f"steal.{name}"] for name in "ab"] == pytest.approx([18 / 37, 19 / 37])


@EACH
def test_a_thread_that_is_no_vcpu_is_ready_where_a_vcpu_is_stolen_from(engine):
    found = metrics(*ran([PAIR[0], Thread(name="b", role="iothread")], 119, engine=engine))

    assert found["steal.a"] == found["ready.b"] == 0.5
    assert "ready.a" not in found and "steal.b" not in found


@EACH
def test_the_worst_batch_is_the_one_in_which_slices_fit_least(engine):
    """Of batches of 8 ms, `a` has 5, 4, 3 and 5 ms."""
    found = metrics(*ran(PAIR, 64, engine=engine))

    assert found["fairness.host"] == pytest.approx(32**2 / (2 * (17**2 + 15**2)))
    assert found["fairness.worst_batch"] == pytest.approx(8**2 / (2 * (5**2 + 3**2)))


@EACH
def test_fairness_is_of_time_per_weight(engine):
    """Round robin knows no weights: who weighs twice as much has half as much of its due."""
    heavy = Thread(name="b", share=Share(weight=2))
    found = metrics(*ran([PAIR[0], heavy], 119, engine=engine))

    assert found["fairness.host"] == pytest.approx((1 + 0.5) ** 2 / (2 * (1**2 + 0.5**2)))


@EACH
def test_fairness_is_among_domains_and_only_counts_who_never_sleeps(engine):
    """The hogs of `A` have twice the time of `b`, and the same weight together; `s` sleeps."""
    of_a = Share(domain="A")
    threads = [Thread(name=name, share=of_a) for name in ("a0", "a1")]
    threads.append(Thread(name="b", share=Share(weight=2)))
    threads.append(Thread(name="s", share=of_a, wakes=[(89_500, 100)]))
    built, run = ran(threads, 89 + 89 + 1, engine=engine)
    found = metrics(built, run)

    assert run.snapshots[-1].time == 90 * MS
    assert found["fairness.host"] == pytest.approx((2 + 1) ** 2 / (2 * (2**2 + 1**2)))


@EACH
def test_there_is_no_fairness_of_one(engine):
    found = metrics(*ran(PAIR[:1], 59, engine=engine))

    assert found["cpu_share.a"] == 1
    assert not [name for name in found if name.startswith("fairness")]


# -- wake-up to run ----------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("policy", ["round-robin", "pinned"])
def test_who_wakes_behind_a_hog_waits_for_the_end_of_its_slice(engine, policy):
    """At 1.25 ms it waits for 1.75 ms, at 5 ms for 1.5 (the hog began at 3.5), at 20 ms for none.

    The hog's slice is long over then; each time it loses 0.5 ms.
    """
    wakes = [(1_250, 500), (5_000, 500), (20_000, 500)]
    threads = [Thread(name="hog", role="vcpu"), Thread(name="s", wakes=wakes)]
    built, run = ran(threads, 30 + 28 + 3, engine=engine, policy=policy)
    last, found = run.snapshots[-1], metrics(built, run)
    seen = Counter()
    for _, sleeper in run.wakes:
        seen.update(sleeper.counts)

    assert built.wakes == ("vcpu", "s")
    assert last.time == 30 * MS
    assert seen == {bucket(0): 1, bucket(3 * MS // 2): 1, bucket(7 * MS // 4): 1}
    assert last.waking == (0, 13 * MS // 4)
    assert found["wake_to_run.mean.s"] == pytest.approx(3.25e6 / 3)
    assert found["wake_to_run.mean"] == pytest.approx(3.25e6 / 4)  # the hog woke once, too
    assert found["ready.s"] == pytest.approx(3.25 / 30)
    assert found["steal.hog"] == pytest.approx(1.5 / 30)
    assert (last.switches, last.preemptions, last.migrations) == (6, 3, 0)


@EACH
def test_quantiles_of_wake_ups_are_given_where_there_are_enough(engine):
    """200 wake-ups, 1.75 ms before the end of the hog's slice, each."""
    wakes = [(1_250 + 3_500 * n, 500) for n in range(200)]
    built, run = ran([Thread(name="hog"), Thread(name="s", wakes=wakes)], 1_500, engine=engine)
    seen, found = observe.window(built, run, ALL), metrics(built, run)

    assert found["wake_to_run.p50.s"] == pytest.approx(1.75e6, rel=1 / 128)  # a bucket's half
    assert found["wake_to_run.p99.s"] is None
    assert observe.reason("wake_to_run.p99.s", seen).startswith("too few samples: 200 per")
    assert found["wake_to_run.p50"] == found["wake_to_run.p50.s"]
    assert observe.reason("wake_to_run.p99", seen).startswith("too few samples: 201 per")


def test_a_wake_group_is_a_role_with_its_domain_in_front_and_has_no_host_interrupts():
    assembly = Assembly("groups", pcpus=2)
    assembly.worker("v", "vcpu", share=Share(domain="noisy"))
    assembly.worker("w", "vcpu", share=Share(domain="noisy"))
    assembly.worker("io", "iothread")
    assembly.worker("irq", "host interrupts", host_interrupts_of=1)
    assembly.source("v", {"job": (1.0, (work("v", 1, "v"), end()))}, to="v", outstanding=1)
    built = assembly.system()

    assert built.wakes == ("noisy vcpu", "iothread")
    assert [row.wake_group for row in built.workers] == [0, 0, 1, NONE]


# -- moves ---------------------------------------------------------------------------------------


@EACH
def test_of_three_hogs_on_two_pcpus_one_waits_and_who_comes_back_migrates(engine):
    """Every 3 ms both pCPUs switch, and whoever comes back finds itself on the other one.

    Only `c`, at 3 ms, was on none before. Of ten slices it waits in four, `a` and `b` in three.
    """
    threads = [Thread(name=name, role="vcpu") for name in "abc"]
    built, run = ran(threads, 29 + 58 + 1, engine=engine, pcpus=2)
    last, found = run.snapshots[-1], metrics(built, run)

    assert last.time == 30 * MS
    assert (last.switches, last.preemptions, last.migrations) == (18, 18, 17)
    assert [found[f"steal.{name}"] for name in "abc"] == pytest.approx([0.3, 0.3, 0.4])
    assert [found[f"cpu_share.{name}"] for name in "abc"] == pytest.approx([0.7, 0.7, 0.6])
    assert found["fairness.host"] == pytest.approx(2**2 / (3 * (0.7**2 + 0.7**2 + 0.6**2)))


@pytest.mark.parametrize(("names", "sent_back"), [("a", 0), ("ab", 29)])
def test_who_is_chosen_again_at_once_was_not_preempted(names, sent_back, monkeypatch):
    """A policy that sends whoever runs away each ms, for whom there may be nobody else."""
    rules = ("place", "enqueue", "pick", "due", "wanted")
    hasty = SimpleNamespace(**{name: getattr(round_robin, name) for name in rules})
    hasty.tick = lambda pool, pcpus, workers, p, now: 1
    monkeypatch.setitem(POLICIES, 98, hasty)
    built = system([Thread(name=name) for name in names], "round-robin")
    built = replace(built, pool=replace(built.pool, policy=98, tick=MS))
    last = sim.run(built, seed=1, replication=0, requests=59).snapshots[-1]

    assert last.time == 30 * MS
    assert (last.preemptions, last.switches, last.migrations) == (sent_back, sent_back, 0)


def test_both_engines_count_alike_under_a_policy_that_boosts_steals_and_parks():
    compiled, reference = both(under_credit(), requests=600)
    last = reference["snapshots"][-1]

    assert compiled == reference
    assert 0 < last.migrations < last.preemptions < last.switches


# -- what a table holds ------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "given"), [(64, True), (65, False)])
def test_workers_are_told_apart_where_there_are_at_most_64(count, given):
    threads = [Thread(name=f"w{n}", wakes=[(1, 1)]) for n in range(count)]
    found = metrics(*ran(threads, 2 * count, engine=BOTH[1], pcpus=2))

    assert ("cpu_share.w0" in found) == ("ready.w0" in found) == given
    assert "switches.rate" in found
