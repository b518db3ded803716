"""What the published cases of block paths say beyond one figure: shapes, and why they come out."""

import pytest

from virtperf.validation import io_claims
from virtperf.validation.claim import check
from virtperf.validation.given import Given
from virtperf.validation.published import inputs

pytestmark = [pytest.mark.validation, pytest.mark.slow]
FACTS = inputs()
VHOST, DOORBELLS = (
    next(claim for claim in io_claims.IO_CLAIMS if claim.outcome == outcome)
    for outcome in ("vhostscsi_1w.4", "dbbuf_gce.with")
)


def test_no_claim_knows_its_outcome():
    check(io_claims.IO_CLAIMS, FACTS)


def test_one_worker_has_nothing_more_for_8_or_16_jobs_than_for_4():
    given = Given(VHOST.inputs, FACTS)
    four, eight, sixteen = (
        io_claims._workers(given, workers=1, jobs=jobs).value for jobs in (4, 8, 16)
    )
    assert eight == pytest.approx(four, rel=0.1)  # as the case accepts its plateau
    assert sixteen == pytest.approx(four, rel=0.1)


def test_workers_for_half_of_the_queues_carry_half():
    """As many as are given are used: 4 workers of 8 busy queues are 4 servers at their limit."""
    given = Given(VHOST.inputs, FACTS)
    one, two = (io_claims._workers(given, workers=n, jobs=8).value for n in (1, 2))
    assert two == pytest.approx(2 * one, rel=0.1)


def test_shadow_doorbells_are_suppressed_by_their_index_and_traps_never_are():
    given = Given(DOORBELLS.inputs, FACTS)
    guest = io_claims._guest(4_000.0)
    shadow, stock = (
        io_claims._nvme(given, shadow=by, jobs=4)({**guest, "exit_user": 6_000.0})
        for by in (True, False)
    )
    assert shadow.counts["exits.kick"] < 0.01
    assert stock.counts["exits.io"] == pytest.approx(2, rel=0.01)  # with those under way
