"""Streams of streams: nothing of a part is lost, and turns are as long as they should be."""

from itertools import islice
from math import sqrt

import numpy as np
import pytest

from virtperf.errors import ParameterError
from virtperf.stream import (
    FETCH,
    CodeAndData,
    Mix,
    Phases,
    Strided,
    Uniform,
    generate,
    interleave,
    pages_of,
    part_of,
)
from virtperf.stream.chunks import Reader, limited, regroup

PAGE = 4096


def ring(pages, base=0):
    return Strided(footprint_bytes=pages * PAGE, stride_bytes=PAGE, base=base * PAGE)


def pages(stream, accesses, seed=1):
    return pages_of(np.concatenate(list(generate(stream, accesses, seed=seed)))).tolist()


def test_phases_follow_each_other_and_go_on_where_they_were():
    stream = Phases(parts=[(ring(3), 4), (ring(2, base=10), 1)])
    assert pages(stream, 12) == [0, 1, 2, 0, 10, 1, 2, 0, 1, 11, 2, 0]


def test_a_phase_may_be_longer_than_a_block():
    stream = Phases(parts=[(ring(3), 200_000), (ring(1, base=9), 1)])
    found = np.array(pages(stream, 400_002))
    assert np.flatnonzero(found == 9).tolist() == [200_000, 400_001]


def test_code_and_data_keep_their_own_order():
    stream = CodeAndData(code=ring(3), data=ring(5, base=100), fetch_fraction=0.7)
    words = np.concatenate(list(generate(stream, 200_000, seed=1)))
    code, data = part_of(words, "ifetch"), part_of(words, "data")
    assert pages_of(code).tolist() == [i % 3 for i in range(len(code))]
    assert pages_of(data).tolist() == [100 + i % 5 for i in range(len(data))]
    assert abs(len(code) - 140_000) <= 5 * sqrt(200_000 * 0.7 * 0.3)


def test_fetches_do_not_write():
    code = Uniform(footprint_bytes=PAGE, write_fraction=1.0)
    stream = CodeAndData(code=code, data=code, fetch_fraction=0.5)
    words = np.concatenate(list(generate(stream, 1000, seed=1)))
    assert set(words.tolist()) == {FETCH, 1}


def test_processes_take_turns_of_a_quantum():
    mix = Mix(processes=[ring(3), ring(2, base=10)], quantum=2)
    turns = [(tag, pages_of(words).tolist()) for tag, words in islice(mix.slices(1), 5)]
    assert turns == [(0, [0, 1]), (1, [10, 11]), (0, [2, 0]), (1, [10, 11]), (0, [1, 2])]
    assert pages(mix, 5) == [0, 1, 10, 11, 2]


def test_equal_processes_draw_numbers_of_their_own():
    mix = Mix(processes=[Uniform(footprint_bytes=1 << 30)] * 2, quantum=50)
    (_, first), (_, second) = islice(mix.slices(1), 2)
    assert first.tolist() != second.tolist()


def test_a_long_turn_is_one_turn():
    mix = Mix(processes=[ring(1), ring(1, base=1)], quantum=100_000)
    found = np.array(pages(mix, 300_000))
    assert np.flatnonzero(np.diff(found) != 0).tolist() == [99_999, 199_999]


def test_a_process_that_ends_drops_out():
    a, b, c = np.arange(7), np.arange(10, 12), np.arange(0)
    turns = interleave([[a[:3], a[3:]], [b], [c]], 3)
    assert [(tag, words.tolist()) for tag, words in turns] == [
        (0, [0, 1, 2]),
        (1, [10, 11]),
        (0, [3, 4, 5]),
        (0, [6]),
    ]


def test_a_mix_of_phases_of_code_and_data_is_a_stream():
    part = CodeAndData(code=ring(1), data=Uniform(footprint_bytes=1 << 20), fetch_fraction=0.2)
    mix = Mix(processes=[Phases(parts=[(part, 10), (ring(4), 5)]), part], quantum=7)
    assert pages(mix, 1000) == pages(mix, 1000)
    assert pages(mix, 1000) != pages(mix, 1000, seed=2)


def test_no_more_is_asked_for_than_is_wanted():
    asked = []

    def source():
        for at in range(10):
            asked.append(at)
            yield np.full(4, at, dtype=np.uint64)

    assert sum(map(len, limited(source(), 8))) == 8
    assert asked == [0, 1]
    assert list(limited(source(), 0)) == []


def test_a_reader_gives_what_there_is():
    reader = Reader([np.arange(3, dtype=np.uint64), np.arange(3, 4, dtype=np.uint64)])
    assert [reader.take(n).tolist() for n in (2, 0, 5, 1)] == [[0, 1], [], [2, 3], []]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Phases(parts=[]), "Phases.parts must be at least one stream"),
        (lambda: Phases(parts=[(ring(1), 0)]), r"Phases.parts\[0\] must be a whole number from 1"),
        (lambda: Mix(processes=[], quantum=1), "Mix.processes must be at least one stream"),
        (lambda: Mix(processes=[ring(1)], quantum=0), "Mix.quantum must be a whole number from 1"),
        (lambda: interleave([], 0), "interleave.quantum must be a whole number from 1"),
        (
            lambda: CodeAndData(code=ring(1), data=ring(1), fetch_fraction=-0.1),
            "CodeAndData.fetch_fraction must be a number from 0 to 1, got -0.1",
        ),
        (lambda: regroup([], 0), "regroup.size must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises(ParameterError, match=says):
        make()
