"""Those who wait for each other for ever are told so, as a cycle."""

import pytest

from tests.engines import both
from virtperf.assembly import Assembly
from virtperf.dist import Cycle, Deterministic
from virtperf.errors import DeadlockError
from virtperf.path import Bell, Join, Spawn, end, give, lock, ring, serve, take, unlock, work


def go(assembly: Assembly, requests: int = 1_000) -> None:
    """Run with both engines, which must say the same."""
    compiled, reference = both(assembly.system(), requests=requests)
    assert compiled == reference
    if "error" in reference:
        kind, _, says = reference["error"].partition(": ")
        raise {"DeadlockError": DeadlockError}[kind](says)


def threads(*names: str) -> Assembly:
    assembly = Assembly("threads", pcpus=len(names))
    for name in names:
        assembly.worker(name, name)
    return assembly


@pytest.mark.parametrize("discipline", ["ticket", "unfair", "mutex-direct", "mutex-barging"])
def test_two_locks_taken_in_both_orders(discipline):
    assembly = threads("a", "b")
    for name in ("l", "m"):
        assembly.lock(name, called=name, wake_ns=0, discipline=discipline)
    for name, (first, second) in {"a": ("l", "m"), "b": ("m", "l")}.items():
        path = (
            lock(first),
            work(name, 100, name),
            lock(second),
            unlock(second),
            unlock(first),
            end(),
        )
        assembly.source(name, {"job": (1.0, path)}, to=name, outstanding=1)
    with pytest.raises(DeadlockError) as told:
        go(assembly)
    assert str(told.value) in (
        "deadlock: b waits for l, held by a; a waits for m, held by b",
        "deadlock: a waits for m, held by b; b waits for l, held by a",
    )


def test_an_interrupt_that_wants_the_lock_of_what_it_interrupts():
    """A kernel must disable interrupts where it holds such a lock."""
    assembly = threads("a")
    assembly.interrupt_level("a")
    assembly.lock("l", called="l", wake_ns=0, discipline="ticket")
    assembly.bell("irq", Bell(name="", to="", rule="always", costs={}), to="a.interrupt", sender="")
    assembly.station("d", 1)
    inside = (lock("l", masked=False), work("a", 5_000, "in"), unlock("l"), end())
    assembly.source("a", {"job": (1.0, inside)}, to="a", outstanding=1)
    handler = (
        serve("d", Deterministic(2_000), "d"),
        ring("irq"),
        lock("l"),
        unlock("l"),
        end(),
    )
    assembly.source("irq", {"irq": (1.0, handler)}, outstanding=1)
    with pytest.raises(DeadlockError, match="a waits for l, held by a"):
        go(assembly)


def test_a_call_of_one_who_waits_for_the_callers_lock_with_interrupts_off():
    """The classic of cross calls: the callee spins for what the caller holds."""
    assembly = threads("a", "b")
    assembly.interrupt_level("b")
    assembly.lock("l", called="l", wake_ns=0, discipline="ticket")
    assembly.bell(
        "call", Bell(name="", to="", rule="always", costs={}), to="b.interrupt", sender="a"
    )
    answer = (ring("call"), work("b", 100, "answers"), end())
    calls = (
        lock("l"),
        work("a", 1_000, "a"),
        Join(name="answers", paths=(answer,), account="waits"),
        unlock("l"),
        end(),
    )
    assembly.source("a", {"calls": (1.0, calls)}, to="a", outstanding=1)
    spins = (work("b", 500, "b"), lock("l", masked=True), unlock("l"), end())
    assembly.source("b", {"spins": (1.0, spins)}, to="b", outstanding=1)
    with pytest.raises(DeadlockError) as told:
        go(assembly)
    assert str(told.value) == ("deadlock: a waits for an answer of b; b waits for l, held by a")


def test_credits_that_only_those_who_wait_could_give_back():
    assembly = threads("a")
    assembly.station("d", 4)
    for name in ("tags", "slots"):
        assembly.credit(name, 1, called=name)
    for first, second in (("tags", "slots"), ("slots", "tags")):
        path = (
            take(first),
            serve("d", Deterministic(100), "d"),
            take(second),
            give(second),
            give(first),
            end(),
        )
        assembly.source(first, {first: (1.0, path)}, outstanding=1)
    with pytest.raises(DeadlockError) as told:
        go(assembly)
    assert str(told.value) == (
        "deadlock: all 1 of slots are held by requests (slots) that wait for tags; "
        "all 1 of tags are held by requests (tags) that wait for slots"
    )


def device_interrupt(assembly: Assembly, *handler) -> None:
    """Let a device interrupt w every 4 us; `handler` is what the handler does."""
    assembly.interrupt_level("w")
    assembly.station("d", 1)
    bell = Bell(name="", to="", rule="always", costs={})
    assembly.bell("irq", bell, to="w.interrupt", sender="")
    path = (serve("d", Deterministic(4_000), "d"), ring("irq"), *handler, end())
    assembly.source("irq", {"irq": (1.0, path)}, outstanding=1)


def test_a_handler_that_holds_one_lock_above_a_spin_for_another_is_no_deadlock():
    """It goes on, though what it has interrupted cannot."""
    assembly = threads("w", "x")
    for name in ("l", "m"):
        assembly.lock(name, called=name, wake_ns=0, discipline="ticket")
    device_interrupt(assembly, lock("m"), work("w", 3_000, "irq"), unlock("m"))
    both = (
        lock("l"),
        work("x", 5_000, "l"),
        lock("m"),
        work("x", 1_000, "l and m"),
        unlock("m"),
        unlock("l"),
        end(),
    )
    assembly.source("x", {"x": (1.0, both)}, to="x", outstanding=1)
    one = (work("w", 1_000, "w"), lock("l", masked=False), work("w", 1_000, "l"), unlock("l"))
    assembly.source("w", {"w": (1.0, (*one, end()))}, to="w", outstanding=1)
    go(assembly)


def test_a_lock_handed_to_one_whose_handler_waits_for_the_next_in_line():
    assembly = threads("h", "w", "x")
    for name in ("l", "m"):
        assembly.lock(name, called=name, wake_ns=0, discipline="ticket")
    device_interrupt(assembly, lock("m"), unlock("m"))
    held = (lock("l"), work("h", 10_000, "l"), unlock("l"), work("h", 1e6, "h"), end())
    assembly.source("h", {"h": (1.0, held)}, to="h", outstanding=1)
    spins = (work("w", 1_000, "w"), lock("l", masked=False), work("w", 1_000, "l"), unlock("l"))
    assembly.source("w", {"w": (1.0, (*spins, end()))}, to="w", outstanding=1)
    both = (
        work("x", 2_000, "x"),
        lock("m"),
        work("x", 1_000, "m"),
        lock("l"),
        unlock("l"),
        unlock("m"),
        end(),
    )
    assembly.source("x", {"x": (1.0, both)}, to="x", outstanding=1)
    with pytest.raises(DeadlockError, match="w waits for m, held by x; x waits for l, held by w"):
        go(assembly)


def test_a_call_whose_handler_wants_the_callers_lock():
    assembly = threads("a", "b")
    assembly.interrupt_level("b")
    assembly.lock("l", called="l", wake_ns=0, discipline="ticket")
    bell = Bell(name="", to="", rule="always", costs={})
    assembly.bell("call", bell, to="b.interrupt", sender="a")
    answer = (ring("call"), lock("l"), work("b", 100, "answers"), unlock("l"), end())
    calls = (
        lock("l"),
        work("a", 1_000, "a"),
        Join(name="answers", paths=(answer,), account="waits"),
        unlock("l"),
        end(),
    )
    assembly.source("a", {"calls": (1.0, calls)}, to="a", outstanding=1)
    with pytest.raises(DeadlockError, match="b waits for l, held by a; a waits for an answer of b"):
        go(assembly)


def test_a_credit_lent_to_a_side_path_comes_back():
    assembly = threads("a")
    assembly.station("d", 4)
    for name in ("tags", "slots"):
        assembly.credit(name, 1, called=name)
    back = (serve("d", Deterministic(10_000), "d"), give("tags"), end())
    lends = (
        take("tags"),
        Spawn(name="back", path=back),
        serve("d", Deterministic(100), "d"),
        take("slots"),
        give("slots"),
        end(),
    )
    assembly.source("p", {"p": (1.0, lends)}, outstanding=1)
    waits = (
        take("slots"),
        serve("d", Deterministic(50), "d"),
        take("tags"),
        give("tags"),
        give("slots"),
        end(),
    )
    assembly.source("q", {"q": (1.0, waits)}, outstanding=1)
    go(assembly, 4)


def test_host_interrupt_work_that_spins_for_what_the_thread_below_holds():
    assembly = Assembly("below", pcpus=1)
    assembly.worker("t", "t")
    assembly.worker("irq", "irq", host_interrupts_of=0)
    assembly.lock("l", called="l", wake_ns=0, discipline="ticket")
    assembly.station("d", 1)
    assembly.bell("hard", Bell(name="", to="", rule="always", costs={}), to="irq", sender="")
    path = (lock("l"), work("t", 5_000, "t"), unlock("l"), end())
    assembly.source("t", {"t": (1.0, path)}, to="t", outstanding=1)
    handler = (serve("d", Deterministic(2_000), "d"), ring("hard"), lock("l"), unlock("l"), end())
    assembly.source("irq", {"irq": (1.0, handler)}, outstanding=1)
    with pytest.raises(DeadlockError, match="irq waits for l, held by t; t stands still below irq"):
        go(assembly)


def test_a_cycle_that_closes_below_a_wait_that_ends():
    """At 5 x waits for k, at 10 the handler of w is done, and w is back at its wait for l."""
    assembly = threads("w", "x", "y")
    assembly.interrupt_level("w")
    assembly.station("d", 1)
    for name in "klm":
        assembly.lock(name, called=name, wake_ns=0, discipline="ticket")
    assembly.bell("irq", Bell(name="", to="", rule="always", costs={}), to="w.interrupt", sender="")
    once = Cycle((1, 1e9))
    paths = {
        "w": (
            lock("k"),
            work("w", 2_000, "w"),
            lock("l", masked=False),
            unlock("l"),
            unlock("k"),
        ),
        "x": (lock("l"), work("x", 5_000, "x"), lock("k"), unlock("k"), unlock("l")),
        "y": (lock("m"), work("y", 10_000, "y"), unlock("m")),
    }
    for name, path in paths.items():
        assembly.source(name, {name: (1.0, (*path, end()))}, to=name, gap=once)
    handler = (serve("d", Deterministic(3_000), "d"), ring("irq"), lock("m"), unlock("m"), end())
    assembly.source("irq", {"irq": (1.0, handler)}, gap=once)
    with pytest.raises(DeadlockError, match="w waits for l, held by x; x waits for k, held by w"):
        go(assembly)
