"""What a worker loads again after others ran on its pCPU: by hand, on both engines."""

import math
import random
from collections import OrderedDict
from types import SimpleNamespace

import pytest

from tests.schedules import BOTH, recorded
from virtperf.assembly import Assembly
from virtperf.assembly.translations import Translations
from virtperf.build import build
from virtperf.errors import ParameterError
from virtperf.path import end, work
from virtperf.rules import refill
from virtperf.scenario import Scenario

US = 10**6  # ticks


@pytest.mark.parametrize(
    ("last", "others", "lost"),
    [(0, 0, 0), (0, 250, 25), (0, 1000, 100), (0, 5000, 100), (1, 0, 100)],
)
def test_what_is_lost_grows_with_what_others_ran(last, others, lost):
    worker = SimpleNamespace(refill=100, forgets=1000, last=last, seen_ran=7)
    assert refill.cached(worker, SimpleNamespace(index=0, ran=7 + others)) == pytest.approx(
        lost, abs=1
    )


def test_it_is_exact_however_long_the_times():
    worker = SimpleNamespace(refill=10**12, forgets=10**12, last=0, seen_ran=0)
    assert refill.cached(worker, SimpleNamespace(index=0, ran=5 * 10**11)) == 5 * 10**11


@pytest.mark.parametrize("engine", BOTH)
def test_two_that_take_turns_load_again_each_time(engine):
    """Slices of 1 ms, a switch of 2 us, 100 us to load all, forgotten after 500 us of others."""
    assembly = Assembly("turns", pcpus=1, slice_ns=1e6, switch_ns=2e3)
    for name in ("a", "b"):
        assembly.worker(name, "vcpu", refill_ns=1e5, forgets_ns=5e5)
        path = (work(name, 5e6, name), end())
        assembly.source(name, {name: (1.0, path)}, to=name, outstanding=1)
    timeline = recorded(assembly.system(), 3, engine=engine)
    spans = [(s.name, (s.end - s.start) // US) for s in timeline.pcpus[0][:7]]
    assert spans[0] == ("a", 1000)
    turn = [("host: switch", 2), ("vcpu: cache refill", 100)]
    assert spans[1:4] == [*turn, ("b", 898)]
    assert spans[4:7] == [*turn, ("a", 898)]


def test_a_slice_must_be_longer_than_a_switch_with_its_reload():
    assembly = Assembly("short", slice_ns=1e5, switch_ns=1e3)
    with pytest.raises(ParameterError, match="refill"):
        assembly.worker("a", "vcpu", refill_ns=1e5)


def test_a_working_set_is_loaded_as_far_as_the_cache_holds_it():
    def refill(working_set: str) -> tuple[int, int]:
        vm = {"name": "a", "cpu": {"technique": "hardware"}, "working_set": working_set}
        vm["load"] = {"kind": "work", "workload": "compute-bound"}
        (row,) = build(Scenario.from_dict({"platform": "toy", "vm": [vm]})).workers
        return row.refill, row.forgets

    # 1 MiB of cache at 10 GB/s: 104.8576 us
    assert refill("512KiB") == (52_428_800, 104_857_600)
    assert refill("64MiB") == (104_857_600, 104_857_600)


# -- the TLB --------------------------------------------------------------------------------------


def translating(entries, room, *, held=0, tagged=1, last=0, others=1 << 20):
    """Return what a worker walks for again, in entries, behind others that have used so many."""
    tlb = {"walks": entries << 20, "entries": entries, "room": room, "tagged": tagged}
    worker = SimpleNamespace(index=0, last=last, seen_used=7, **tlb)
    pool, pcpu = SimpleNamespace(entries=entries + others), SimpleNamespace(index=0, used=7 + held)
    return refill.translated(pool, worker, pcpu) / (1 << 20)


def interleaved(entries, room, held, seed):
    """Return the misses of one that refers to its pages at random, after another has come between.

    A fully associative LRU TLB, reference by reference.
    """
    rng, lru = random.Random(seed), OrderedDict()

    def misses(page) -> bool:
        hit = page in lru
        if hit:
            lru.move_to_end(page)
        elif len(lru) == room:
            lru.popitem(last=False)
        lru[page] = None
        return not hit

    for _ in range(20 * entries):
        misses(rng.randrange(entries))
    for page in range(held):
        misses(("other", page))
    return sum(misses(rng.randrange(entries)) for _ in range(20 * entries))


@pytest.mark.parametrize(
    ("entries", "room", "held"),
    [
        (100, 100, 20),
        (100, 100, 60),
        (100, 200, 100),
        (100, 200, 120),
        (500, 1000, 900),
        (64, 64, 9),
    ],
)
def test_what_is_walked_for_again_is_what_an_interleaved_stream_misses(entries, room, held):
    """The mean of 40 streams strays by an interval of its own; 20 rounds leave e^-20 undone."""
    seen = [interleaved(entries, room, held, seed) for seed in range(40)]
    mean = sum(seen) / len(seen)
    spread = math.sqrt(sum((one - mean) ** 2 for one in seen) / (len(seen) - 1) / len(seen))
    assert 2 * spread < 0.05 * entries  # tight enough to prove something
    assert translating(entries, room, held=held) == pytest.approx(mean, abs=2.1 * spread + 0.5)


def test_without_tags_or_elsewhere_all_is_walked_for_again():
    assert translating(100, 1000, tagged=0) == 100
    assert translating(100, 1000, last=1) == 100
    assert translating(100, 1000) == 0


def test_others_that_come_again_use_the_same_entries():
    """Another, of 60 entries, has come ten times; it has no more of the TLB than after one time."""
    assert translating(100, 100, held=600, others=60) == translating(100, 100, held=60)


def test_a_stay_that_goes_on_counts_once():
    """A worker whose 50 pages have been used adds nothing as it comes back after nobody else."""
    tlb = {"walks": 1, "entries": 50, "pages": 50, "touches": 10**6, "tlb_time": 0}
    worker, pcpu = SimpleNamespace(seen_used=0, **tlb), SimpleNamespace(used=0)
    refill.stays(worker, pcpu, 20 * 10**6)
    refill.stays(worker, pcpu, 20 * 10**6)
    assert (pcpu.used, worker.seen_used) == (50, 50)


@pytest.mark.parametrize("touches", [1, 10**6, (1 << 45) - 1])
@pytest.mark.parametrize("turns", [0.1, 0.5, 1.0, 3.0, 15.9])
def test_a_stay_uses_as_many_pages_as_it_refers_to(touches, turns):
    time = int(turns * touches)
    worker = SimpleNamespace(entries=10**5, pages=10**5, touches=touches, tlb_time=time)
    found = refill.held(worker) / 10**5
    assert found == pytest.approx(1 - math.exp(-time / touches), abs=1 / 64)
    assert (touches - 1) * refill.UNIT < 1 << 63  # what a compiled rule has to hold


@pytest.mark.parametrize(("whole", "part"), [(1, 1), (2, 1), (1536, 1), (1536, 700), (1 << 19, 3)])
def test_the_logarithm_is_one(whole, part):
    found = refill.logarithm(whole, part) / refill.ONE
    assert found == pytest.approx(math.log(whole / part), abs=3e-5)


@pytest.mark.parametrize("x", [0.0, 0.02, 0.1, 0.5, 1.0, 3.3, 9.0, 15.9])
def test_the_decay_is_exponential(x):
    """The smallest step is 1/64, what is below it is cut off; ten products lose 2^-30 each."""
    found = refill.decay(int(x * refill.UNIT)) / refill.ONE
    assert math.exp(-x) * (1 - 1e-6) - 1e-8 <= found <= math.exp(-x) * math.exp(1 / 64)


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize(("tagged", "again"), [(True, 0), (False, 100)])
def test_two_that_take_turns_walk_again_for_what_has_no_tag(engine, tagged, again):
    """Slices of 1 ms, a switch of 2 us; 300 entries of 1,000 each, 100 us to walk for them."""
    tlb = Translations(
        walks_ns=1e5, entries=300, room=1000, pages=300, touches_ns=1e4, tagged=tagged
    )
    assembly = Assembly("turns", pcpus=1, slice_ns=1e6, switch_ns=2e3)
    for name in ("a", "b"):
        assembly.worker(name, "vcpu", tlb=tlb)
        path = (work(name, 5e6, name), end())
        assembly.source(name, {name: (1.0, path)}, to=name, outstanding=1)
    timeline = recorded(assembly.system(), 5, engine=engine)
    spans = [(s.name, (s.end - s.start) // US) for s in timeline.pcpus[0][:10]]
    # `b` has not been there yet, and walks for all; `a` comes back to what it left, or to nothing
    assert spans[:4] == [("a", 1000), ("host: switch", 2), ("vcpu: TLB refill", 100), ("b", 898)]
    back = [("host: switch", 2), ("vcpu: TLB refill", again), ("a", 998 - again)]
    assert spans[4 : 6 + bool(again)] == [one for one in back if one[1]]
