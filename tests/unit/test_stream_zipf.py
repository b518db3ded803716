"""Zipf's law holds for every rank, at any exponent and over any number of pages."""

from collections import Counter
from math import fsum, sqrt

import numpy as np
import pytest

from virtperf import rng
from virtperf.stream import Zipf, generate, pages_of
from virtperf.stream.zipf import Permutation, Ranks

DRAWS = 300_000
GIB = 1 << 30


def draws(count, exponent, seed=1):
    return Ranks(count, exponent).draw(rng.stream(seed, 0, "ranks"), DRAWS)


def within(count, probability):
    """Five standard deviations, and one draw more where hardly any is expected."""
    return abs(count - DRAWS * probability) <= 5 * sqrt(DRAWS * probability) + 1


@pytest.mark.parametrize("exponent", [0.01, 0.5, 0.99, 1.0, 1.0 + 1e-12, 1.2, 3.0, 20.0])
@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_every_rank_is_as_likely_as_the_law_says(count, exponent):
    found = Counter(draws(count, exponent).tolist())
    weights = [rank**-exponent for rank in range(1, count + 1)]
    assert set(found) <= set(range(1, count + 1))
    for rank, weight in enumerate(weights, 1):
        assert within(found[rank], weight / fsum(weights)), rank


@pytest.mark.parametrize("exponent", [0.6, 1.0, 1.4])
def test_the_law_holds_over_64_gib_of_pages(exponent):
    count = 64 * GIB // 4096
    found = draws(count, exponent)
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    total = weights.sum()
    assert found.min() >= 1 and found.max() <= count
    for ends in ((1, 1), (2, 2), (3, 10), (11, 1000), (1001, 10**6), (10**6 + 1, count)):
        inside = int(((found >= ends[0]) & (found <= ends[1])).sum())
        assert within(inside, weights[ends[0] - 1 : ends[1]].sum() / total), ends


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 17, 256, 1000, 65_536, 100_003])
def test_the_order_of_pages_is_a_permutation(count):
    order = Permutation(count, rng.stream(1, 0, "order"))
    assert sorted(order(np.arange(count, dtype=np.uint64)).tolist()) == list(range(count))


def test_hot_pages_are_spread_over_the_footprint():
    order = Permutation(1 << 24, rng.stream(1, 0, "order"))
    hot = order(np.arange(4096, dtype=np.uint64))
    # as balls in boxes: 4,096 in 64 parts of the range, and in 64 sets of a TLB
    for boxes in (hot >> np.uint64(18), hot & np.uint64(63)):
        filled = np.bincount(boxes.astype(np.intp), minlength=64)
        chi2 = float(((filled - 64.0) ** 2 / 64.0).sum())
        assert chi2 < 63 + 5 * sqrt(2 * 63)  # mean and deviation of chi-square, 63 degrees
        assert filled.std() > 4  # and not dealt out evenly: a random one has 8


def test_every_order_is_equally_likely_over_the_seeds():
    seeds = 3000
    firsts = Counter(
        int(Permutation(8, rng.stream(seed, 0, "order"))(np.zeros(1, dtype=np.uint64))[0])
        for seed in range(seeds)
    )
    assert all(abs(firsts[page] - seeds / 8) <= 5 * sqrt(seeds / 8) for page in range(8))


def test_the_hottest_page_of_a_stream_has_the_weight_of_the_first_rank():
    stream = Zipf(footprint_bytes=100 * 4096, exponent=1.0, base=1 << 30)
    words = np.concatenate(list(generate(stream, DRAWS, seed=3)))
    found = Counter((pages_of(words) - np.uint64(1 << 18)).tolist())
    assert set(found) == set(range(100))
    counts = sorted(found.values(), reverse=True)
    weights = [1 / rank for rank in range(1, 101)]
    assert within(counts[0], weights[0] / fsum(weights))
    assert within(counts[1], weights[1] / fsum(weights))
    order = Permutation(100, rng.stream(3, 0, "stream/order"))
    assert found.most_common(1)[0][0] == int(order(np.zeros(1, dtype=np.uint64))[0])
