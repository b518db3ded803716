"""A system that makes no sense is refused when it is put together, in its owner's name."""

from collections.abc import Callable

import pytest

from virtperf.assembly import Assembly
from virtperf.dist import Deterministic, Empirical, Exponential, LogNormal
from virtperf.errors import ParameterError
from virtperf.path import (
    Bell,
    Choice,
    Join,
    Once,
    Path,
    Spawn,
    end,
    gather,
    give,
    lock,
    ring,
    serve,
    take,
    unlock,
    work,
)
from virtperf.tables import Edge, Kind, System

DIRECT = Bell(name="", to="", rule="always", costs={})
SOME = Exponential(100.0)


def parts() -> Assembly:
    """Return two workers, one of which can be interrupted, a station, a lock and credits."""
    assembly = Assembly("parts", pcpus=2)
    for name in ("a", "b"):
        assembly.worker(name, "w")
    assembly.interrupt_level("b")
    assembly.station("disk", 1)
    for name in ("l", "m"):
        assembly.lock(name, called="lock", wake_ns=0)
    assembly.credit("tags", 2, called="tags")
    assembly.bell("a>b", DIRECT, to="b.interrupt", sender="a")
    assembly.bell(">a", DIRECT, to="a", sender="")
    return assembly


def load(*path, to: str = "a") -> System:
    assembly = parts()
    assembly.source("load", {"job": (1.0, path)}, to=to, outstanding=1, think=Exponential(1e3))
    return assembly.system()


W = work("a", 100, "a: work")
WRONG: dict[str, tuple[Path, str]] = {
    "unknown worker": ((work("c", 1, "c"), end()), "worker must be one of a, b"),
    "another's work": ((work("b", 1, "b"), end()), "work on a, who holds it"),
    "unknown station": ((serve("tape", SOME, "x", purpose="x"), end()), "one of disk"),
    "unknown doorbell": ((ring("b>a"), end()), "bell must be one of a>b, >a"),
    "a lock as a station": ((serve("l", SOME, "x", purpose="x"), end()), "naming a servers"),
    "a lock taken twice": ((lock("l"), lock("l"), end()), "free of a lock taken twice by a"),
    "a lock not taken": ((unlock("l"), end()), "unlocking what it has locked"),
    "an end with a lock": ((lock("l"), end()), "handed on without locks"),
    "a ring with a lock": ((lock("l"), ring("a>b"), end()), "handed on without locks"),
    "a credit not taken": ((give("tags"), end()), "giving back what it has taken"),
    "an end with a credit": ((take("tags"), end()), "every credit given back"),
    "a wait with a lock": ((lock("l"), take("tags"), end()), "waiting for credits without"),
    "no end": ((W,), "finished by an end step"),
    "steps behind the end": ((end(), W), "over at its end"),
    "a way out without an end": ((take("tags", otherwise=(W,)), give("tags"), end()), "finished"),
    "work at a station": ((serve("disk", SOME, "x", purpose="x"), W, end()), "work on a worker"),
    "branches apart": (
        (Choice(branches=((1.0, (take("tags"),)), (1.0, ())), purpose="p"), give("tags"), end()),
        "the same after every branch",
    ),
    "a weight of zero": (
        (Choice(branches=((0.0, ()), (1.0, (W,))), purpose="p"), end()),
        "weights above 0",
    ),
    "a join of nobody": ((Join(name="j", paths=(), account="j"), end()), "at least one doorbell"),
    "a join without doorbells": (
        (Join(name="j", paths=((W, end()),), account="j"), end()),
        "paths that begin with their doorbell",
    ),
    "a join in an interrupt": (
        (
            ring("a>b"),
            Join(name="j", paths=((ring("a>b"), end()),), account="j"),
            end(),
        ),
        "a join outside of interrupts",
    ),
    "gathered at a station": ((serve("disk", SOME, "x", purpose="x"), gather(), end()), "gathered"),
    "gathered twice": ((gather(), W, gather(), end()), "gathered once in a turn"),
    "gathered with a lock": ((lock("l"), gather(), unlock("l"), end()), "without locks"),
    "once for nobody": ((Once(by="last", path=(W,)), end()), "gathered before"),
    "locked for nobody": (
        (Once(by="first", path=(lock("l"),)), unlock("l"), end()),
        "takes a lock for all",
    ),
    "handed on once for all": (
        (gather(), Once(by="last", path=(serve("disk", SOME, "x", purpose="x"),)), end()),
        "in the same hands",
    ),
    "a side path to nobody": ((Spawn(name="s", path=(end(),), to="c"), end()), "inbox must be one"),
}


@pytest.mark.parametrize(("path", "says"), WRONG.values(), ids=WRONG)
def test_a_path_is_refused_in_the_name_of_its_source(path, says):
    with pytest.raises(ParameterError) as refused:
        load(*path)
    assert str(refused.value).startswith("load.")
    assert says in str(refused.value)


NOT_THERE: dict[str, tuple[Callable[[Assembly], object], str]] = {
    "a source of zero": (
        lambda a: a.source("load", {"job": (1.0, (W, end()))}, to="a"),
        "load.outstanding must be at least 1",
    ),
    "a source to nobody": (
        lambda a: a.source("load", {"job": (1.0, (W, end()))}, to="c", outstanding=1),
        "load.inbox must be one of",
    ),
    "a station without servers": (lambda a: a.station("s", 0), "s.servers must be at least 1"),
    "no credits": (lambda a: a.credit("c", 0, called="c"), "c.count must be at least 1"),
    "a name twice": (lambda a: a.station("disk", 1), "disk.station must be a name that is still"),
    "an unknown discipline": (
        lambda a: a.lock("k", called="k", wake_ns=0, discipline="fair"),
        "k.discipline must be one of ticket, unfair, mutex-direct, mutex-barging",
    ),
    "a pCPU that is not there": (
        lambda a: a.worker("irq", "host", host_interrupts_of=2),
        "irq.pCPU must be below 2",
    ),
    "a moderated doorbell of a worker": (
        lambda a: a.bell(
            "m", Bell(name="", to="", rule="moderated", costs={}, timer=1.0), to="b", sender="a"
        ),
        "m.moderation must be that of a device",
    ),
    "moderation for ever": (
        lambda a: a.bell(
            "m", Bell(name="", to="", rule="moderated", costs={}, count=8), to="b", sender=""
        ),
        "m.timer must be above 0",
    ),
    "a timer that stands still": (
        lambda a: a.timer("t", (ring(">a"), end()), worker="a", period_ns=0),
        "t.period must be above 0",
    ),
    "a timer by chance": (
        lambda a: a.timer(
            "t", (ring(">a"), serve("disk", SOME, "x", purpose="x"), end()), worker="a", period_ns=9
        ),
        "t.path must be free of random times",
    ),
    "overhead by chance": (
        lambda a: a.worker("c", "c", wake=(serve("disk", SOME, "x", purpose="x"),)),
        "c.overhead must be work of a fixed length",
    ),
}


@pytest.mark.parametrize(("add", "says"), NOT_THERE.values(), ids=NOT_THERE)
def test_a_part_is_refused_in_its_own_name(add, says):
    with pytest.raises(ParameterError, match=says.replace(".", r"\.", 1)):
        add(parts())


def test_a_system_without_load_is_refused():
    with pytest.raises(ParameterError, match="sources must be at least one"):
        parts().system()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Deterministic(-1.0),
        lambda: Exponential(-1.0),
        lambda: LogNormal(-1.0, 1.0),
        lambda: Empirical((-1.0,), (1.0,)),
        lambda: work("a", -1.0, "a"),
    ],
)
def test_a_negative_time_is_refused_where_it_is_made(make):
    with pytest.raises(ParameterError, match="at least 0"):
        make()


def test_a_choice_is_laid_as_jumps_that_meet_again():
    ways = ((1.0, (W,)), (3.0, ()))
    system = load(Choice(branches=ways, purpose="which"), end())
    kinds = [Kind(step.kind).name for step in system.steps]

    assert kinds == ["CHOOSE", "GOTO", "GOTO", "WORK", "GOTO", "GOTO", "END"]
    targets = [step.target for step in system.steps if step.kind == Kind.GOTO]
    assert targets == [3, 5, 6, 6]  # one per branch, then out of each
    assert system.weights[-2:] == (1.0, 3.0)


def test_what_is_done_once_is_laid_behind_a_jump_for_the_others():
    system = load(gather(), Once(by="last", path=(W, W)), W, end())
    kinds = [Kind(step.kind).name for step in system.steps]
    assert kinds == ["GATHER", "ONCE", "WORK", "WORK", "WORK", "END"]
    assert (system.steps[1].target, system.steps[1].other) == (4, Edge.LAST)


def test_all_that_a_worker_gathers_must_take_and_leave_the_same_locks():
    first = Once(by="first", path=(lock("l"),))
    last = Once(by="last", path=(unlock("l"),))
    path = (gather(), first, W, last, end())
    assembly = parts()
    assembly.source("load", {"job": (1.0, path)}, to="a", outstanding=1)
    with pytest.raises(ParameterError, match="the same, done once, for all that a worker gathers"):
        assembly.source("more", {"job": (1.0, (gather(), W, end()))}, to="a", outstanding=1)


def test_a_side_path_may_give_back_what_its_request_took():
    system = load(take("tags"), Spawn(name="aside", path=(give("tags"), end())), end())
    assert system.sides == ("aside",)
    assert [row.side for row in system.classes] == [0, 1]


def test_a_closed_source_that_could_go_round_in_no_time_is_refused():
    with pytest.raises(ParameterError, match=r"load\.path must be taking time"):
        parts().source("load", {"job": (1.0, (work("a", 0, "a"), end()))}, to="a", outstanding=1)
    drops = (take("tags", otherwise=(end("dropped"),)), W, give("tags"), end())
    with pytest.raises(ParameterError, match=r"load\.think must be above 0 where"):
        parts().source("load", {"job": (1.0, drops)}, to="a", outstanding=1)


def test_arrivals_without_time_between_them_are_refused():
    with pytest.raises(ParameterError, match=r"load\.gap must be above 0, got 0"):
        parts().source("load", {"job": (1.0, (W, end()))}, to="a", gap=Deterministic(0.0))


def test_a_guest_slice_that_its_process_switch_would_eat_is_refused():
    with pytest.raises(ParameterError, match=r"v\.slice must be longer than a process switch"):
        parts().worker("v", "vcpu", slice_ns=1_000, switch=(work("v", 1_000, "switch"),))


def test_a_timer_whose_handler_takes_longer_than_its_period_is_refused():
    assembly = parts()
    assembly.bell("tb", Bell(name="tb", to="", rule="always", costs={}), to="a", sender="")
    path = (ring("tb"), work("a", 2_000, "a: tick"), end())
    with pytest.raises(ParameterError, match=r"tick\.period must be longer than it takes"):
        assembly.timer("tick", path, worker="a", period_ns=2_000)
