"""Shapes of published IOMMU results that must come out, whatever the numbers."""

from itertools import pairwise

import pytest

from virtperf.validation import iommu_claims as claims
from virtperf.validation import published
from virtperf.validation.given import Given

pytestmark = pytest.mark.validation
FACTS = published.inputs()
OWN = tuple(f"{claims.SERVER}.{name}" for name in claims.DISKS.split())
ALL = Given((*FACTS, *OWN), FACTS)


def test_modes_stand_in_the_published_order():
    """Strict, strict with quick addresses, deferred, both, and none: each is better."""
    rates = [claims.packets(ALL, way) for way in claims.WAYS]
    assert all(a < b for a, b in pairwise(rates))


def test_a_stream_without_translation_takes_its_own_cycles():
    gbps = claims.packets(ALL, "none") * 1500 * 8 / 1e9
    assert gbps == pytest.approx(1500 * 8 * 3.1 / 1816, rel=1e-3)  # picoseconds are whole


def test_at_a_low_rate_the_timer_flushes_and_amortises_less():
    """A hundredth and a thousandth of the stream's rate: fewer share a flush, for 10 ms at most."""
    fast, slow, slower = (claims.open_(ALL, "defer", by) for by in (1.0, 100.0, 1000.0))
    assert not fast.by_timer and slow.by_timer and slower.by_timer
    assert fast.per_flush > slow.per_flush > slower.per_flush > 1
    assert max(one.longest_ns for one in (fast, slow, slower)) <= 10e6 + 1e-3  # floats of 1e9
    assert fast.longest_ns < slow.longest_ns


@pytest.mark.slow
def test_strict_invalidation_does_not_care_how_many_disks_there_are():
    """V14: from one disk a socket on, two queues of invalidations are the limit."""
    rates = [claims.reads(ALL, "strict", each) for each in (1, 2, 4)]
    assert max(rates) / min(rates) < 1.01
    assert claims.reads(ALL, "static", 1) > 1.4 * rates[0]
