"""Streams of one pattern touch what they say, in the order they say, as often as they say."""

from collections import Counter
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest

from virtperf.errors import ParameterError
from virtperf.stream import (
    PAGE_BYTES,
    WRITE,
    PointerChase,
    Strided,
    Uniform,
    Zipf,
    generate,
    pages_of,
    sequential,
)

PAGE = PAGE_BYTES
GIB = 1 << 30


def words_of(stream, accesses, seed=1, **name):
    return np.concatenate(list(generate(stream, accesses, seed=seed, **name)))


def pages(stream, accesses, seed=1):
    return pages_of(words_of(stream, accesses, seed)).tolist()


def within(count, trials, probability):
    """Five standard deviations: one such test in two million fails by chance."""
    spread = sqrt(trials * probability * (1 - probability))
    return abs(count - trials * probability) <= 5 * spread + 1e-9


@pytest.mark.parametrize("stride", [1, 8, 64, 4095, 4096, 5000, 1 << 20, 3 * GIB + 1])
@pytest.mark.parametrize("footprint", [PAGE, 10 * PAGE, 4097, GIB])
def test_a_stride_of_any_bytes_wraps_at_the_footprint(stride, footprint):
    stream = Strided(footprint_bytes=footprint, stride_bytes=stride, base=7 * PAGE)
    expected = [7 + i * stride % footprint // PAGE for i in range(70_000)]  # more than a block
    assert pages(stream, 70_000) == expected


def test_the_longest_footprint_and_stride_do_not_overflow():
    most = 1 << 47
    stream = Strided(footprint_bytes=most, stride_bytes=most - 1)
    expected = [i * (most - 1) % most // PAGE for i in range(200_000)]
    assert pages(stream, 200_000) == expected


def test_in_sequence_every_word_of_a_page_is_read_before_the_next_page():
    assert pages(sequential(2 * PAGE), 1536) == [0] * 512 + [1] * 512 + [0] * 512
    assert pages(sequential(2 * PAGE, access_bytes=2048), 5) == [0, 0, 1, 1, 0]


def test_uniform_pages_are_equally_likely_and_independent():
    n, draws = 64, 200_000
    found = pages(Uniform(footprint_bytes=n * PAGE), draws)
    assert set(found) == set(range(n))
    assert all(within(count, draws, 1 / n) for count in Counter(found).values())
    repeats = sum(a == b for a, b in pairwise(found))
    assert within(repeats, draws - 1, 1 / n)


def test_a_chase_visits_every_element_once_a_round_in_the_same_order():
    stream = PointerChase(footprint_bytes=70_001 * PAGE)
    first, second = np.split(np.array(pages(stream, 2 * 70_001)), 2)
    assert sorted(first) == list(range(70_001))
    assert (first == second).all()
    assert (first[1:] - first[:-1] != 1).mean() > 0.99  # and it is not the order of memory


def test_a_chase_may_have_elements_smaller_or_larger_than_pages():
    small = PointerChase(footprint_bytes=4 * PAGE, stride_bytes=64)
    assert small.elements == 256
    assert Counter(pages(small, 256)) == dict.fromkeys(range(4), 64)
    large = PointerChase(footprint_bytes=16 * PAGE, stride_bytes=4 * PAGE)
    assert sorted(pages(large, 4)) == [0, 4, 8, 12]


def test_every_ring_of_a_chase_is_equally_likely():
    seeds = 6000  # rings of 4 elements: 3! = 6
    rings = Counter()
    for seed in range(seeds):
        ring = pages(PointerChase(footprint_bytes=4 * PAGE), 4, seed)
        start = ring.index(0)
        rings[tuple(ring[start:] + ring[:start])] += 1
    assert len(rings) == 6
    assert all(within(count, seeds, 1 / 6) for count in rings.values())


@pytest.mark.parametrize(
    "stream",
    [
        Strided(footprint_bytes=GIB, stride_bytes=64, write_fraction=0.3),
        Uniform(footprint_bytes=GIB, write_fraction=0.3),
        Zipf(footprint_bytes=GIB, write_fraction=0.3),
        PointerChase(footprint_bytes=1 << 20, write_fraction=0.3),
    ],
    ids=lambda stream: type(stream).__name__,
)
def test_a_share_of_the_accesses_writes_and_the_pages_do_not_depend_on_it(stream):
    words = words_of(stream, 100_000)
    written = words & np.uint64(WRITE)
    assert within(int(written.sum()), 100_000, 0.3)
    assert set((words & np.uint64(PAGE - 1)).tolist()) == {0, 1}

    reads = type(stream)(
        **{name: getattr(stream, name) for name in stream.__dataclass_fields__}
        | {"write_fraction": 0.0}
    )
    assert (words_of(reads, 100_000) == words - written).all()


def test_writes_only_and_no_writes_are_exact():
    assert set(words_of(Uniform(footprint_bytes=PAGE, write_fraction=1), 100).tolist()) == {1}
    assert set(words_of(Uniform(footprint_bytes=PAGE, write_fraction=0), 100).tolist()) == {0}


def test_seed_replication_and_purpose_name_the_numbers():
    stream = Uniform(footprint_bytes=GIB)
    one = words_of(stream, 100).tolist()
    assert one == words_of(stream, 100, replication=0, purpose="stream").tolist()
    others = [
        words_of(stream, 100, seed=2),
        words_of(stream, 100, replication=1),
        words_of(stream, 100, purpose="vm[1]"),
    ]
    assert all(other.tolist() != one for other in others)


def test_addresses_begin_at_the_base_in_either_half():
    for base in (0, 0x7FFF_0000_0000, (1 << 64) - GIB):
        words = words_of(Uniform(footprint_bytes=GIB, base=base), 1000)
        assert base <= int(words.min()) < int(words.max()) < base + GIB


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Uniform(footprint_bytes=0), "Uniform.footprint_bytes must be a whole number from"),
        (lambda: Uniform(footprint_bytes=5000), "Uniform.footprint_bytes must be a multiple of"),
        (lambda: Zipf(footprint_bytes=5000), "Zipf.footprint_bytes must be a multiple of 4096"),
        (lambda: Uniform(footprint_bytes=2.0**20), "must be a whole number from 1 to"),
        (lambda: Uniform(footprint_bytes=1 << 48), "footprint_bytes must be a whole number"),
        (lambda: Uniform(footprint_bytes=PAGE, base=1), "Uniform.base must be a multiple of 4096"),
        (
            lambda: Uniform(footprint_bytes=PAGE, base=1 << 56),
            "are canonical, got '0x1000",
        ),
        (lambda: Uniform(footprint_bytes=2 * PAGE, base=(1 << 64) - PAGE), "are canonical"),
        (lambda: Uniform(footprint_bytes=PAGE, write_fraction=1.1), "write_fraction must be a num"),
        (
            lambda: Uniform(footprint_bytes=PAGE, write_fraction=True),
            "from 0 to 1, got True",
        ),
        (lambda: Strided(footprint_bytes=PAGE, stride_bytes=0), "Strided.stride_bytes must be a"),
        (lambda: PointerChase(footprint_bytes=3 * 64, stride_bytes=0), "PointerChase.stride_bytes"),
        (lambda: PointerChase(footprint_bytes=5000), "a multiple of stride_bytes, 4096, got 5000"),
        (
            lambda: PointerChase(footprint_bytes=1 << 40, stride_bytes=64),
            r"most 2\*\*32 strides",
        ),
        (lambda: Zipf(footprint_bytes=PAGE, exponent=0), "Zipf.exponent must be above 0"),
        (lambda: Zipf(footprint_bytes=PAGE, exponent=float("nan")), "Zipf.exponent must be above"),
        (lambda: generate(Uniform(footprint_bytes=PAGE), 0, seed=1), "generate.accesses must be"),
        (lambda: generate(Uniform(footprint_bytes=PAGE), 1, seed=-1), "generate.seed must be at"),
        (lambda: generate(Uniform(footprint_bytes=PAGE), 1, seed=1, chunk=0), "at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises(ParameterError, match=says):
        make()
