"""What the claims of paging techniques rest on: their ranges, and where their signs turn."""

from dataclasses import replace

import pytest

from virtperf.mechanism.memory.process_image import ProcessImage
from virtperf.validation import published
from virtperf.validation.given import Given
from virtperf.validation.nested_claims import NESTED_CLAIMS, Both, compiling
from virtperf.validation.paging_claims import PAGING_CLAIMS
from virtperf.validation.paging_runs import (
    IMAGE,
    exits_of,
    forked_2003,
    forked_in_shadow,
    slower_2003,
)

pytestmark = pytest.mark.validation

FACTS = published.inputs()
CLAIMS = {claim.outcome: claim for claim in (*PAGING_CLAIMS, *NESTED_CLAIMS)}


def given(outcome, **changed):
    """Return the inputs of a claim, some of them at other values."""
    facts = {name: replace(FACTS[name], value=value) for name, value in changed.items()}
    return Given(CLAIMS[outcome].inputs, FACTS | facts)


@pytest.mark.parametrize("what", ["fork", "mmap"])
def test_the_page_tells_the_range_of_a_time_that_rests_on_an_assumed_image(what):
    outcome = f"barham03.{what}.more"
    ends = [slower_2003(what, given(outcome), bound).value / 1e3 for bound in ("low", "high")]
    assert f"{ends[0]:.0f} to {ends[1]:.0f} us" in CLAIMS[outcome].why


def test_a_fork_would_be_missed_twofold_if_each_update_were_a_hypercall():
    """Batches are what the claim shows: without them the same image is far off."""
    inputs = given("barham03.fork.more")
    alone = forked_2003(inputs, "fork").hypercall_updates * inputs["xen-2003.hypercall"]
    assert 2.0 < alone / 88 < 2.2


def test_no_image_within_its_range_makes_a_forkwait_of_2006():
    inputs = given("adams06.forkwait.exits")
    counts = [exits_of(forked_in_shadow(inputs, bound)) for bound in ("low", "value", "high")]
    assert counts == sorted(counts)
    assert counts[-1] < 840 / 1.5
    assert f"{counts[0]} to {counts[-1]}" in CLAIMS["adams06.forkwait.exits"].why


def test_what_is_not_known_of_a_forkwait_of_2006_adds_up_as_the_page_says():
    """Watched tables are the model's; two stores per entry, of PAE, are counted here."""
    inputs = given("adams06.forkwait.exits")
    known = forked_in_shadow(inputs)
    watched = forked_in_shadow(inputs, watches_freed=True)
    more = exits_of(watched) - exits_of(known)
    image = ProcessImage.of(inputs.image(IMAGE))
    replaced = image.child_writes + image.parent_writes
    twice, built_twice = image.pages + replaced, image.pages
    lacks = CLAIMS["adams06.forkwait.exits"].lacks
    assert f"{more} exits on top of the {exits_of(known)}" in lacks
    assert f"{twice} more, and then {built_twice}" in lacks
    assert f"makes {exits_of(watched) + twice + built_twice}" in lacks
    assert f"{150 * 3800:,} cycles" in lacks and f"is, {110 * 2400:,}" in lacks


def test_neither_wins_at_the_crossover():
    both = Both(work=1e9, misses=67e3, native_walk=20, nested_walk=50, exits=1005, exit=2000)
    assert both.shadow == both.nested
    assert replace(both, exits=1004).shadow < both.nested < replace(both, exits=1006).shadow


@pytest.mark.parametrize("bound", ["low", "high"])
def test_a_build_is_quicker_under_nested_paging_over_the_range_of_its_misses(bound):
    rate = getattr(FACTS["compile.misses"], bound)
    both = compiling(given("bhatia09.applications", **{"compile.misses": rate}))
    assert both.nested < both.shadow


def test_a_build_that_misses_more_than_the_page_says_is_slower():
    for rate, wins in ((0.013, True), (0.015, False)):
        both = compiling(given("bhatia09.applications", **{"compile.misses": rate}))
        assert (both.nested < both.shadow) is wins
    assert "14 references in a thousand" in CLAIMS["bhatia09.applications"].why


@pytest.mark.parametrize("size", ["4K", "2M"])
@pytest.mark.parametrize(("fact", "bound"), [("nehalem.memory", "low"), ("nehalem.l3", "high")])
def test_a_random_reader_is_within_its_caps_over_the_ranges_of_latency(size, fact, bound):
    outcome = {"4K": "wang11.gap", "2M": "bhatia09.large"}[size]
    claim = CLAIMS[outcome]
    inputs = given(outcome, **{fact: getattr(FACTS[fact], bound)})
    low, high = claim.within or (0.95, 1.05)
    assert low < claim.predict(inputs).value < high
