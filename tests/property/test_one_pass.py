"""The compiled one-pass analyses count what the plain form, and a TLB per size, count."""

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtperf.mechanism.memory import stack_distance as plain
from virtperf.mmu import every_size
from virtperf.mmu.chosen_sizes import misses_of_sizes
from virtperf.mmu.every_associativity import misses_of_every_associativity

pytestmark = pytest.mark.property

BASES = [0, 60, 4096, 1 << 20, (1 << 35) - 8, (1 << 52) - 16]
near = st.integers(0, 15)
far = st.tuples(st.sampled_from(BASES), near).map(sum)
pages = st.one_of(
    st.lists(near, max_size=120),
    st.lists(far, max_size=200),
    st.lists(st.lists(far, max_size=6), max_size=9).map(
        lambda parts: [page for part in parts for page in part * 3]  # rings that follow each other
    ),
)


def words(numbers):
    return np.array(numbers, dtype=np.uint64) << np.uint64(12)


def direct(numbers, sets, ways):
    """Count the misses of one TLB, which knows nothing of others."""
    held = [OrderedDict() for _ in range(sets)]
    misses = 0
    for page in numbers:
        own = held[page % sets]
        if page in own:
            own.move_to_end(page)
            continue
        misses += 1
        if len(own) == ways:
            own.popitem(last=False)
        own[page] = None
    return misses


@settings(max_examples=300, deadline=None)
@given(numbers=pages)
def test_every_size_at_once_is_every_size_by_itself(numbers):
    curve = every_size.misses_of_every_size(words(numbers))
    sizes = range(1, len(set(numbers)) + 3)
    assert curve.at(list(sizes)).tolist() == [direct(numbers, 1, size) for size in sizes]
    assert curve.at(list(sizes)).tolist() == plain.misses_of_sizes(numbers, sizes)
    assert (curve.lookups, curve.cold) == (len(numbers), len(set(numbers)))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), spread=st.sampled_from([3, 600, 40_000]), skew=st.floats(0.3, 3))
def test_every_size_is_exact_where_slots_run_out_and_tables_grow(seed, spread, skew):
    """Few slots to begin with: 20,000 accesses move them together and double them many times."""
    drawn = np.random.default_rng(seed).random(20_000) ** skew
    numbers = (drawn * spread).astype(np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(every_size, "_FEW", 1024)
        found = every_size.misses_of_every_size(numbers << np.uint64(12)).distances
    assert found.tolist() == np.bincount(distances(numbers.tolist())).tolist()


def distances(numbers):
    """Stack distances by a binary indexed tree over the accesses, as textbooks have it."""
    tree, seen, found = [0] * (len(numbers) + 1), {}, []

    def add(place, by):
        while place < len(tree):
            tree[place] += by
            place += place & -place

    def below(place):
        total = 0
        while place:
            total += tree[place]
            place &= place - 1
        return total

    for at, page in enumerate(numbers, 1):
        before = seen.get(page)
        if before:
            found.append(below(at - 1) - below(before - 1))
            add(before, -1)
        else:
            found.append(0)
        add(at, 1)
        seen[page] = at
    return found


@settings(max_examples=200, deadline=None)
@given(numbers=pages)
def test_the_textbooks_tree_is_the_plain_list(numbers):
    assert distances(numbers) == plain.stack_distances(numbers)


@settings(max_examples=300, deadline=None)
@given(numbers=pages, sizes=st.sets(st.integers(1, 30), min_size=1, max_size=10).map(sorted))
def test_chosen_sizes_at_once_are_each_by_itself(numbers, sizes):
    found = misses_of_sizes(words(numbers), sizes).tolist()
    assert found == [direct(numbers, 1, size) for size in sizes]
    assert found == plain.misses_of_sizes(numbers, sizes)


@settings(max_examples=300, deadline=None)
@given(numbers=pages, sets=st.integers(1, 9), ways=st.integers(1, 6))
def test_every_associativity_at_once_is_each_by_itself(numbers, sets, ways):
    found = misses_of_every_associativity(words(numbers), sets=sets, ways=ways).tolist()
    assert found == [direct(numbers, sets, most) for most in range(1, ways + 1)]
    assert found == plain.misses_of_every_associativity(numbers, sets=sets, ways=ways)


@settings(max_examples=100, deadline=None)
@given(numbers=pages, sets=st.integers(1, 9), ways=st.integers(1, 6))
def test_no_geometry_misses_less_than_there_are_pages(numbers, sets, ways):
    found = misses_of_every_associativity(words(numbers), sets=sets, ways=ways)
    cold = every_size.misses_of_every_size(words(numbers)).cold
    assert found.min() >= cold
    assert (np.diff(found) <= 0).all()  # more ways of as many sets never miss more
