from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.design import latin_hypercube, morris, positions, saltelli, sobol
from virtperf.errors import ParameterError

FACTORS = {
    "vm.count": "1..8",
    "vm.disk": ["native", "virtio"],
    "vm.disk.poll": "1.0..50000.0 log",
    "platform.vm_exit": "0.5x..2x",
    "vm.vcpus": [1, 2, 4],
}
SAMPLERS = {
    "latin_hypercube": lambda seed: latin_hypercube(FACTORS, 16, seed),
    "sobol": lambda seed: sobol(FACTORS, 16, seed),
    "morris": lambda seed: morris(FACTORS, 4, seed=seed),
    "saltelli": lambda seed: saltelli(FACTORS, 16, seed),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_seed_is_all_that_a_sample_depends_on(name):
    assert SAMPLERS[name](3) == SAMPLERS[name](3)
    assert SAMPLERS[name](3) != SAMPLERS[name](4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_level_is_plain_data_in_its_range(name):
    design = SAMPLERS[name](1)
    assert all(0 <= u <= 1 for row in positions(FACTORS, design) for u in row)
    assert {type(level) for point in design for level in point.values()} == {int, float, str}


@given(n=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_latin_hypercube_has_one_point_in_each_part_of_each_range(n, seed):
    rows = np.array(
        positions(
            dict.fromkeys("ab", "0.0..1.0"),
            latin_hypercube(dict.fromkeys("ab", "0.0..1.0"), n, seed),
        )
    )
    # a level is told in 6 digits, so one next to a border may be told as the border
    for column in rows.T:
        parts = np.sort(column) * n - np.arange(n)
        assert (parts > -1e-4).all()
        assert (parts < 1 + 1e-4).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_sobol_sequence_has_one_point_in_each_box_of_equal_volume(seed):
    rows = np.array(
        positions(dict.fromkeys("ab", "0.0..1.0"), sobol(dict.fromkeys("ab", "0.0..1.0"), 16, seed))
    )
    for across in (1, 2, 4, 8, 16):
        boxes = {(int(a * across), int(b * 16 / across)) for a, b in rows}
        assert len(boxes) == 16


@pytest.mark.parametrize("sampler", [sobol, saltelli])
@pytest.mark.parametrize("n", [0, 3, 100])
def test_a_number_that_unbalances_the_sequence_is_refused(sampler, n):
    with pytest.raises(ParameterError, match=rf"{sampler.__name__}\.n must be a power of 2, such"):
        sampler(FACTORS, n)


def test_the_next_better_numbers_are_offered():
    with pytest.raises(ParameterError, match="such as 64 or 128, "):
        sobol(FACTORS, 100)


@given(trajectories=st.integers(2, 6), half=st.integers(1, 4), seed=st.integers(0, 99))
def test_a_trajectory_moves_each_factor_once_by_the_step(trajectories, half, seed):
    factors = dict.fromkeys("abc", "0.0..1.0")
    design = morris(factors, trajectories, 2 * half, seed)
    rows = np.array(positions(factors, design)).reshape(trajectories, 4, 3)
    moves = np.diff(rows, axis=1)

    step = half / (2 * half - 1)
    assert np.sort(np.abs(moves).reshape(-1, 3), axis=1)[:, -1] == pytest.approx(step, abs=1e-5)
    assert (np.count_nonzero(moves, axis=2) == 1).all()
    assert (np.count_nonzero(moves, axis=1) == 1).all()


def test_a_trajectory_changes_every_kind_of_factor():
    design = morris(FACTORS, 20)
    for start in range(0, len(design), 6):
        points = design[start : start + 6]
        changed = [{a for a in FACTORS if p[a] != q[a]} for p, q in pairwise(points)]
        assert sorted(min(one) for one in changed) == sorted(FACTORS)
        assert all(len(one) == 1 for one in changed)


def test_saltelli_takes_one_factor_at_a_time_from_the_other_sample():
    design = saltelli(FACTORS, 8)
    assert len(design) == 8 * (5 + 2)
    for start in range(0, len(design), 7):
        a, b, *mixed = design[start : start + 7]
        assert mixed == [a | {address: b[address]} for address in FACTORS]


@pytest.mark.parametrize(
    "call",
    [
        lambda: latin_hypercube(FACTORS, 0),
        lambda: latin_hypercube({}, 4),
        lambda: morris(FACTORS, 1),
        lambda: morris(FACTORS, 4, levels=5),
        lambda: sobol({"vm.count": [1]}, 4),
        lambda: sobol(FACTORS, 4, seed=-1),
    ],
)
def test_an_impossible_sample_is_refused(call):
    with pytest.raises(ParameterError):
        call()
