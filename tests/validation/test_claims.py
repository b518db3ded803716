"""The published claims: what is met is met, and what is missed is said to be missed."""

import pytest

from virtperf import catalog, validation
from virtperf.validation import CLAIMS

pytestmark = [pytest.mark.validation, pytest.mark.slow]


@pytest.fixture(scope="module")
def outcomes():
    return {outcome.claim.says: outcome for outcome in validation.run()}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.says)
def test_a_claim_is_met_unless_the_page_says_what_the_model_lacks(claim, outcomes):
    outcome = outcomes[claim.says]
    known = "missed" if claim.lacks else "met"
    assert outcome.verdict == known, f"{outcome.predicted} against {outcome.published}"


def test_every_accepted_range_holds_the_published_value(outcomes):
    for outcome in outcomes.values():
        low, high = outcome.accepts
        assert low <= outcome.published <= high, outcome.claim.says


def test_noise_is_small_beside_what_is_accepted(outcomes):
    for outcome in outcomes.values():
        low, high = outcome.accepts
        assert outcome.predicted.half_width < (high - low), outcome.claim.says


def test_table_and_page_show_every_claim(outcomes):
    table = validation.table(list(outcomes.values()))
    page = validation.markdown(list(outcomes.values()))

    assert list(table["says"]) == [claim.says for claim in CLAIMS]
    assert set(table["verdict"]) == {"met", "missed"}
    for outcome in outcomes.values():
        assert f"|{outcome.claim.says}|" in page
        assert outcome.claim.lacks in page
        assert outcome.fact.how in page


def test_the_page_in_the_docs_has_the_verdicts_of_today(outcomes):
    page = catalog.root().parent / "docs" / "trust.md"
    if not page.is_file():
        pytest.skip("an installed copy has no docs")
    text = page.read_text(encoding="utf-8")
    stale = "run: python -m virtperf.validation > docs/trust.md"
    for line in validation.markdown(list(outcomes.values())).splitlines():
        if line.startswith("|"):
            says, verdict = line.split("|")[1], line.split("|")[8]
            rows = [row for row in text.splitlines() if row.startswith(f"|{says}|")]
            assert rows and rows[0].split("|")[8] == verdict, stale
