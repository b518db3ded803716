"""Two threads of a core share its speed: worked by hand, on both engines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.schedules import BOTH, Thread, recorded, system
from virtperf.assembly.scheduling import Share
from virtperf.errors import ParameterError
from virtperf.rules import siblings

EACH = pytest.mark.parametrize("engine", BOTH, ids=lambda engine: engine.__name__)
SHARED = "core shared with its sibling"


def booked(engine, threads, *, sharing=0.5, time_ms=20, pcpus=2, policy="round-robin", **pool):
    """Return, for each pCPU, what it did until when, in ms."""
    built = system(threads, policy, pcpus=pcpus, sharing=sharing, **pool)
    timeline = recorded(built, time_ms, engine=engine)
    return [
        [(span.name, span.end / 1e9) for span in track if span.worker != -1]
        for track in timeline.pcpus
    ]


def ended(engine, threads, **words):
    """Return when each of the threads, which wake once, was done, in ms."""
    found = {}
    for track in booked(engine, threads, **words):
        found |= dict(track)
    return {thread.name: found[thread.name] for thread in threads}


def wakes(name, at_ms, work_ms):
    return Thread(name=name, wakes=[(at_ms * 1000, work_ms * 1000)])


@EACH
def test_work_takes_longer_while_the_sibling_is_busy(engine):
    """A is alone for 1 ms and has 3 left; B's 1 ms takes 2, in which A does 1; then A is alone."""
    assert ended(engine, [wakes("A", 1, 4), wakes("B", 2, 1)]) == {"A": 6.0, "B": 4.0}


@EACH
def test_threads_of_two_cores_leave_each_other_alone(engine):
    """Of four pCPUs, the second to wake takes one of the idle core, the third has to share."""
    two = [wakes("A", 1, 4), wakes("B", 2, 1)]
    assert ended(engine, two, pcpus=4) == {"A": 5.0, "B": 3.0}
    three = [*two, wakes("C", 2.5, 0.5)]  # beside A, for 1 ms: A does 0.5 meanwhile
    assert ended(engine, three, pcpus=4) == {"A": 5.5, "B": 3.0, "C": 3.5}


@EACH
def test_a_thread_that_waits_shares_nothing(engine):
    """A and C take turns on one thread of the core, every 2 ms; B is busy on the other for 8.

    B and whoever runs beside it do half a ms per ms. A has done 1 of 3 at 3, C 1 of 2 at 5, A 2 at
    7 and C all at 9, when B has 1 ms left to do; A needs its last ms of work beside it, and 2.
    """
    threads = [wakes("A", 1, 3), wakes("C", 1, 2), wakes("B", 1, 5)]
    shares = {"A": (0,), "C": (0,), "B": (1,)}
    pinned = [
        Thread(name=one.name, wakes=one.wakes, share=Share(affinity=shares[one.name]))
        for one in threads
    ]
    constants = {"bandwidth_slice": 5_000_000_000, "base_slice": 2_000_000_000}
    done = ended(
        engine,
        pinned,
        policy="eevdf",
        slice_ns=2e6,
        tick_ns=1e6,
        constants=constants,
    )
    assert done == {"A": 11.0, "C": 9.0, "B": 11.0}


@EACH
@pytest.mark.parametrize("sharing", [0.5, 0.6, 0.625, 0.77, 1.0])
def test_what_the_sibling_costs_is_booked_beside_the_work(engine, sharing):
    threads = [wakes("A", 1, 4), wakes("B", 1, 7)]
    built = system(threads, "round-robin", pcpus=2, sharing=sharing)
    cpu = engine.run(built, seed=1, replication=0, requests=60).snapshots[-1].cpu
    seen = dict(zip(built.accounts, map(sum, zip(*cpu, strict=True)), strict=True))
    both = 4e9 * round(1000 / sharing) / 1000  # until A is done
    assert seen["A"] == 4e9
    assert seen["B"] == 7e9
    assert seen[SHARED] == pytest.approx(2 * (both - 4e9), abs=2)


@given(work=st.integers(1, 10**12), pace=st.integers(1000, 2000))
def test_after_the_time_that_work_takes_it_is_done(work, pace):
    took = siblings.elapsed(work, pace)
    assert siblings.done(took, pace) == work
    assert siblings.done(took - 1, pace) < work


@pytest.mark.parametrize(("pcpus", "sharing"), [(3, 0.6), (2, 0.4), (2, 1.1)])
def test_what_makes_no_sense_is_refused(pcpus, sharing):
    with pytest.raises(ParameterError, match=r"pcpus must be even|sharing must be from 0\.5 to 1"):
        system([wakes("A", 1, 1)], "round-robin", pcpus=pcpus, sharing=sharing)
