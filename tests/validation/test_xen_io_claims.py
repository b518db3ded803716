"""Shapes of Xen's split drivers that no published number states."""

import pytest

from virtperf.validation.given import Given
from virtperf.validation.published import inputs
from virtperf.validation.xen_io_claims import XEN_IO_CLAIMS, _jobs, _ring, guests

pytestmark = [pytest.mark.validation, pytest.mark.slow]


def given(outcome: str) -> Given:
    (claim,) = (claim for claim in XEN_IO_CLAIMS if claim.outcome == outcome)
    return Given(claim.inputs, inputs())


def test_pages_that_stay_mapped_need_no_flush_and_do_not_decline():
    found = [guests(given("pgrants.five"), n, "persistent").value for n in (5, 10)]
    assert found[1] > 1.2 * found[0]


def test_unmapping_declines_on_both_sides_of_its_peak():
    few, peak, many = (guests(given("pgrants.five"), n).value for n in (3, 6, 12))
    assert few < 0.9 * peak
    assert many < 0.75 * peak


@pytest.mark.parametrize("pages", [1, 4, 64])
def test_a_ring_obeys_littles_law(pages):
    """Under way is the least of load, ring and back end; all of their time is the device's."""
    known = given("xen_mpring.gain")
    under_way = min(32 * pages, known.count("xen_ring.backend"))
    found = _ring(known, pages, known.count("xen_ring.depth"))
    expected = under_way / known["xen_ring.service"] * 1e9

    assert found.half_width < 0.03 * expected  # else the test proves nothing
    assert found.value == pytest.approx(expected, rel=0.03)


def test_one_request_at_a_time_gains_nothing_from_a_larger_ring():
    known = given("xen_mpring.gain")
    assert _ring(known, 64, 1) == _ring(known, 1, 1)


def test_one_ring_is_no_faster_with_64_jobs_than_with_4():
    known = given("xen_mq.single")
    assert _jobs(known, 64, 1).value < _jobs(known, 4, 1).value
