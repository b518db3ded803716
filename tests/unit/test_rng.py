import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.dist import Exponential
from virtperf.errors import ParameterError
from virtperf.rng import BLOCK, blocks, draws, stream
from virtperf.units import ticks


def first(seed=1, replication=0, purpose="arrivals"):
    return stream(seed, replication, purpose).random(4).tolist()


def test_the_same_name_gives_the_same_numbers():
    assert first() == first()


@pytest.mark.parametrize(
    "other", [{"seed": 2}, {"replication": 1}, {"purpose": "services"}], ids=str
)
def test_another_name_gives_other_numbers(other):
    assert first() != first(**other)


def test_the_numbers_of_a_name_never_change():
    """Stored results can be continued only while this holds."""
    assert stream(1, 2, "vm[0].disk/think").integers(0, 2**32, 3).tolist() == [
        3220249702,
        3971246946,
        477630745,
    ]


def test_asking_for_a_new_purpose_does_not_disturb_an_old_one():
    alone = stream(1, 0, "old")
    beside = stream(1, 0, "old")
    stream(1, 0, "new").random(10)
    assert alone.random(5).tolist() == beside.random(5).tolist()


@pytest.mark.parametrize("field", ["seed", "replication"])
def test_a_negative_name_is_refused(field):
    with pytest.raises(ParameterError, match=rf"stream\.{field} must be at least 0, got -1"):
        first(**{field: -1})


def test_draws_are_the_blocks_one_by_one_as_python_ints():
    draw = Exponential(900).draw
    one_by_one, arrays = draws(1, 0, "x", draw), blocks(1, 0, "x", draw)

    expected = [*next(arrays).tolist(), *next(arrays).tolist()]
    got = [next(one_by_one) for _ in range(2 * BLOCK)]

    assert got == expected
    assert {type(value) for value in got} == {int}


def test_draws_do_not_depend_on_the_size_of_a_block():
    generator = stream(1, 0, "x")
    expected = [ticks(generator.exponential(900)) for _ in range(100)]
    numbers = draws(1, 0, "x", Exponential(900).draw)
    assert [next(numbers) for _ in range(100)] == expected


@given(times=st.lists(st.floats(0, 9e15), min_size=1, max_size=8))
def test_draws_round_exactly_as_ticks_do(times):
    numbers = draws(1, 0, "x", lambda rng, n: np.resize(times, n))
    assert [next(numbers) for _ in times] == [ticks(time) for time in times]


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, 1e17])
def test_an_impossible_draw_is_refused_with_its_purpose(bad):
    with pytest.raises(ParameterError, match=r"draw\.vm/disk must be a time"):
        next(draws(1, 0, "vm/disk", lambda rng, n: np.full(n, bad)))
