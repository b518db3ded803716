"""Schedules of at least ten decisions, worked out by hand, reproduced event by event.

Each line of a schedule is what one pCPU did, as ``account start-end`` in us, in order. Ties of one
instant go by owner: source, station, doorbell, lock, worker, and the end of a slice last.
"""

import pytest

from virtperf.assembly import Assembly
from virtperf.dist import Deterministic
from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    Join,
    Ringing,
    end,
    give,
    lock,
    ring,
    serve,
    take,
    unlock,
    work,
)
from virtperf.sim import record
from virtperf.tables import NONE

pytestmark = pytest.mark.golden
US = 1_000_000  # ticks
DIRECT = Bell(name="", to="", rule="always", costs={})


def us(assembly: Assembly, requests: int) -> tuple[list[str], list[float]]:
    """Return what each pCPU did, and when requests ended."""
    run, timeline = record(assembly.system(), seed=1, replication=0, requests=requests)
    tracks = [
        ", ".join(
            f"{span.name.replace('host: switch', 'switch')} {span.start / US:g}-{span.end / US:g}"
            for span in spans
            if span.worker != NONE
        )
        for spans in timeline.pcpus
    ]
    return tracks, [end / US for end in run.ends]


def lines(*parts: str) -> str:
    return ", ".join(parts)


def test_a_ticket_lock_whose_holders_are_preempted():
    """One pCPU, slices of 4, switches of 1. A section of 3, then 1 more, for a and for b.

    At 4 a ends, begins again and takes the lock, and its slice is over: b spins for its whole
    slice. At 12 a releases to b, who is not running: a ticket is handed over all the same.
    """
    assembly = Assembly("ticket", pcpus=1, slice_ns=4_000, switch_ns=1_000)
    assembly.lock("l", called="lock", wake_ns=0, discipline="ticket")
    for n in ("a", "b"):
        assembly.worker(n, n)
        path = (
            lock("l", masked=False),
            work(n, 3_000, f"{n} in"),
            unlock("l"),
            work(n, 1_000, f"{n} out"),
            end(),
        )
        assembly.source(n, {"job": (1.0, path)}, to=n, outstanding=1)
    (pcpu,), ends = us(assembly, 4)

    assert pcpu == lines(
        "a in 0-3, a out 3-4",
        "switch 4-5, b: spinning 5-8",
        "switch 8-9, a in 9-12",
        "switch 12-13, b in 13-16",
        "switch 16-17, a out 17-18, a in 18-20",
        "switch 20-21, b out 21-22, b: spinning 22-24",
        "switch 24-25, a in 25-26, a out 26-27",
    )
    assert ends == [4, 18, 22, 27]


def test_three_processes_share_a_vcpu():
    """Work of 5 each, guest slices of 3 from the choice on, a process switch of 1 with them.

    At 12 t0 ends and begins again before its slice is over, so it goes to the tail with 5 left.
    """
    assembly = Assembly("tasks", pcpus=1)
    switch = work("v", 1_000, "change", masked=True)
    assembly.worker("v", "vcpu", slice_ns=3_000, switch=(switch,))
    for n in ("t0", "t1", "t2"):
        assembly.task(n, "v")
        path = (work("v", 5_000, n), end())
        assembly.source(n, {"job": (1.0, path)}, to=n, outstanding=1)
    (pcpu,), ends = us(assembly, 3)

    assert pcpu == lines(
        "t0 0-3",
        "change 3-4, t1 4-6",
        "change 6-7, t2 7-9",
        "change 9-10, t0 10-12",
        "change 12-13, t1 13-15",
        "change 15-16, t2 16-18",
        "change 18-19, t0 19-21",
        "change 21-22, t1 22-24",  # its first ends at 23, 1 of the next is done
        "change 24-25, t2 25-26",
    )
    assert ends == [12, 23, 26]


def test_interrupt_work_of_the_host_stands_above_a_poller_and_a_thread():
    """One pCPU, slices of 5, switches of 1. The I/O thread submits 1, the device takes 3, the
    host's interrupt 1, the completion 1; it polls for 6. A thread u computes all the time.

    At 4 the interrupt stops the poll, at 5 it rings: the poller has found its work when its slice
    ends in the same instant. At 15 the slice ends a poll; at 16 the switch to u is just over.
    """
    assembly = Assembly("above", pcpus=1, slice_ns=5_000, switch_ns=1_000)
    assembly.worker("io", "io", poll_ns=6_000)
    assembly.worker("u", "u")
    assembly.worker("irq", "irq", host_interrupts_of=0)
    assembly.station("d", 1)
    assembly.bell("hard", DIRECT, to="irq", sender="")
    assembly.bell("aio", DIRECT, to="io", sender="irq")
    path = (
        work("io", 1_000, "submit"),
        serve("d", Deterministic(3_000), "device"),
        ring("hard"),
        work("irq", 1_000, "irq"),
        ring("aio"),
        work("io", 1_000, "complete"),
        end(),
    )
    assembly.source("io", {"job": (1.0, path)}, to="io", outstanding=1)
    assembly.source("u", {"job": (1.0, (work("u", 90_000, "u"), end()))}, to="u", outstanding=1)
    (pcpu,), ends = us(assembly, 3)

    assert pcpu == lines(
        "submit 0-1, io: polling 1-4, irq 4-5",
        "switch 5-6, u 6-10",
        "switch 10-11, complete 11-12, submit 12-13, io: polling 13-15",
        "switch 15-16, irq 16-17, u 17-20",
        "switch 20-21, complete 21-22, submit 22-23, io: polling 23-25",
        "switch 25-26, irq 26-27, u 27-30",
        "switch 30-31, complete 31-32",
    )
    assert ends == [12, 22, 32]


def test_a_call_of_two_others_waits_for_the_later_answer():
    """v0 works 2, sends two interrupts (1 each, 1 under way) and spins; a target flushes for 2.

    v1 computes 10 at a time and is cut, v2 sleeps. At 12 the interrupt reaches v1 as its work is
    done: the doorbell goes first, so that the end of the work waits for the handler.
    """
    assembly = Assembly("join", pcpus=3)
    for n in range(3):
        assembly.worker(f"v{n}", "vcpu")
        assembly.interrupt_level(f"v{n}")
    send = Ringing(sender=(work("v0", 1_000, "send", masked=True),), delay=1_000)
    for n in (1, 2):
        bell = Bell(name="", to="", rule="always", costs=dict.fromkeys(CONSUMER_STATES, send))
        assembly.bell(f"to {n}", bell, to=f"v{n}.interrupt", sender="v0")
    answers = tuple((ring(f"to {n}"), work(f"v{n}", 2_000, f"flush {n}"), end()) for n in (1, 2))
    path = (
        work("v0", 2_000, "user"),
        Join(name="answers", paths=answers, account="waits"),
        work("v0", 1_000, "after"),
        end(),
    )
    assembly.source("call", {"call": (1.0, path)}, to="v0", outstanding=1)
    computes = (work("v1", 10_000, "computes"), end())
    assembly.source("other", {"other": (1.0, computes)}, to="v1", outstanding=1)
    pcpus, ends = us(assembly, 3)

    assert pcpus == [
        lines(
            "user 0-2, send 2-4, vcpu: spinning 4-7, after 7-8",
            "user 8-10, send 10-12, vcpu: spinning 12-15, after 15-16",
        ),
        lines("computes 0-4, flush 1 4-6, computes 6-12, flush 1 12-14, computes 14-16"),
        lines("flush 2 5-7, flush 2 13-15"),
    ]
    assert ends == [8, 14, 16]


def test_two_tags_and_an_interrupt_that_waits_5_us_for_company():
    """A request every 3, a device of 2, then 1 of work that frees its tag.

    The first timer starts at 5 with request 1 and goes off at 10 for 1 and 2; request 3 came at 9
    and found no tag. At 12 request 4 comes before the tag of request 2 is free, and at 18 request
    6 before the second interrupt.

      tags    1 at 3 | 2 at 6 | 3 at 11 | 4 at 12 | 5 at 19 | 6 at 20 | 7 at 27
      device  1 3-5 | 2 6-8 | 3 11-13 | 4 13-15 | 5 19-21 | 6 21-23
      timer   set at 5, 13, 21; goes off at 10, 18, 26
    """
    assembly = Assembly("tags", pcpus=1)
    assembly.worker("w", "w")
    assembly.station("d", 1)
    assembly.credit("tag", 2, called="tag")
    late = Bell(name="", to="", rule="moderated", costs={}, timer=5_000, counts="interrupts")
    assembly.bell("late", late, to="w", sender="")
    path = (
        take("tag"),
        serve("d", Deterministic(2_000), "device"),
        ring("late"),
        work("w", 1_000, "works"),
        give("tag"),
        end(),
    )
    assembly.source("in", {"job": (1.0, path)}, gap=Deterministic(3_000))
    (pcpu,), ends = us(assembly, 6)

    assert pcpu == "works 10-12, works 18-20, works 26-28"
    assert ends == [11, 12, 19, 20, 27, 28]
    run, _ = record(assembly.system(), seed=1, replication=0, requests=6)
    last, accounts = run.snapshots[-1], assembly.system().accounts
    spent = dict(zip(accounts, last.requests[0], strict=True))
    assert last.residence[0] / US == 8 + 6 + 10 + 8 + 12 + 10
    assert spent["wait: tag"] / US == 2 + 0 + 4 + 2  # requests 3 to 6: 9-11, 12-12, 15-19, 18-20
    assert last.counters == (3,)


def test_a_convoy_behind_a_mutex_that_is_handed_over():
    """Two pCPUs, three threads, a section of 2, 1 more; a wake-up takes 1, a switch 1.

    Every section waits for the wake-up and the switch of its heir: 4 in all, where 2 would do. At
    7 c wakes before b has left its pCPU, and goes to the idle one.
    """
    assembly = Assembly("convoy", pcpus=2, slice_ns=100_000, switch_ns=1_000)
    assembly.lock("l", called="lock", wake_ns=1_000, discipline="mutex-direct")
    for n in ("a", "b", "c"):
        assembly.worker(n, n)
        path = (
            lock("l"),
            work(n, 2_000, f"{n} in"),
            unlock("l"),
            work(n, 1_000, f"{n} out"),
            end(),
        )
        assembly.source(n, {"job": (1.0, path)}, to=n, outstanding=1)
    pcpus, ends = us(assembly, 5)

    assert pcpus == [
        lines(
            "a in 0-2, a out 2-3",
            "switch 7-8, c in 8-10, c out 10-11",
            "switch 15-16, b in 16-18, b out 18-19",
        ),
        lines(
            "switch 0-1",
            "switch 3-4, b in 4-6, b out 6-7",
            "switch 11-12, a in 12-14, a out 14-15",
        ),
    ]
    assert ends == [3, 7, 11, 15, 19]
