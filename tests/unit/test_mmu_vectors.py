"""Several words at once are what they are one by one; the build that checks indices uses that."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from virtperf.mmu import one_by_one, vectors
from virtperf.mmu.one_by_one import LANES

PAGES = -1 << 12
BEYOND = """
import numpy as np
from virtperf.mechanism.memory import TlbGeometry, structure
from virtperf.mmu import Mmu
mmu = Mmu(TlbGeometry(levels=((structure("2x4"),),)))
mmu._keys = mmu._keys[:4]
try:
    mmu.run(np.array([1 << 12], np.uint64))
except IndexError as error:
    print(error)
"""


def jitted(module, prefix):
    """Return functions of a module that Python can call."""
    page_changes, one_page, put_first = (
        getattr(module, prefix + name) for name in ("page_changes", "one_page", "put_first")
    )

    @numba.njit
    def change(words, at, pages):
        return page_changes(words, np.uint64(at), pages)

    @numba.njit
    def same(words, at, pages):
        return one_page(words, np.uint64(at), words[np.uint64(at - 1)], pages)

    @numba.njit
    def put(keys, key):
        return put_first(keys, np.uint64(4), key, 12)

    return change, same, put


@pytest.fixture(scope="module")
def both():
    return jitted(vectors, "_"), jitted(one_by_one, "")


@pytest.mark.parametrize("stays", [0.0, 0.5, 0.98, 1.0])
def test_changes_of_page_are_found_where_they_are(both, stays):
    (change, same, _), (plain_change, plain_same, _) = both
    chance = np.random.default_rng(7)
    for _ in range(50):
        steps = np.where(chance.random(LANES + 9) < stays, 8, 4096)
        words = np.cumsum(steps) - (1 << 40)
        at = int(chance.integers(1, 9))
        here, before = words[at : at + LANES] >> 12, words[at - 1 : at - 1 + LANES] >> 12
        expected = sum(1 << lane for lane in range(LANES) if here[lane] != before[lane])
        got = {change(words, at, PAGES), plain_change(words, at, PAGES)}
        assert [one % (1 << 64) for one in got] == [expected]
        assert {same(words, at, PAGES), plain_same(words, at, PAGES)} == {expected == 0}


@pytest.mark.parametrize("key", [*range(12), 99])
def test_a_key_comes_in_front_of_its_set_and_no_other_set_moves(both, key):
    rows = []
    for _, _, put in both:
        keys = np.arange(-4, 16)
        found = put(keys, key)
        held = [one for one in range(12) if one != key]
        assert keys.tolist() == [*range(-4, 0), *[key, *held][:12], *range(12, 16)]
        rows.append(found)
    assert rows == [key < 12] * 2


@pytest.mark.slow
def test_the_build_that_checks_sees_a_set_beyond_its_table():
    done = subprocess.run(
        [sys.executable, "-c", BEYOND],
        env=os.environ | {"VIRTPERF_CHECKED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "out of bounds" in done.stdout
