"""Tree pseudo-LRU has the permutation vectors that were measured on real TLBs."""

import numpy as np
import pytest

from virtperf.mechanism.memory import PageSize, TlbGeometry, TlbStructure
from virtperf.mechanism.memory.processors import processor
from virtperf.mechanism.memory.pseudo_lru import PseudoLruRow
from virtperf.mmu import Mmu

VECTORS = {
    4: "0123 1032 2103 3012",
    8: "01234567 10325476 21036547 30127456 41230567 50321476 61032547 70123456",
    12: "0123456789AB 120453786AB9 201534867B9A 3120459786AB 420153A867B9 501234B6789A "
    "6123450789AB 720453186AB9 801534267B9A 9120453786AB A201534867B9 B0123456789A",
}
"""Of dTLB, iTLB and second level; vector i, which comes after a use of place i, says from where in
the old order what is in each place of the new one came (tatar22, TLB/README.md, sample output)."""


def vectors(ways):
    return [[int(digit, 16) for digit in vector] for vector in VECTORS[ways].split()]


def filled(ways):
    row = PseudoLruRow(ways)
    for key in range(ways):
        row[key] = None
    return row


@pytest.mark.parametrize("ways", VECTORS)
def test_a_use_reorders_a_set_as_measured(ways):
    for place, vector in enumerate(vectors(ways)):
        row = filled(ways)
        old = list(reversed(row))
        row.move_to_end(old[place])
        assert list(reversed(row)) == [old[was] for was in vector]


@pytest.mark.parametrize("ways", VECTORS)
def test_the_compiled_form_does_too(ways):
    for place, vector in enumerate(vectors(ways)):
        one = TlbStructure(entries=ways, ways=ways, pages=(PageSize.K4,), policy="plru")
        mmu = Mmu(TlbGeometry(levels=((one,),)))
        mmu.run(np.arange(ways, dtype=np.uint64) << np.uint64(12))
        old = [page for *_, page in mmu.resident()[0][0]]
        mmu.run(np.array([old[place] << 12], np.uint64))
        assert [page for *_, page in mmu.resident()[0][0]] == [old[was] for was in vector]


@pytest.mark.parametrize("ways", [4, 8, 12])
def test_misses_alone_replace_what_came_first(ways):
    row = filled(ways)
    for key in range(ways, 3 * ways):
        assert row.popitem(last=False) == (key - ways, None)
        row[key] = None
    assert list(row) == list(range(2 * ways, 3 * ways))


def test_a_use_lets_its_neighbour_in_the_tree_live_longer():
    """Keys 0 and 2 have one node above them, 1 and 3 the other; LRU would replace 2 before 3."""
    row = filled(4)
    row.move_to_end(1)
    row.move_to_end(0)
    assert list(row) == [3, 2, 1, 0]


def test_what_was_invalidated_makes_room_before_anything_is_replaced():
    row = filled(4)
    del row[3], row[1]
    row["new"] = None
    assert len(row) == 3 and {0, 2, "new"} == set(row)
    row["newer"] = None
    assert len(row) == 4


@pytest.mark.parametrize(
    ("name", "ways"),
    [("ivy-bridge", (4, 4, 4)), ("haswell", (4, 8, 8)), ("skylake-sp", (4, 8, 12))],
)
def test_processors_whose_replacement_is_published_have_it(name, ways):
    part = processor(name)
    found = (part.data.levels[0][0], part.instruction.levels[0][0], part.data.levels[1][0])
    assert tuple(one.ways for one in found) == ways
    assert all(one.policy == "plru" for one in found)
    assert part.facts["replacement"]["source"].startswith("tatar22")
