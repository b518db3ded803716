"""A real program's accesses through TLBs: the rows that three other programs agree on."""

import csv
import re

import numpy as np
import pytest

from virtperf import catalog
from virtperf.mechanism.memory import Mapping, PageSize, TlbGeometry, WalkCaches, structure
from virtperf.mmu import Mmu, simulate
from virtperf.stream import load_trace, part_of, write_trace

WALK_CACHES = WalkCaches(kind="prefix", by_level=(32, 16, 4))
ROW = re.compile(
    r"(?P<levels>.*?)_(?P<policy>LRU|FIFO)(?:\(\d+\))?(?:_flush_every_(?P<every>\d+))?"
)
PREFIX = 400_000


def rows():
    with (catalog.root() / "traces" / "sort.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def asked(row):
    """Return the levels, policy, page size and flushes of a row."""
    found = ROW.fullmatch(row["geometry"])
    levels = re.sub(r"L\d:", "", found["levels"]).split("+")
    every = int(found["every"]) if found["every"] else None
    return levels, found["policy"].lower(), PageSize.of(row["page"]), every


def counted(words, row):
    levels, policy, size, every = asked(row)
    geometry = TlbGeometry(levels=tuple((structure(one, policy=policy),) for one in levels))
    counts = simulate(Mmu(geometry, WALK_CACHES), [[words]], Mapping(guest=size), flush_every=every)
    deeper = len(levels) > 1
    return [
        counts.lookups,
        counts.misses[0],
        counts.misses[1] if deeper else "",
        counts.references if deeper else "",
    ]


def obvious(words, row):
    """Count a row as plainly as possible: lists of pages and of prefixes, latest first."""
    levels, policy, size, every = asked(row)
    shapes = [structure(one) for one in levels]
    tlbs = [[[] for _ in range(one.sets)] for one in shapes]
    caches = [[] for _ in range(4)]
    missed, reads = [0] * len(levels), 0
    for number, address in enumerate(words.tolist()):
        if every and number and number % every == 0:
            tlbs = [[[] for _ in range(one.sets)] for one in shapes]
            caches = [[] for _ in range(4)]
        page = address >> size.shift
        for level, one in enumerate(shapes):
            if held(tlbs[level][page % one.sets], page, one.ways, policy):
                break
            missed[level] += 1
        else:
            for skipped in range(size.level, 4):
                reads += 1
                entries = (32, 16, 4)[skipped - 1]
                if held(caches[skipped], address >> (12 + 9 * skipped), entries, "lru"):
                    break
            else:
                reads += 1
    deeper = len(levels) > 1
    return [len(words), missed[0], missed[1] if deeper else "", reads if deeper else ""]


def held(entries, key, most, policy):
    if key in entries:
        if policy == "lru":
            entries.remove(key)
            entries.insert(0, key)
        return True
    entries.insert(0, key)
    del entries[most:]
    return False


def named(row):
    return f"{row['stream']}-{row['page']}-{row['geometry']}"


@pytest.fixture(scope="module")
def prefix():
    return load_trace(catalog.root() / "traces" / "sort.zst", limit=PREFIX)


@pytest.fixture(scope="module")
def whole():
    return load_trace(catalog.root() / "traces" / "sort.zst")


@pytest.mark.parametrize("row", rows(), ids=named)
def test_a_prefix_of_sort_is_counted_as_plain_lists_count_it(row, prefix):
    words = part_of(prefix, row["stream"])[:60_000]
    assert counted(words, row) == obvious(words, row)


@pytest.mark.slow
@pytest.mark.parametrize("row", rows(), ids=named)
def test_all_of_sort_is_counted_exactly(row, whole):
    fields = ("lookups", "l1_or_only_misses", "l2_misses", "walk_memory_refs")
    expected = [int(row[field]) if row[field] else "" for field in fields]

    assert len(whole) == int(row["accesses"])
    assert counted(part_of(whole, row["stream"]), row) == expected


def test_pieces_of_a_stream_are_the_stream(prefix):
    row = {"geometry": "L1:16x4+L2:128x12_LRU_flush_every_777", "page": "4K"}
    words = part_of(prefix, "data")[:50_000]
    mmu = Mmu(TlbGeometry(levels=((structure("16x4"),), (structure("128x12"),))), WALK_CACHES)
    pieces = np.split(words, [1, 776, 777, 778, 3000, 40_000])
    counts = simulate(mmu, [pieces], flush_every=777)

    assert counted(words, row) == obvious(words, row)
    assert [counts.lookups, *counts.misses, counts.references] == obvious(words, row)


def test_streams_in_turns_with_flushes_are_their_accesses_in_that_order(tmp_path):
    one, two = (np.arange(n, dtype=np.uint64) % 50 << 12 for n in (1000, 700))
    order = [
        (who, at)
        for turn in range(10)
        for who, stream in enumerate((one, two))
        for at in range(turn * 100, min(turn * 100 + 100, len(stream)))
    ]
    geometry = TlbGeometry(levels=((structure("16x4"),),))
    for tags in (True, False):
        tlb, missed, last = {}, 0, None
        for number, (who, at) in enumerate(order):
            if (number and number % 333 == 0) or (not tags and last not in (None, who)):
                tlb = {}
            last, page = who, at % 50
            row = tlb.setdefault(page % 16, [])
            missed += not held(row, (who if tags else 0, page), 4, "lru")
        counts = simulate(
            Mmu(geometry), [[one[:250], one[250:]], [two]], flush_every=333, quantum=100, tags=tags
        )
        assert (counts.lookups, counts.walks) == (1700, missed)


def test_a_trace_that_was_written_is_counted_as_the_array(tmp_path, prefix):
    write_trace(tmp_path / "part.zst", [prefix[:9000]])
    words = load_trace(tmp_path / "part.zst", part="data")
    row = {"geometry": "16x4_FIFO", "page": "4K"}
    assert counted(words, row) == obvious(part_of(prefix[:9000], "data"), row)
