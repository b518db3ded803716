"""Long runs of one page, and sets of the ways that have code of their own, against the twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtperf.errors import ParameterError
from virtperf.mechanism.memory import Hardware, TlbGeometry, nested, structure
from virtperf.mechanism.memory.mapping import NATIVE
from virtperf.mmu.machine import Mmu

pytestmark = pytest.mark.property
WRITTEN = ["4x4", "2x8", "2x12", "1x12", "3x4", "FA16", "2x5"]
runs = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 70)), max_size=60)


def accesses(runs):
    """Return addresses that stay within a page for so long, a few bytes apart."""
    return [(page << 12) + at * 8 for page, length in runs for at in range(length)]


@given(runs=runs, levels=st.lists(st.sampled_from(WRITTEN), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_stream_of_runs_meets_what_it_meets_access_by_access(runs, levels):
    geometry = TlbGeometry(levels=tuple((structure(one),) for one in levels))
    addresses = accesses(runs)
    for context in (NATIVE, nested()):
        plain, fast, mute = Hardware(geometry), Mmu(geometry), Mmu(geometry)
        expected = [plain.access(address, context)[0] for address in addresses]
        got = fast.run(np.array(addresses, np.uint64), context, trace=True)
        mute.run(np.array(addresses, np.uint64), context)
        assert got.level.tolist() == expected
        assert mute.counts == fast.counts
        sets = list(plain.tlb.structures())
        assert fast.counts.evictions == tuple(one.evictions for one in sets)
        for one, rows in zip(sets, mute.resident(), strict=True):
            held = [[(key.size, key.page) for key in reversed(row)] for row in one.rows]
            assert held == [[key[1:] for key in row] for row in rows]


@given(before=st.integers(0, 70), dense=st.integers(60, 300), behind=st.integers(0, 70))
@settings(max_examples=30, deadline=None)
def test_a_page_for_each_access_is_found_as_well(before, dense, behind):
    """Sixty-four accesses are looked at together, and all of them may be to other pages."""
    pages = [1] * before + [2 + at % 23 for at in range(dense)] + [1] * behind
    words = np.array(pages, np.uint64) << np.uint64(12)
    geometry = TlbGeometry(levels=((structure("4x4"),),))
    plain, fast = Hardware(geometry), Mmu(geometry)
    expected = [plain.access(page << 12, NATIVE)[0] for page in pages]
    assert fast.run(words, trace=True).level.tolist() == expected


@given(before=st.integers(0, 200), behind=st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_a_foreign_address_ends_a_run_wherever_it_comes(before, behind):
    mmu = Mmu(TlbGeometry(levels=((structure("16x4"),),)))
    words = np.full(before + 1 + behind, 5 << 12, np.uint64)
    words[before] = 1 << 50
    with pytest.raises(ParameterError, match=f"access {before}"):
        mmu.run(words)
    assert mmu.counts.lookups == before
