"""One-pass analyses: worked cases, sizes at which tables grow, bad input."""

import csv
from pathlib import Path

import numpy as np
import pytest

from virtperf.errors import ParameterError
from virtperf.mechanism.memory import TlbGeometry, structure
from virtperf.mechanism.memory import stack_distance as plain
from virtperf.mmu import Mmu, simulate
from virtperf.mmu.chosen_sizes import misses_of_sizes
from virtperf.mmu.curve import MissCurve
from virtperf.mmu.every_associativity import misses_of_every_associativity
from virtperf.mmu.every_size import misses_of_every_size
from virtperf.stream import PointerChase, Strided, Uniform, Zipf, generate, load_trace, pages_of

PAGE = 4096
TRACES = Path(__file__).parents[2] / "models" / "traces"


def words(pages):
    return np.array(pages, dtype=np.uint64) << np.uint64(12)


def test_the_plain_form_by_hand():
    assert plain.stack_distances([1, 2, 3, 2, 2, 1, 4, 3]) == [0, 0, 0, 2, 1, 3, 0, 4]
    assert plain.misses_of_sizes([1, 2, 3, 2, 2, 1, 4, 3], [1, 2, 3, 4, 9]) == [7, 6, 5, 4, 4]
    by_hand = plain.misses_of_every_associativity([0, 2, 4, 0, 1, 1], sets=2, ways=3)
    assert by_hand == [5, 5, 4]
    assert plain.misses_of_every_associativity([], sets=2, ways=3) == [0, 0, 0]
    with pytest.raises(ParameterError, match="sizes must be at least 1"):
        plain.misses_of_sizes([1], [0])
    with pytest.raises(ParameterError, match="sets must be at least 1"):
        plain.misses_of_every_associativity([1], sets=0, ways=1)


def test_a_curve_by_hand():
    curve = misses_of_every_size(words([1, 2, 3, 2, 2, 1, 4, 3]))
    assert curve.distances.tolist() == [4, 1, 1, 1, 1]
    assert (curve.lookups, curve.cold) == (8, 4)
    assert curve.at([1, 2, 3, 4, 9]).tolist() == [7, 6, 5, 4, 4]
    assert [curve.misses(entries) for entries in (1, 4, 1 << 40)] == [7, 4, 4]
    frame = curve.frame("by hand")
    assert frame.to_dict("list") == {
        "stream": ["by hand"] * 4,
        "entries": [1, 2, 3, 4],
        "misses": [7, 6, 5, 4],
        "lookups": [8] * 4,
    }


@pytest.mark.parametrize("pages", [1, 2, 63, 64, 511, 512, 513, 20_000, 70_000, 200_000])
def test_a_ring_misses_always_until_it_fits(pages):
    """Slots run out, regions double and blocks close at these sizes."""
    ring = Strided(footprint_bytes=pages * PAGE, stride_bytes=PAGE)
    rounds = 4 if pages > 1000 else 400
    curve = misses_of_every_size(generate(ring, rounds * pages, seed=1))
    assert curve.cold == pages
    assert curve.distances[pages] == (rounds - 1) * pages
    assert curve.misses(pages) == pages
    assert pages == 1 or curve.misses(pages - 1) == rounds * pages


@pytest.mark.parametrize("stride", [PAGE, 64 * PAGE, 2 << 20, 1 << 30])
def test_a_chase_far_and_near_needs_as_many_entries_as_it_has_elements(stride):
    chase = PointerChase(footprint_bytes=3000 * stride, stride_bytes=stride)
    found = list(generate(chase, 9000, seed=1))
    curve = misses_of_every_size(found)
    assert curve.at([2999, 3000]).tolist() == [9000, 3000]
    assert misses_of_sizes(found, [2999, 3000]).tolist() == [9000, 3000]


def test_all_three_agree_on_many_pages():
    stream = Zipf(footprint_bytes=1 << 32, exponent=0.8)
    found = np.concatenate(list(generate(stream, 400_000, seed=1)))
    sizes = [1, 2, 16, 64, 1536, 5000, 100_000, 300_000]
    curve = misses_of_every_size(found)
    assert curve.cold == len(np.unique(found))
    assert curve.at(sizes).tolist() == misses_of_sizes(found, sizes).tolist()
    by_ways = misses_of_every_associativity(found, sets=1, ways=64)
    assert curve.at(list(range(1, 65))).tolist() == by_ways.tolist()


def test_uniform_pages_hit_in_proportion_to_the_entries():
    pages, accesses = 4096, 400_000
    curve = misses_of_every_size(generate(Uniform(footprint_bytes=pages * PAGE), accesses, seed=1))
    for entries in (64, 1536, 3000):
        missing = curve.misses(entries) - min(curve.cold, entries)  # it fills up first
        expected = 1 - entries / pages
        # five standard deviations of as many trials, and the few that fill it
        assert abs(missing / accesses - expected) < 5 * np.sqrt(0.25 / accesses) + pages / accesses


def test_chunks_do_not_matter_nor_do_flags_or_kinds_of_arrays():
    found = np.concatenate(
        list(generate(Uniform(footprint_bytes=100 * PAGE, write_fraction=0.5), 5000, seed=1))
    )
    fixed = found.copy()
    fixed.flags.writeable = False
    twice = np.repeat(found, 2)[::2]
    chunks = [found[:1], found[1:1], found[1:777], found[777:]]
    expected = misses_of_every_size(found).distances.tolist()
    for same in (fixed, twice, chunks, iter(chunks)):
        assert misses_of_every_size(same).distances.tolist() == expected
    by_size = misses_of_sizes(found, [3, 50]).tolist()
    assert misses_of_sizes(chunks, [3, 50]).tolist() == by_size
    by_ways = misses_of_every_associativity(found, sets=4, ways=5).tolist()
    assert misses_of_every_associativity(chunks, sets=4, ways=5).tolist() == by_ways


def test_large_pages_are_fewer():
    stream = Uniform(footprint_bytes=1 << 30)
    found = np.concatenate(list(generate(stream, 100_000, seed=1)))
    assert misses_of_every_size(found, page_bytes=2 << 20).cold == 512
    assert misses_of_sizes(found, [512], page_bytes=2 << 20).tolist() == [512]
    few = misses_of_every_associativity(found, sets=1, ways=2, page_bytes=1 << 30)
    assert few.tolist() == [1, 1]
    expected = plain.stack_distances(pages_of(found, 2 << 20)[:2000].tolist())
    curve = misses_of_every_size(found[:2000], page_bytes=2 << 20)
    assert curve.distances.tolist() == np.bincount(expected).tolist()


def test_addresses_at_both_ends_are_pages_like_others():
    ends = np.array([0, (1 << 64) - PAGE, (1 << 47) - PAGE, 0, (1 << 64) - PAGE], dtype=np.uint64)
    assert misses_of_every_size(ends).distances.tolist() == [3, 0, 0, 2]
    assert misses_of_sizes(ends, [2, 3]).tolist() == [5, 3]
    assert misses_of_every_associativity(ends, sets=1, ways=3).tolist() == [5, 5, 3]


def test_no_accesses_miss_nothing():
    for nothing in ([], np.empty(0, dtype=np.uint64)):
        curve = misses_of_every_size(nothing)
        assert (curve.lookups, curve.cold, curve.misses(5)) == (0, 0, 0)
        assert misses_of_sizes(nothing, [1, 5]).tolist() == [0, 0]
        assert misses_of_every_associativity(nothing, sets=2, ways=2).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: misses_of_every_size([], page_bytes=5000), "page_bytes must be a power of two"),
        (lambda: misses_of_sizes([], []), r"sizes must be whole numbers from 1.*got \[\]"),
        (lambda: misses_of_sizes([], [0, 1]), r"sizes must be whole numbers from 1.*got \[0, 1\]"),
        (lambda: misses_of_sizes([], [4, 4]), "each larger than the one before"),
        (lambda: misses_of_sizes([], [1 << 25]), r"from 1 to 2\*\*24"),
        (lambda: misses_of_every_associativity([], sets=0, ways=1), "sets must be a whole number"),
        (lambda: misses_of_every_associativity([], sets=1, ways=0), "ways must be a whole number"),
        (lambda: MissCurve(np.array([1, 2])).at([0]), "MissCurve.entries must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises(ParameterError, match=says):
        make()


# -- a real program, and the hardware simulated access by access ----------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("part", ["data", "ifetch"])
@pytest.mark.parametrize(("page", "page_bytes"), [("4K", 4096), ("2M", 2 << 20)])
def test_the_curve_of_a_real_program_has_the_published_counts(part, page, page_bytes):
    with (TRACES / "sort.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["stream"], row["page"]) == (part, page)]
    expected = {row["geometry"]: int(row["l1_or_only_misses"]) for row in rows}
    found = load_trace(TRACES / "sort.zst", part=part)
    curve = misses_of_every_size(found, page_bytes=page_bytes)
    assert curve.lookups == int(rows[0]["lookups"])
    assert curve.misses(16) == expected["FA16_LRU"]
    assert curve.misses(64) == expected["FA64_LRU"]
    four_ways = misses_of_every_associativity(found, sets=16, ways=4, page_bytes=page_bytes)[3]
    assert four_ways == expected["16x4_LRU"]
    twelve = misses_of_every_associativity(found, sets=128, ways=12, page_bytes=page_bytes)[11]
    assert twelve == expected["128x12_LRU(1536)"]
    by_size = misses_of_sizes(found, [16, 64], page_bytes=page_bytes)
    assert by_size.tolist() == [expected["FA16_LRU"], expected["FA64_LRU"]]


@pytest.mark.parametrize("geometry", ["FA1", "FA7", "FA64", "3x2", "16x4", "5x8"])
def test_the_hardware_counts_the_same(geometry):
    found = np.concatenate(
        list(generate(Zipf(footprint_bytes=300 * PAGE, exponent=0.7), 20_000, seed=1))
    )
    tlb = TlbGeometry(levels=((structure(geometry, policy="lru"),),), name="one level")
    (misses,) = simulate(Mmu(tlb), [[found]]).misses
    if geometry.startswith("FA"):
        entries = int(geometry[2:])
        assert misses == misses_of_every_size(found).misses(entries)
        assert misses == misses_of_sizes(found, [entries])[0]
    else:
        sets, ways = map(int, geometry.split("x"))
        assert misses == misses_of_every_associativity(found, sets=sets, ways=ways)[-1]
