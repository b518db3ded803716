"""Counts of the compiled engine say what the histograms of the other would."""

import numpy as np

from virtperf.fast.counts import Counts
from virtperf.tables import Histogram


def _both(counts: dict[int, int]) -> tuple[Counts, Histogram]:
    table = np.zeros(100, np.int64)
    for bucket, count in counts.items():
        table[bucket] = count
    return Counts(table), Histogram(counts)


def test_counts_are_the_histogram_that_was_counted() -> None:
    for counts in ({}, {0: 1}, {99: 2}, {3: 1, 50: 7, 51: 2}):
        ours, theirs = _both(counts)
        assert ours.histogram().counts == theirs.counts


def test_counts_merge_as_histograms_do() -> None:
    parts: list[dict[int, int]] = [{3: 1, 50: 7}, {}, {2: 5}, {50: 1, 99: 4}]
    ours, theirs = zip(*map(_both, parts), strict=True)
    merged = ours[0].merge(ours[1:])
    assert merged.histogram().counts == theirs[0].merge(theirs[1:]).counts
    assert ours[1].merge([]).histogram().counts == {}


def test_counts_keep_no_zeros_around_them_and_none_of_the_table() -> None:
    table = np.zeros(100, np.int64)
    table[40:43] = 1, 0, 2
    kept = Counts(table)
    table[:] = 9
    assert kept.first == 40
    assert kept.counts.tolist() == [1, 0, 2]
