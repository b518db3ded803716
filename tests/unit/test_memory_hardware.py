"""Geometry, mappings, walk caches and processors: what they say, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest

from virtperf import catalog
from virtperf.errors import ParameterError, ScenarioError, UnknownNameError
from virtperf.mechanism import memory
from virtperf.mechanism.memory import (
    Context,
    Hardware,
    Mapping,
    PageSize,
    PteCache,
    PteCaches,
    Region,
    Tag,
    TlbGeometry,
    TlbStructure,
    WalkCaches,
    canonical,
    nested,
    structure,
)
from virtperf.mechanism.memory.geometry import AMD_K10
from virtperf.mechanism.memory.processors import names, processor
from virtperf.mechanism.memory.tags import FreshTags, KeptTags
from virtperf.mmu import Mmu, Schedule, simulate, steady

K4, M2, G1 = PageSize
ONE = TlbGeometry(levels=((structure("1x1"),),))


def refused(made, says):
    with pytest.raises(ParameterError, match=says):
        made()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: TlbStructure(entries=64, ways=3), "ways must be a divisor of its 64 entries"),
        (lambda: TlbStructure(entries=0, ways=1), "entries must be at least 1, got 0"),
        (lambda: TlbStructure(entries=4, ways=0), "ways must be a divisor"),
        (lambda: TlbStructure(entries=4, ways=4, pages=()), "pages must be one or more"),
        (lambda: TlbStructure(entries=6, ways=2, index="xor"), "index must be linear unless"),
        (lambda: TlbStructure(entries=6, ways=2, index="odd"), "index must be linear or xor"),
        (lambda: TlbStructure(entries=6, ways=2, policy="nru"), "policy must be lru, fifo or plru"),
        (lambda: TlbStructure(entries=10, ways=5, policy="plru"), "policy must be lru or fifo unl"),
        (lambda: structure("16*4"), r"SETSxWAYS such as 16x4.*got '16\*4'"),
        (lambda: structure("0x4"), "SETSxWAYS"),
        (lambda: structure("16x4:8K"), "one of 4K 2M 1G, got '8K'"),
        (lambda: TlbGeometry(levels=()), "levels must be one or more"),
        (lambda: WalkCaches(kind="prefix", by_level=(-1,)), "entries must be at least 0"),
        (lambda: WalkCaches(by_level=(1,) * 5), "at most 4"),
        (lambda: PteCache(lines=6, ways=4, cycles=4), "ways must be a divisor of its lines"),
        (lambda: PteCaches(memory_cycles=-1), "memory_cycles must be at least 0"),
        (lambda: Region(start=0, end=0x1000, guest=M2), "end must be a multiple of its 2M page"),
        (lambda: Region(start=4096, end=4096), "end must be above start"),
        (lambda: Mapping(offset=4096), "offset must be a multiple of 1 GiB"),
        (lambda: Mapping(tables_on=K4), "tables_on must be left out natively"),
        (lambda: Context(tag=Tag(root=1)), "tag must be a root if the mapping has host pages"),
        (lambda: Context(tag=Tag(pcid=None)), "tag must be of one PCID"),
        (lambda: FreshTags(0), "tags must be at least 1"),
        (lambda: KeptTags(0), "tags must be at least 1"),
        (lambda: Mmu(ONE, levels=3), "levels must be 4 or 5, got 3"),
        (lambda: Mmu(ONE, WalkCaches(kind="entry", entries=None)), "entries must be finite"),
        (lambda: steady(4, every=0), "every must be at least 1"),
        (lambda: simulate(Mmu(ONE), [[], []]), "quantum must be given for several streams"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(made, says):
    refused(made, says)


def test_regions_stand_in_order_and_apart():
    first, second = Region(start=0, end=0x2000), Region(start=0x1000, end=0x3000)
    refused(lambda: Mapping(regions=(first, second)), "behind the region before it, 0x2000")
    alien = Region(start=0, end=0x1000, host=K4)
    refused(lambda: Mapping(regions=(alien,)), "nested in all regions or in none")


@pytest.mark.parametrize("address", [0x0000_8000_0000_0000, 0xFFFF_7FFF_FFFF_F000, 1 << 63])
@pytest.mark.parametrize("regions", [(), (Region(start=0, end=4096),)])
def test_an_address_that_is_not_canonical_ends_a_run_before_it(address, regions):
    mmu, who = Mmu(ONE), Context(mapping=Mapping(regions=regions))
    refused(lambda: canonical(address), f"canonical in 48 bits, got '{address:#x}'")
    words = np.array([0, 4096, address, 8192], np.uint64)
    says = f"access 2.address must be canonical in 48 bits, got '{address:#x}'"
    refused(lambda: mmu.run(words, who), says)
    assert (mmu.counts.lookups, mmu.counts.references) == (2, 8)
    mmu.run(words[3:], who)
    assert mmu.counts.lookups == 3


def test_five_levels_translate_more_addresses():
    wide = 1 << 50
    assert canonical(wide, levels=5) == wide
    assert canonical((1 << 64) - 4096) == (1 << 48) - 4096
    mmu = Mmu(ONE, levels=5)
    mmu.run(np.array([wide], np.uint64))
    assert mmu.counts.guest == (1, 1, 1, 1, 1)


def test_a_size_the_first_level_lacks_is_refused_and_one_that_others_lack_passes_them_by():
    small = TlbGeometry(levels=((structure("16x4:4K"),),))
    refused(lambda: Mmu(small).run([0], nested(M2, M2)), "held by its first level: 4K, got '2M'")
    refused(lambda: Hardware(small).access(0, nested(M2, M2)), "got '2M'")

    older = processor("nehalem").data  # large pages in 32 entries of the first level only
    regions = np.arange(33, dtype=np.uint64) << np.uint64(21)
    mmu, large = Mmu(older), Context(mapping=Mapping(guest=M2))
    for _ in range(3):
        mmu.run(regions, large)
    assert mmu.counts.hits[1] == 0
    assert mmu.counts.walks > 33


def test_a_2m_page_on_4k_frames_takes_an_entry_for_each_frame():
    mmu = Mmu(TlbGeometry(levels=((structure("FA600"),),)))
    words = np.arange(512, dtype=np.uint64) << np.uint64(12)
    mmu.run(words, nested(M2, K4))
    mmu.run(words, nested(M2, K4))
    assert (mmu.counts.walks, mmu.counts.hits[0]) == (512, 512)
    assert {key[1] for key in mmu.resident()[0][0]} == {K4}


def test_1g_pages_may_be_kept_as_2m_entries():
    whole = Context(mapping=Mapping(guest=G1))
    for splits, walks in ((False, 1), (True, 512)):
        mmu = Mmu(TlbGeometry(levels=((structure("FA600"),),), splits_1g=splits))
        mmu.run(np.arange(512, dtype=np.uint64) << np.uint64(21), whole)
        assert mmu.counts.walks == walks


def test_a_guest_pd_entry_in_the_cache_leaves_one_guest_read():
    """Whether its table needs a nested walk is what `combined` says: 4+1 and 4+1+4 reads."""
    for combined, nested_levels, pages, reads in [
        ("host", (), 0, (1, 4)),
        ("guest", (), 0, (1, 8)),
        ("guest", (32, 16, 4), 0, (1, 2)),
        ("guest", (32, 16, 4), 32, (1, 1)),  # the table's frame is in the nested TLB
    ]:
        caches = WalkCaches(
            kind="prefix",
            by_level=(32, 16, 4),
            nested_by_level=nested_levels,
            nested_tlb=pages,
            combined=combined,
        )
        hardware = Hardware(ONE, caches)
        hardware.access(0x1000, nested())
        found = hardware.access(0x2000, nested())
        assert (found.guest, found.host) == reads


def test_with_the_data_page_in_the_nested_tlb_only_the_guests_entry_is_read():
    caches = WalkCaches(kind="prefix", by_level=(32, 16, 4), nested_tlb=32)
    hardware = Hardware(ONE, caches)
    for address in (0x1000, 0x2000, 0x1000):
        found = hardware.access(address, nested())
    assert (found.guest, found.host) == (1, 0)


def test_a_page_walk_cache_still_visits_each_level():
    hardware = Hardware(ONE, WalkCaches(kind="entry", entries=24))
    native = [hardware.access(page << 12) for page in (1, 2)]
    assert [one.guest for one in native] == [4, 1]
    assert hardware.walker.hits == 3

    hardware = Hardware(ONE, AMD_K10)
    both = [hardware.access(page << 12, nested()) for page in (1, 2)]
    assert (both[1].guest, both[1].host) == (1, 1)  # the frames of tables are in the nested TLB


def test_reads_are_priced_by_the_cache_that_has_their_line():
    caches = PteCaches(levels=(PteCache(lines=64, ways=4, cycles=4),), memory_cycles=100)
    hardware = Hardware(ONE, pte_caches=caches)
    cycles = [hardware.access(page << 12).cycles for page in (0, 1, 8)]
    assert cycles == [400, 16, 112]  # eight entries share a line


def test_the_capacity_pitfall_of_2m_pages_with_few_entries():
    """48 hot pages in as many 2 MiB regions fit 64 small entries and not 32 large ones."""
    geometry = processor("sandy-bridge").data
    words = (np.arange(48, dtype=np.uint64) << np.uint64(21)) + (
        np.arange(48, dtype=np.uint64) << np.uint64(12)
    )
    walks = {}
    for size in (K4, M2):
        mmu = Mmu(geometry)
        for _ in range(3):
            mmu.run(words, Context(mapping=Mapping(guest=size)))
        walks[size] = mmu.counts.walks
    assert walks[K4] == 48
    assert walks[M2] > 48


@pytest.mark.parametrize("name", names())
def test_every_shipped_processor_simulates_and_cites(name):
    part = processor(name)
    for geometry in (part.data, part.store, part.instruction):
        for size in (K4, M2):
            mmu = Mmu(geometry, part.walk_caches)
            mmu.run(np.arange(4, dtype=np.uint64) << np.uint64(30), nested(size, size))
            assert mmu.counts.walks == 4
    cited = part.facts["source"].split(":")[0].split(";")[0]
    assert cited in catalog.bibliography()


def test_an_unknown_processor_is_told_the_near_ones():
    with pytest.raises(UnknownNameError, match="did you mean"):
        processor("skylake")


def test_a_wrong_file_tells_all_that_is_wrong(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'title = "mine"\nsource = "me"\ncolour = 1\n'
        '[data]\nl1 = [{ pages = ["4K"], entries = 64, ways = 5, checked = "read" },\n'
        '      { pages = ["8K"], entries = 64, ways = 4, checked = "seen", policy = "plru" }]\n'
        "[walk_caches]\nentries = -1\n"
    )
    with pytest.raises(ScenarioError) as caught:
        processor(file)
    said = "\n".join(caught.value.problems)
    for part in (
        "colour is no part",
        "instruction is missing",
        "data.l1[0].ways must be a divisor of its 64 entries, got 5",
        "data.l1[1].size must be one of 4K 2M 1G, got '8K'",
        "data.l1[1].checked must be one of read",
        "data.l1[1].policy has no source: replacement is missing",
        "entries must be at least 0, got -1",
        "walk_caches.source is missing",
    ):
        assert part in said


def test_a_schedule_covers_its_accesses():
    one, none = np.array([0]), np.array([-1])
    refused(
        lambda: Mmu(ONE).run([0, 0], Schedule(begins=np.array([0, 1]), contexts=one, flushes=none)),
        "ending at 2",
    )
    refused(
        lambda: Schedule(begins=np.array([0, 0]), contexts=one, flushes=none), "an empty segment"
    )
    refused(
        lambda: Schedule(begins=np.array([0, 1]), contexts=one + 1, flushes=none), "below 1, got 1"
    )


@pytest.mark.parametrize("done", [0, 1, 4, 5, 9])
@pytest.mark.parametrize("count", [0, 1, 5, 12])
def test_a_steady_schedule_flushes_before_each_multiple(done, count):
    schedule = steady(count, every=5, done=done)
    flushed = schedule.begins[:-1][schedule.flushes == 0] + done
    assert flushed.tolist() == [n for n in range(done, done + count) if n and n % 5 == 0]
    assert schedule.begins[-1] == count


def test_no_module_hides_what_the_package_is_asked_for_by_name():
    """Importing a module of a package sets its name there, over whatever had it before."""
    folder = Path(memory.__path__[0])
    assert not {file.stem for file in folder.glob("*.py")} & set(memory.__all__)
