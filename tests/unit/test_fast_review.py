"""What a review of the compiled engine found: each was a crash, or another answer than SimPy's."""

import pytest

from tests.engines import both, told
from virtperf import fast
from virtperf.assembly import Assembly
from virtperf.dist import Cycle, Deterministic, Exponential
from virtperf.fast import engine
from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    Choice,
    Join,
    Ringing,
    Spawn,
    end,
    give,
    lock,
    ring,
    serve,
    take,
    unlock,
    work,
)
from virtperf.tables import System

DIRECT = Bell(name="", to="", rule="always", costs={})


def same(built: System, requests: int) -> dict:
    compiled, reference = both(built, requests=requests)
    assert compiled == reference
    return reference


def test_credits_that_outlive_who_took_them():
    """A side path of a side path gives back what its grandparent holds, on paper, for ever."""
    assembly = Assembly("nest")
    assembly.station("d", 99)
    assembly.credit("tags", 3, called="tags")
    d = [serve("d", Deterministic(ns), "d", purpose=f"{ns}") for ns in (50.0, 5.0, 1.0, 30_000.0)]
    gives = Spawn(name="g", path=(d[0], give("tags"), end()))
    takes = Choice(branches=((1.0, (take("tags"),)), (1.0, (take("tags"),))), purpose="c")
    side = Spawn(name="s", path=(d[1], takes, gives, d[2], give("tags"), end()))
    path = (take("tags"), side, d[3], end())
    assembly.source("p", {"p": (1.0, path)}, gap=Deterministic(1_000.0))
    same(assembly.system(), 400)


@pytest.mark.parametrize("answers", [257, 400])
def test_a_join_with_more_answers_than_there_are_rows(answers):
    assembly = Assembly("join", pcpus=2)
    assembly.worker("a", "a")
    assembly.worker("b", "b")
    assembly.interrupt_level("b")
    assembly.bell("call", DIRECT, to="b.interrupt", sender="a")
    calls = ((ring("call"), work("b", 10, "b"), end()),) * answers
    path = (work("a", 100, "a"), Join(name="j", paths=calls, account="waits"), end())
    assembly.source("s", {"j": (1.0, path)}, to="a", outstanding=1)
    same(assembly.system(), 5)


def test_times_that_do_not_fit_are_refused_and_not_wrapped():
    assembly = Assembly("late")
    assembly.station("d", 1)
    path = (serve("d", Deterministic(4e15), "d"), end())
    assembly.source("s", {"s": (1.0, path)}, outstanding=2)
    said = told(fast, assembly.system(), seed=1, replication=0, requests=10)
    assert said["error"] == (
        "SimulationError: late: instants and their sums no longer fit into 8 bytes; use engine sim"
    )


def test_a_number_that_cannot_be_is_refused_when_it_is_needed_and_not_before():
    def system():
        assembly = Assembly("draws")
        assembly.station("d", 1)
        times = Cycle((1.0,) * 1_500 + (1e16,))
        path = (serve("d", times, "d", purpose="d"), end())
        assembly.source("s", {"s": (1.0, path)}, outstanding=1)
        return assembly.system()

    assert sum(same(system(), 1_000)["snapshots"][-1].completed) == 1_000
    given = {"seed": 1, "replication": 0, "requests": 3_000}
    with pytest.raises(ValueError, match="106 days"):
        fast.run(system(), **given)


def test_a_busy_host_for_days():
    """The sum over 64 pCPUs is more than 8 bytes hold."""
    assembly = Assembly("days", pcpus=64)
    assembly.worker("w", "w")
    path = (work("w", 1e14, "w"), end())
    assembly.source("s", {"s": (1.0, path)}, to="w", outstanding=1)
    same(assembly.system(), 3)


# -- deadlocks: the same are seen, and told in the same words --------------------------------------


def once(ns: float) -> Cycle:
    """Return gaps of one arrival, and no other in the time of a test."""
    return Cycle((ns, 1e9))


def device(ns: float):
    return serve("d", Deterministic(ns), "d", purpose=f"{ns}")


def crossing(first: str, second: str, ns: float, *between):
    """Return a path that takes two credits, with some time and steps between."""
    return (take(first), device(ns), *between, take(second), give(second), give(first), end())


@pytest.mark.parametrize("discipline", ["ticket", "mutex-direct"])
def test_a_call_that_was_begun_before_is_unheard_too(discipline):
    assembly = Assembly("again", pcpus=3)
    for name in "abc":
        assembly.worker(name, name)
    assembly.station("d", 9)
    assembly.credit("tags", 1, called="tags")
    assembly.lock("l", called="l", wake_ns=0, discipline=discipline)
    assembly.bell("call", DIRECT, to="b", sender="a")
    holds = (take("tags"), work("c", 5_000, "c"), give("tags"), end())
    assembly.source("c", {"c": (1.0, holds)}, to="c", gap=once(1))
    more = (take("tags"), work("b", 10, "more"), give("tags"), end())
    answer = (ring("call"), work("b", 100, "answer"), *more)
    join = Join(name="answers", paths=(answer,), account="waits")
    calls = (work("a", 1_000, "a"), lock("l"), join, unlock("l"), end())
    assembly.source("a", {"a": (1.0, calls)}, to="a", gap=once(1))
    own = (work("b", 6_000, "b"), lock("l"), unlock("l"), end())
    assembly.source("b", {"b": (1.0, own)}, to="b", gap=once(2_000))
    assembly.source("x", {"x": (1.0, (device(1_000.0), end()))}, outstanding=1)
    assert "b waits for l, held by a; a waits" in same(assembly.system(), 50)["error"]


def test_a_credit_deadlock_is_looked_for_at_the_end_of_an_instant():
    assembly = Assembly("late look")
    assembly.station("d", 99)
    for name in "ABCE":
        assembly.credit(name, 1, called=name)
    crowd = (take("B"), device(100.0), give("B"), end())
    assembly.source("h", {"h": (1.0, crowd)}, gap=Cycle((1, 0, 0, 0, 1e9)))
    for name, first, middle, second in (("r1", "B", "C", "A"), ("r2", "A", "E", "B")):
        path = (take(first), device(1_000.0), take(middle), take(second))
        path += (give(second), give(middle), give(first), end())
        assembly.source(name, {name: (1.0, path)}, gap=once(10_000))
    both_middles = (take("C"), take("E"), device(5_000.0), give("C"), give("E"), end())
    assembly.source("x", {"x": (1.0, both_middles)}, gap=once(9_000))
    assembly.source("y", {"y": (1.0, (device(1_000.0), end()))}, outstanding=1)
    assert "deadlock" in same(assembly.system(), 100)["error"]


def test_a_credit_deadlock_in_the_last_instant_of_a_run():
    assembly = Assembly("last instant")
    assembly.station("d", 99)
    for name in "ABC":
        assembly.credit(name, 1, called=name)
    inner = (take("C"), take("A"), give("A"), give("C"), give("B"), end())
    assembly.source("r1", {"r1": (1.0, (take("B"), device(1_000.0), *inner))}, gap=once(10))
    assembly.source("r2", {"r2": (1.0, crossing("A", "B", 1_000.0))}, gap=once(20))
    last = (take("C"), device(3_000.0), give("C"), end())
    assembly.source("x", {"x": (1.0, last)}, outstanding=1)
    assert "error" not in same(assembly.system(), 1)


def test_a_story_of_credits_begins_with_the_oldest_in_the_system():
    """A call of a join is made before its ring is paid for, and lives from its hand-over on."""
    assembly = Assembly("story", pcpus=2)
    for name in "ab":
        assembly.worker(name, name)
    assembly.station("d", 99)
    assembly.credit("A", 2, called="A")
    assembly.credit("B", 1, called="B")
    pay = Ringing(sender=(work("a", 3_000, "a: pays"),))
    bell = Bell(name="", to="", rule="always", costs=dict.fromkeys(CONSUMER_STATES, pay))
    assembly.bell("call", bell, to="b", sender="a")
    answer = (ring("call"), work("b", 10, "b"), *crossing("A", "B", 20_000.0))
    join = Join(name="answer", paths=(answer,), account="waits")
    assembly.source("a", {"a": (1.0, (join, end()))}, to="a", gap=once(1_000))
    assembly.source("r", {"r": (1.0, crossing("A", "B", 20_000.0))}, gap=once(2_000))
    assembly.source("o", {"o": (1.0, crossing("B", "A", 90_000.0))}, gap=once(500))
    assert "held by requests (r) that wait for B" in same(assembly.system(), 20)["error"]


# -- progress ------------------------------------------------------------------------------------


def test_progress_does_not_go_back_where_a_run_is_made_again(monkeypatch):
    assembly = Assembly("burst")
    assembly.station("d", 2)
    slow = serve("d", Deterministic(3.0), "d", purpose="slow")
    assembly.source("x", {"x": (1.0, (slow, end()))}, outstanding=2, think=Exponential(5.0))
    crowd = (serve("d", Deterministic(5.0), "d", purpose="crowd"), end())
    assembly.source("b", {"b": (1.0, crowd)}, gap=Cycle((1e6, *(0.0,) * 5_000)))
    monkeypatch.setattr(engine, "BUDGET", 10_000)
    told_of: list[int] = []
    words = {"seed": 1, "replication": 0, "requests": 400_000}
    fast.run(assembly.system(), **words, progress=told_of.append)
    assert told_of == sorted(told_of)
    assert told_of[-1] >= 400_000
