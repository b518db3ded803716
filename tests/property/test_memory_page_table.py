"""Runs, page tables and frame pools against plain dictionaries and sets, key by key."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.frames import FramePool
from virtperf.mechanism.memory.page_table import (
    ACCESSED,
    DIRTY,
    GLOBAL,
    WRITABLE,
    Leaf,
    PageTable,
    leaf_pages,
)
from virtperf.mechanism.memory.runs import Run, Runs

pytestmark = pytest.mark.property
EXAMPLES = settings(max_examples=300, deadline=None)
KEYS = 24
SPAN = 3 * 512
FLAGS = st.sampled_from([0, WRITABLE, ACCESSED, DIRTY, GLOBAL, WRITABLE | ACCESSED | DIRTY])

RANGES = st.tuples(st.integers(0, KEYS), st.integers(0, KEYS)).map(sorted)
PUTS = st.tuples(st.just("put"), RANGES, st.integers(0, 40), st.integers(0, 1))
REMOVES = st.tuples(st.just("remove"), RANGES, st.just(0), st.just(0))


@EXAMPLES
@given(st.lists(st.one_of(PUTS, REMOVES), max_size=30), RANGES)
def test_runs_are_a_dictionary(changes, asked):
    runs, plain = Runs(), {}
    for kind, (start, end), value, tag in changes:
        if kind == "put":
            runs.put(start, end, value, tag)
            plain |= {key: (value + key - start, tag) for key in range(start, end)}
        else:
            gone = {
                key: (run.at(key), run.tag)
                for run in runs.remove(start, end)
                for key in range(run.start, run.end)
            }
            assert gone == {key: plain.pop(key) for key in range(start, end) if key in plain}
    for key in range(-1, KEYS + 1):
        found = runs.find(key)
        assert (None if found is None else (found.at(key), found.tag)) == plain.get(key)
    assert runs.size == len(plain)
    start, end = asked
    assert runs.count(start, end) == sum(key in plain for key in range(start, end))
    inside = [key for one in runs.gaps(start, end) for key in range(*one)]
    assert inside == [key for key in range(start, end) if key not in plain]
    assert all(start <= run.start < run.end <= end for run in runs.within(start, end))
    kept = runs.all()
    for before, after in pairwise(kept):
        apart = before.end < after.start or before.tag != after.tag
        assert apart or before.at(before.end) != after.value, "two runs that could be one"


class PlainTable:
    """Every 4 KiB page in a dictionary, every table in a set."""

    def __init__(self, levels):
        self.levels, self.pages, self.tables = levels, {}, {(levels, 0)}

    def map(self, page, frame, count, flags, level):
        size = leaf_pages(level)
        if page % size or frame % size or count % size:
            return None
        if any(one in self.pages for one in range(page, page + count)):
            return None
        below = {
            (one >> 9 * low, low) for one in range(page, page + count) for low in range(1, level)
        }
        if any((low, number) in self.tables for number, low in below):
            return None
        new = set()
        for offset in range(count):
            self.pages[page + offset] = Leaf(frame + offset, flags, level)
            for above in range(level, self.levels):
                new.add((above, page + offset >> 9 * above))
        new -= self.tables
        self.tables |= new
        return count // size, new

    def cut(self, page, count):
        for edge in (page, page + count):
            leaf = self.pages.get(edge)
            if leaf is not None and edge % leaf_pages(leaf.level):
                return True
        return False

    def unmap(self, page, count):
        gone = [self.pages.pop(one) for one in range(page, page + count) if one in self.pages]
        return round(sum(1 / leaf_pages(leaf.level) for leaf in gone))

    def change(self, page, count, put, clear):
        changed = 0
        for one in range(page, page + count):
            leaf = self.pages.get(one)
            if leaf is not None and (flags := leaf.flags & ~clear | put) != leaf.flags:
                self.pages[one] = leaf._replace(flags=flags)
                changed += one % leaf_pages(leaf.level) == 0
        return changed

    def mark(self, page, write):
        leaf = self.pages.get(page)
        if leaf is not None:
            size = leaf_pages(leaf.level)
            self.change(page // size * size, size, ACCESSED | (DIRTY if write else 0), 0)

    def split(self, page):
        leaf = self.pages.get(page)
        if leaf is None or leaf.level == 1:
            return False
        size = leaf_pages(leaf.level)
        for one in range(page // size * size, page // size * size + size):
            self.pages[one] = self.pages[one]._replace(level=leaf.level - 1)
        self.tables.add((leaf.level - 1, page >> 9 * (leaf.level - 1)))
        return True

    def prune(self, page, count):
        used = {(self.levels, 0)}
        for one, leaf in self.pages.items():
            used |= {(level, one >> 9 * level) for level in range(leaf.level, self.levels)}
        freed = {
            (level, number)
            for level, number in self.tables - used
            if page >> 9 * level <= number <= page + count - 1 >> 9 * level
        }
        self.tables -= freed
        return freed


def expanded(ranges):
    return {
        (level, number)
        for level, pieces in ranges.items()
        for piece in pieces
        for number in range(*piece)
    }


NEAR = st.one_of(st.integers(0, SPAN - 1), st.sampled_from([0, 512, 1024, 511, 513]))
COUNT = st.one_of(st.integers(1, 40), st.sampled_from([512, 1024]))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["map", "map", "map large", "unmap", "change", "mark", "split", "prune"]),
        NEAR,
        COUNT,
        FLAGS,
        FLAGS,
    ),
    max_size=14,
)


@EXAMPLES
@given(STEPS, st.sampled_from([4, 5]))
def test_a_page_table_is_a_dictionary_of_pages(steps, levels):
    table, plain = PageTable(levels), PlainTable(levels)
    for kind, page, count, flags, clear in steps:
        if kind.startswith("map"):
            level = 2 if "large" in kind else 1
            page = page // 512 * 512 if level == 2 else page
            count = -(-count // 512) * 512 if level == 2 else count
            expected = plain.map(page, page + 1024, count, flags, level)
            if expected is None:
                with pytest.raises(ParameterError):
                    table.map(page, page + 1024, count, flags=flags, level=level)
            else:
                written = table.map(page, page + 1024, count, flags=flags, level=level)
                assert (written.leaves, expanded(written.hooked)) == expected
        elif kind == "mark":
            table.mark(page, write=bool(flags))
            plain.mark(page, write=bool(flags))
        elif kind == "split":
            if plain.split(page):
                table.split(page)
            else:
                with pytest.raises(ParameterError):
                    table.split(page)
        elif kind == "prune":
            assert expanded(table.prune(page, count)) == plain.prune(page, count)
        elif plain.cut(page, count):
            with pytest.raises(ParameterError):
                table.unmap(page, count) if kind == "unmap" else table.change(page, count)
        elif kind == "unmap":
            assert table.unmap(page, count) == plain.unmap(page, count)
        else:
            changed = table.change(page, count, set=flags, clear=clear)
            assert changed == plain.change(page, count, flags, clear)
        assert_same(table, plain)


def assert_same(table, plain):
    listed = {
        first + offset: leaf._replace(frame=leaf.frame + offset)
        for first, count, leaf in table.leaves()
        for offset in range(count)
    }
    assert listed == plain.pages
    assert table.mapped_pages == len(plain.pages)
    assert table.tables == {
        level: sum(one == level for one, _ in plain.tables) for level in table.tables
    }
    for page in (0, 1, 511, 512, 700, SPAN):
        assert table.lookup(page) == plain.pages.get(page)


@EXAMPLES
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.sampled_from([1, 2, 4])), max_size=25)
)
def test_a_pool_never_hands_a_frame_out_twice(steps):
    pool, taken = FramePool(40), []
    for takes, count, align in steps:
        if takes:
            start = pool.take(count, align)
            used = {one for first, number in taken for one in range(first, first + number)}
            starts = range(0, 41 - count, align)
            fitting = [s for s in starts if not used & set(range(s, s + count))]
            assert start == (fitting[0] if fitting else None)
            if start is not None:
                taken.append((start, count))
        elif taken:
            pool.give(*taken.pop(count % len(taken)))
        assert pool.free == 40 - sum(number for _, number in taken)


def test_a_run_knows_its_parts():
    assert Run(10, 20, 100, 7).clipped(15, 30) == Run(15, 20, 105, 7)
