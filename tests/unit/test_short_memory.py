"""Memory that is short, in closed form: against sums by hand, and page by page on the mechanism."""

import random
from copy import copy
from math import sqrt

import pytest

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.frames import FramePool
from virtperf.mechanism.memory.guest import Guest
from virtperf.mechanism.memory.nested_paging import NestedPaging
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.short_memory import Moves, moves, popularity

BATCHES = 20
T_999 = 3.883  # Student t, 19 degrees of freedom, 99.9 % in the middle


def test_of_equal_pages_those_that_do_not_fit_are_missed():
    moved = moves(1000, 0.0, 0.0, host=750)

    assert moved.host_reads == moved.host_faults == pytest.approx(0.25)
    assert moved.host_writes == pytest.approx(0.0)
    assert moved.guest_reads == 0.0


def test_nothing_moves_where_all_fits():
    assert moves(1000, 0.9, 0.3) == Moves()
    assert moves(1000, 0.9, 0.3, guest=1000, host=2000) == Moves()


def test_what_is_always_written_is_written_back_as_often_as_it_is_read():
    moved = moves(1000, 0.7, 1.0, guest=400)

    assert moved.guest_writes == pytest.approx(moved.guest_reads)


def test_a_host_that_is_short_reads_everything_the_guest_pages():
    """Its own list forgets a page before the guest's does, so the guest's victims are all gone."""
    moved = moves(1000, 0.7, 0.4, guest=600, host=300)

    assert moved.host_reads == pytest.approx(moved.host_faults + moved.guest_reads)
    assert moved.double == moved.guest_writes > 0


def test_groups_of_ranks_hold_the_same_law_as_single_ones():
    weights = [k**-0.9 for k in range(1, 20_001)]
    grouped = popularity(20_000, 0.9)

    assert sum(count for count, _ in grouped) == 20_000
    assert sum(count * p for count, p in grouped) == pytest.approx(1.0)
    assert grouped[0][1] == pytest.approx(weights[0] / sum(weights), rel=1e-4)
    tail = sum(count * p for count, p in grouped[255:])
    assert tail == pytest.approx(sum(weights[255:]) / sum(weights), rel=1e-4)


def test_less_memory_never_moves_fewer_pages():
    reads = [moves(5000, 0.8, 0.2, host=room).host_reads for room in range(500, 5000, 500)]

    assert reads == sorted(reads, reverse=True)


@pytest.mark.parametrize("owner", ["guest", "host"])
def test_a_limit_below_what_one_instruction_needs_is_refused(owner):
    with pytest.raises(ParameterError, match=f"{owner}.memory must be at least the 6 pages"):
        moves(1000, 0.0, 0.0, **{owner: 5})


def page_by_page(pages, skew, write_share, guest, host, visits, seed=0):
    """Return a list of `Moves`, one for each batch, of the mechanism in its steady state."""
    there = guest or pages
    pmap = PMap(there, resident=host)
    kernel = Guest(NestedPaging(pmap), FramePool(there), resident=guest)
    space, draw = AddressSpace("process"), random.Random(seed)
    kernel.add_area(space, 0, pages)
    kernel.paging.switch_to(space)
    for page in draw.sample(range(pages), pages):
        kernel.access(space, page, write=True)
    weights = [(k + 1) ** -skew for k in range(pages)]

    def run(count):
        before = copy(kernel.counts), copy(pmap.counts), copy(kernel.paging.counts)
        for page in draw.choices(range(pages), weights, k=count):
            kernel.access(space, page, write=draw.random() < write_share)
        own, hosts, all_ = kernel.counts, pmap.counts, kernel.paging.counts
        assert own.minor == before[0].minor, "every page was written before"
        reads = own.major - before[0].major
        host_reads = hosts.major - before[1].major
        return Moves(
            guest_reads=reads / count,
            guest_writes=(own.page_outs - before[0].page_outs) / count,
            host_reads=host_reads / count,
            host_writes=(hosts.page_outs - before[1].page_outs) / count,
            host_faults=(host_reads - (reads if host else 0)) / count,
            double=(all_.double_pagings - before[2].double_pagings) / count,
        )

    run(visits)
    return [run(visits // BATCHES) for _ in range(BATCHES)]


@pytest.mark.parametrize(
    ("skew", "write_share", "guest", "host", "visits"),
    [
        (0.0, 0.1, None, 100, 20_000),
        (0.8, 0.3, 120, None, 20_000),
        pytest.param(0.8, 0.3, 120, 60, 40_000, marks=pytest.mark.slow),
        pytest.param(1.0, 0.2, 160, 40, 80_000, marks=pytest.mark.slow),
        pytest.param(0.0, 0.5, 150, 100, 40_000, marks=pytest.mark.slow),
    ],
)
def test_the_closed_form_says_what_the_mechanism_does(skew, write_share, guest, host, visits):
    """Within the interval of its batches, and 2 % for what Che's form neglects at 200 pages."""
    seen = page_by_page(200, skew, write_share, guest, host, visits)
    said = moves(200, skew, write_share, guest=guest, host=host)

    for name in Moves.__slots__:
        values = [getattr(one, name) for one in seen]
        mean = sum(values) / BATCHES
        half = T_999 * sqrt(sum((v - mean) ** 2 for v in values) / (BATCHES - 1) / BATCHES)
        assert half <= 0.12 * mean, "tight enough to tell"
        assert getattr(said, name) == pytest.approx(mean, abs=half + 0.02 * mean), name
