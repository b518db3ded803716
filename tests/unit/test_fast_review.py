"""What a review of the compiled engine found: each was a crash, or another answer than SimPy's."""

import pytest

from tests.engines import both, told
from virtperf import fast
from virtperf.assembly import Assembly
from virtperf.dist import Cycle, Deterministic
from virtperf.path import Bell, Choice, Join, Spawn, end, give, ring, serve, take, work
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
