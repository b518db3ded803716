"""The claims of TLBs and page walks: counts that arithmetic knows, and one measured surface."""

from __future__ import annotations

import csv
from functools import partial
from typing import TYPE_CHECKING, Any

from virtperf.validation.claim import Claim, Estimate

if TYPE_CHECKING:
    from virtperf.mechanism.memory import TlbGeometry
    from virtperf.validation.given import Given

PARTS = {
    "Nehalem-EP": "nehalem",
    "SandyBridge": "sandy-bridge",
    "SkylakeX 7900X": "skylake-sp",
    "EPYC 7742": "zen2",
}
EXACT = "a count, and arithmetic knows it"
EXACTLY = 1e-9  # floats of whole numbers
ROUNDS = 2  # of a cyclic pattern until nothing changes any more


def _addresses(pages: Any) -> Any:
    import numpy as np

    return np.asarray(pages, np.uint64) << np.uint64(12)


def _tlb(*written: str) -> TlbGeometry:
    from virtperf.mechanism.memory import TlbGeometry, structure

    return TlbGeometry(levels=tuple((structure(one),) for one in written))


def _walk(host: str | None, given: Given) -> Estimate:
    """Return the table reads of one walk that no cache shortens."""
    from virtperf.mechanism.memory import NATIVE, nested
    from virtperf.mmu import Mmu

    depth = given.count("walk.levels")
    mmu = Mmu(_tlb("1x1"), levels=depth, nested_levels=depth)
    mmu.run(_addresses([1]), NATIVE if host is None else nested("4K", host))
    return Estimate(mmu.counts.references)


def _touch(nested: bool, given: Given) -> Estimate:
    """Return the table reads of touching pages in order, with walk caches that forget nothing."""
    import numpy as np

    from virtperf.mechanism.memory import NATIVE, Context, Mapping, PageSize, Tag, WalkCaches
    from virtperf.mmu import Mmu

    pages = given.count("touch.pages")
    behind = -(-pages // 512) * PageSize.M2.bytes
    guest = Context(tag=Tag(1, 0, 1), mapping=Mapping(host=PageSize.K4, tables_at=behind))
    caches = WalkCaches(kind="prefix", by_level=(1024, 8, 2), nested_by_level=(1100, 8, 2))
    mmu = Mmu(_tlb("1x1"), caches)
    mmu.run(_addresses(np.arange(pages)), guest if nested else NATIVE)
    return Estimate(mmu.counts.references)


def _warm_misses(geometry: TlbGeometry, pages: Any) -> list[int]:
    """Return what misses each level in one round of a pattern that went round before."""
    from virtperf.mmu import Mmu

    mmu, words = Mmu(geometry), _addresses(pages)
    for _ in range(ROUNDS):
        mmu.run(words)
    before = mmu.counts.misses
    mmu.run(words)
    return [now - then for now, then in zip(mmu.counts.misses, before, strict=True)]


def _knee(given: Given) -> Estimate:
    written = f"{given.count('knee.sets')}x{given.count('knee.ways')}"
    return Estimate(_warm_misses(_tlb(written), range(given.count("knee.pages")))[0])


def _uniform(given: Given) -> Estimate:
    """Return the share of random accesses that walk, two levels, and its sampling noise."""
    from math import sqrt

    from virtperf.mmu import Mmu
    from virtperf.rng import stream

    pages, accesses = given.count("uniform.pages"), given.count("uniform.accesses")
    draw = stream(1, 0, "uniform pages")
    mmu = Mmu(_tlb("16x4", "128x12"))
    mmu.run(_addresses(draw.integers(0, pages, 40 * pages)))  # warm
    before = mmu.counts.walks
    mmu.run(_addresses(draw.integers(0, pages, accesses)))
    ratio = (mmu.counts.walks - before) / accesses
    return Estimate(ratio, 1.96 * sqrt(ratio * (1 - ratio) / accesses))


def _surface(worst: bool, given: Given) -> Estimate:
    """Return the mean or worst error, in cycles, over the cells with a TLB miss."""
    from virtperf import catalog
    from virtperf.mechanism.memory.processors import processor

    errors = []
    with catalog.path("published", "tlb_latency_cells").open(newline="") as file:
        for cell in csv.DictReader(file):
            data, measured = float(cell["data_cache_cycles"]), float(cell["measured_cycles"])
            part = processor(given.tlbs(PARTS[cell["cpu"]]))
            pages, stride = int(cell["pages_touched"]), int(cell["stride_kb"]) // 4
            missed = _warm_misses(part.data, [page * stride for page in range(pages)])
            cycles = data + missed[0] / pages * (part.l2_hit_cycles or 0)
            cycles += missed[-1] / pages * (part.walk_cycles or 0)
            if measured > data:
                errors.append(abs(cycles - measured))
            elif missed[0]:
                errors.append(cycles - data)  # a miss where the measurement has none
    return Estimate(max(errors) if worst else sum(errors) / len(errors))


def _round(given: Given, *, tags: bool) -> int:
    """Return the misses of one round of spaces that take turns."""
    from virtperf.mmu import Mmu, simulate

    spaces, pages = given.count("switch.spaces"), given.count("switch.pages")
    found = []
    for rounds in (ROUNDS, ROUNDS + 1):
        each = [[_addresses(range(pages))] * rounds] * spaces
        mmu = Mmu(_tlb(f"FA{given.count('switch.entries')}"))
        found.append(simulate(mmu, each, quantum=pages, tags=tags).walks)
    return found[1] - found[0]


def _saved(given: Given) -> Estimate:
    without = _round(given, tags=False)
    return Estimate((without - _round(given, tags=True)) / without)


def _flushes(given: Given) -> Estimate:
    """Return flushes per change of address space, over a thousand rounds of the tags."""
    from virtperf.mechanism.memory.tags import FreshTags

    tags = FreshTags(given.count("xen.asids"))
    changes = 1000 * tags.tags
    for _ in range(changes + 1):
        tags.change()
    return Estimate(tags.flushes / changes)


_WALK = ("walk.levels",)
_TOUCH = ("touch.pages",)
_SWITCH = ("switch.entries", "switch.spaces", "switch.pages")
_CELLS = tuple(f"tlbs.{name}" for name in PARTS.values())

MEMORY_CLAIMS = (
    Claim(
        says="a cold walk of guest's and host's tables reads 24 entries",
        outcome="walk.nested",
        inputs=_WALK,
        predict=partial(_walk, "4K"),
        tolerance=EXACTLY,
        why=EXACT,
    ),
    Claim(
        says="a cold native walk reads 4 entries",
        outcome="walk.native",
        inputs=_WALK,
        predict=partial(_walk, None),
        tolerance=EXACTLY,
        why=EXACT,
    ),
    Claim(
        says="1 GiB touched once, native, walk caches without end: table reads",
        outcome="touch.native",
        inputs=_TOUCH,
        predict=partial(_touch, False),
        tolerance=EXACTLY,
        why=EXACT,
        kind="law",
    ),
    Claim(
        says="1 GiB touched once, nested, walk caches without end: twice the native table reads",
        outcome="touch.nested",
        inputs=_TOUCH,
        predict=partial(_touch, True),
        tolerance=EXACTLY,
        why=EXACT,
        kind="law",
    ),
    Claim(
        says="64 entries of 4 ways under 79 pages in a circle: misses of a round",
        outcome="knee.misses",
        inputs=("knee.sets", "knee.ways", "knee.pages"),
        predict=_knee,
        tolerance=EXACTLY,
        why=EXACT,
        kind="law",
    ),
    Claim(
        says="two levels under uniform random pages: the share of accesses that walk",
        outcome="uniform.walks",
        inputs=("uniform.pages", "uniform.accesses"),
        predict=_uniform,
        within=(0.624, 0.626),
        why="sampling error of ten million accesses is 0.0003",
        kind="law",
    ),
    Claim(
        says="measured latency surface of four CPUs, 38 cells with TLB misses: mean error, cycles",
        outcome="instlatx64.mean",
        inputs=_CELLS,
        predict=partial(_surface, False),
        within=(0.0, 0.2),
        why="measured latencies are whole or half cycles; geometry comes from CPUID and is not "
        "fitted, two latencies for each CPU are",
        kind="calibrated",
    ),
    Claim(
        says="measured latency surface of four CPUs: worst error, cycles",
        outcome="instlatx64.worst",
        inputs=_CELLS,
        predict=partial(_surface, True),
        within=(0.0, 1.0),
        why="one cycle is the resolution of most of the measurements",
        kind="calibrated",
    ),
    Claim(
        says="four processes of 300 pages, flushed at each switch: misses of a round",
        outcome="switch.untagged",
        inputs=_SWITCH,
        predict=lambda given: Estimate(_round(given, tags=False)),
        tolerance=EXACTLY,
        why=EXACT,
        kind="law",
    ),
    Claim(
        says="four processes of 300 pages in 1,536 entries: tags save all misses",
        outcome="switch.saved",
        inputs=_SWITCH,
        predict=_saved,
        tolerance=EXACTLY,
        why=EXACT,
        kind="law",
    ),
    Claim(
        says="a new ASID at each change of address space: flushes per change with 64 of them",
        outcome="xen.flushes",
        inputs=("xen.asids",),
        predict=_flushes,
        tolerance=EXACTLY,
        why=EXACT,
    ),
)
