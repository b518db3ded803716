"""Co-scheduling, strict and relaxed: schedules worked by hand."""

from typing import Any

import pytest

from tests.schedules import BOTH, Thread, recorded, shares, stretches, system, who_ran
from virtperf.assembly.scheduling import Share

MS = 10**9  # ticks
STRICT: Any = {"policy": "gang", "slice_ns": 10e6, "period_ns": 10e6}
RELAXED: Any = {
    "policy": "relaxed-gang",
    "slice_ns": 10e6,
    "period_ns": 1e6,
    "constants": {"skew": 3 * MS},
}


def hog(name: str, domain: str = "", weight: int = 1024) -> Thread:
    return Thread(name=name, share=Share(domain=domain, weight=weight))


def ran(threads, time_ms: int, pcpus: int, policy, engine, step_us: int = 1000):
    built = system(threads, policy["policy"], pcpus=pcpus, **_rest(policy))
    timeline = recorded(built, time_ms, engine=engine)
    tracks = who_ran(timeline, time_ms * 1000, step_us)
    return timeline, [stretches(track, step_us) for track in tracks]


def _rest(policy):
    return {key: value for key, value in policy.items() if key != "policy"}


@pytest.mark.parametrize("engine", BOTH)
def test_a_gang_runs_together_or_not_at_all(engine):
    """Two pCPUs, a VM of two and one of one: they take turns, and one pCPU idles in every other."""
    threads = [hog("a0", "a"), hog("a1", "a"), hog("b0", "b")]
    timeline, (zero, one) = ran(threads, 40, 2, STRICT, engine)
    assert zero == [("a0", 10), ("b0", 10), ("a0", 10), ("b0", 10)]
    assert one == [("a1", 10), ("-", 10), ("a1", 10), ("-", 10)]
    assert {span.name for span in timeline.pcpus[1]} >= {"idle: gang"}


@pytest.mark.parametrize("engine", BOTH)
def test_the_pcpu_of_one_that_sleeps_is_kept_for_it(engine):
    """`a1` works from 2 to 4 ms only; `b0` waits for the end of the slot all the same."""
    threads = [hog("a0", "a"), Thread(name="a1", share=Share(domain="a"), wakes=[(2000, 2000)])]
    threads.append(hog("b0", "b"))
    _, (zero, one) = ran(threads, 20, 2, STRICT, engine)
    assert zero[0] == ("a0", 10)
    assert one == [("-", 2), ("a1", 2), ("-", 16)]


@pytest.mark.parametrize("engine", BOTH)
def test_a_gang_of_which_nobody_wants_to_run_gives_its_pcpus_up_at_once(engine):
    """The VM of `a0` and `a1` is done at 3 ms; `b0` starts then, not at the end of the slot."""
    wakes = [(0.5, 2999.5)]
    threads = [
        Thread(name="a0", share=Share(domain="a"), wakes=wakes),
        Thread(name="a1", share=Share(domain="a"), wakes=wakes),
        hog("b0", "b"),
        hog("b1", "b"),
    ]
    _, (zero, _) = ran(threads, 20, 2, STRICT, engine)
    assert "b0" in {name for name, _ in zero[:2]}
    assert sum(length for name, length in zero if name == "-") == 0


def test_slots_go_by_weight():
    threads = [hog("a0", "a", 2048), hog("a1", "a", 2048), hog("b0", "b"), hog("b1", "b")]
    built = system(threads, "gang", pcpus=2, **_rest(STRICT))
    found = shares(recorded(built, 30_000, engine=BOTH[1]))
    assert found["a0"] == pytest.approx(2 / 3, abs=0.01)
    assert found["b1"] == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize("engine", BOTH)
def test_relaxed_vcpus_may_drift_by_no_more_than_the_skew(engine):
    """`a0`, `a1` share pCPU 0 and 1 with `b0`: when `a1` is 4 ms behind, `a0` stops for it."""
    threads = [hog("a0", "a"), hog("a1", "a"), hog("b0", "b")]
    timeline, _ = ran(threads, 200, 2, RELAXED, engine)
    drift, worst, had = 0, 0, {"a0": 0, "a1": 0}
    for at in range(200):
        for track in who_ran(timeline, 200_000, 1000):
            if track[at] in had:
                had[track[at]] += 1
        drift = had["a0"] - had["a1"]
        worst = max(worst, abs(drift))
    assert worst <= 3 + 2  # the skew, and a period to see it and one to make it good
    free = system(threads, "round-robin", pcpus=2, slice_ns=10e6)
    track = [who_ran(recorded(free, 200, engine=engine), 200_000, 1000)]
    had = {"a0": 0, "a1": 0}
    worst_free = 0
    for at in range(200):
        for one in track[0]:
            if one[at] in had:
                had[one[at]] += 1
        worst_free = max(worst_free, abs(had["a0"] - had["a1"]))
    assert worst_free > worst


def test_relaxed_shares_follow_weights():
    threads = [hog("a", weight=2048), hog("b"), hog("c")]
    built = system(threads, "relaxed-gang", pcpus=1, **_rest(RELAXED))
    found = shares(recorded(built, 30_000, engine=BOTH[1]))
    assert [found[name] for name in "abc"] == pytest.approx([0.5, 0.25, 0.25], abs=0.01)
