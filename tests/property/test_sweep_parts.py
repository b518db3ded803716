"""The parts of a sweep on generated cases: keys, kept runs, tallies, the rule to stop."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systems import scenario
from virtperf.build import build
from virtperf.errors import DamageError
from virtperf.experiment import keeping
from virtperf.experiment.engines import SIM, run_one
from virtperf.experiment.keys import digest, point_key, run_key
from virtperf.experiment.stopping import verdict
from virtperf.experiment.tally import Effort, Tally
from virtperf.stats import interval

pytestmark = pytest.mark.property

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


# -- keys --------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(max_size=3), plain, min_size=2))
def test_the_order_of_names_does_not_change_a_digest(table):
    assert digest(table) == digest(dict(reversed(table.items())))


@given(plain, plain)
def test_data_that_differ_have_other_digests(one, other):
    if one != other:
        assert digest(one) != digest(other)


HOW = {"requests": 100, "seed": 1, "engine": "fast", "pilot": 10}


@pytest.mark.parametrize(
    "change", [{"requests": 101}, {"seed": 2}, {"engine": "sim"}, {"pilot": 9}]
)
def test_how_a_point_is_run_is_part_of_its_key(change):
    point = scenario()
    assert point_key(point, **HOW) == point_key(scenario(), **HOW)
    assert point_key(point, **HOW) != point_key(point, **HOW | change)


@pytest.mark.parametrize(
    "levels",
    [
        {"vm.disk": "native"},
        {"platform.exit_kernel": "1.1x"},
        {"host.pcpus": 3},
        {"device.ssd0.channels": 31},
    ],
)
def test_what_decides_an_outcome_is_part_of_its_key(levels):
    assert point_key(scenario(), **HOW) != point_key(scenario().with_all(levels), **HOW)


def test_each_run_has_a_key_of_its_own():
    names = [("p", 0), ("p", 1), ("q", 0), ("p", 0, "low"), ("p", 0, "high")]
    assert len({run_key(*name) for name in names}) == len(names)


# -- kept runs ---------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    disk=st.sampled_from(["native", "virtio", "emulated-nvme"]),
    vms=st.integers(1, 2),
    outstanding=st.integers(1, 4),
    requests=st.integers(20, 300),
)
def test_a_kept_run_is_the_run(disk, vms, outstanding, requests):
    built = build(scenario(disk, vms=vms, outstanding=outstanding))
    run = run_one(built, 1, 0, requests, SIM)
    again = keeping.from_bytes("name", keeping.to_bytes(run))

    for batch, other in zip(run.histograms, again.histograms, strict=True):
        assert [one.counts for one in batch] == [one.counts for one in other]
    bare = {"histograms": (), "wakes": ()}
    assert _with(run, **bare) == _with(again, **bare)


def _with(run, **changes):
    from dataclasses import replace

    return replace(run, **changes)


@given(st.binary(max_size=60))
def test_what_is_no_kept_run_is_told(content):
    with pytest.raises(DamageError, match="file is damaged"):
        keeping.from_bytes("file", content)


@settings(max_examples=30)
@given(st.data())
def test_a_kept_run_that_is_cut_short_is_told(data):
    whole = keeping.to_bytes(run_one(build(scenario()), 1, 0, 40, SIM))
    content = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(DamageError):
        keeping.from_bytes("file", content)


# -- tallies -----------------------------------------------------------------------------------

values = st.floats(1.0, 2.0)


def tally(*, replications=10, most=40, most_requests=None, outputs=None, corners=(), pilot=10):
    effort = Effort(
        replications=replications,
        most=most,
        most_requests=most_requests,
        outputs={"latency.mean": 0.05} if outputs is None else outputs,
    )
    return Tally(key="k", corners=corners, pilot=pilot, requests=100, effort=effort)


def carried_out(one, draws, order=None):
    """Make the missing runs until there are none; return the replications there are."""
    while missing := one.missing():
        for which in order(missing) if order else missing:
            one.done.add(which)
            if not which[1]:
                one.values.setdefault("latency.mean", {})[which[0]] = draws[which[0]]
    return sorted(r for r, corner in one.done if not corner)


@given(st.lists(values, min_size=40, max_size=40))
def test_the_order_in_which_runs_end_does_not_change_how_many_there_are(draws):
    forward = carried_out(tally(), draws)
    assert forward == carried_out(tally(), draws, order=lambda m: m[::-1])
    assert forward == carried_out(tally(), draws, order=lambda m: m[:1])
    assert forward == list(range(len(forward)))


@given(st.lists(values, min_size=40, max_size=40))
def test_a_point_ends_when_precise_or_when_its_budget_is_spent(draws):
    one = tally()
    made = carried_out(one, draws)
    mean, half = interval(draws[: len(made)])

    assert len(made) % 5 == 0
    assert (half / mean <= 0.05 / 1.05) == (one.because() == "precision met")
    assert one.because() == "precision met" or len(made) == 40


@given(st.lists(values, min_size=40, max_size=40), st.integers(0, 5_000))
def test_a_budget_of_requests_is_kept_but_for_the_least(draws, most_requests):
    made = carried_out(tally(most_requests=most_requests), draws)
    assert len(made) == 10 or (len(made) - 5 + 1) * 100 <= most_requests


@given(st.sets(st.integers(0, 9)))
def test_runs_that_are_there_are_not_made_again(have):
    one = tally(corners=("low", "high"))
    one.done |= {(r, "") for r in have}
    missing = one.missing()

    assert len(missing) == len(set(missing)) == 12 - len(have)
    assert not have & {r for r, corner in missing if not corner}
    assert one.piloted == (len(have) == 10)


def test_lost_runs_are_not_made_again_and_a_point_that_is_over_has_none():
    one = tally()
    one.lost.add((3, ""))
    assert (3, "") not in one.missing()
    one.over = "saturated"
    assert one.missing() == []


# -- the rule to stop --------------------------------------------------------------------------


@given(st.lists(values, min_size=10, max_size=40), st.floats(0.001, 0.5))
def test_a_verdict_is_the_interval_held_against_what_was_asked(seen, asked):
    said = verdict({"a": seen}, {"a": asked})
    mean, half = interval(seen)

    assert said.widths["a"] == pytest.approx(half / mean)
    assert said.met == (said.widths["a"] <= asked / (1 + asked))
    assert bool(said.because) != said.met
    assert not said.hopeless


@given(st.lists(st.none(), max_size=20))
def test_an_output_without_values_is_hopeless(nothing):
    said = verdict({"a": nothing, "b": [1.0] * 10}, {"a": 0.1, "b": 0.1})

    assert said.hopeless
    assert not said.met
    assert math.isnan(said.widths["a"])
    assert said.widths["b"] == 0.0


@given(st.lists(values, min_size=2, max_size=9))
def test_fewer_than_ten_replications_are_never_enough(seen):
    assert not verdict({"a": seen}, {"a": 0.5}).met
