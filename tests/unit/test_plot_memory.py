"""Tables and figures of memory virtualization: against arithmetic, and as they are drawn."""

import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib import pyplot as plt

from virtperf import plot
from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.nested_paging import NestedPaging
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.paging_counts import PagingCounts
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.processors import names, processor
from virtperf.mechanism.memory.shadow import ShadowPaging
from virtperf.plot import memory_data, paging, paging_data
from virtperf.plot.memory import bytes_in_words, named
from virtperf.plot.memory_data import Walk
from virtperf.plot.paging_data import KINDS, Play, Slice

PART = processor(memory_data.PROCESSOR)
MIB, GIB = 1 << 20, 1 << 30


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.fixture(scope="module")
def walks():
    return memory_data.walks(PART)


@pytest.fixture(scope="module")
def faults():
    return paging_data.faults(tuple(paging_data.TECHNIQUES))


# -- walks ----------------------------------------------------------------------------------------


def test_cold_walks_read_what_arithmetic_says(walks):
    """One dimension g; nested g (h + 1) + h, with g and h levels down to the leaf."""
    depth = {"4K": 4, "2M": 3, "1G": 2}
    for way, (cold, _) in walks.items():
        guest, _, host = way.partition(" on ")
        g, h = depth[guest], depth.get(host, 0)
        assert (cold.guest, cold.host) == (g, (g + 1) * h), way
    assert len(walks) == 3 + 9


def test_walk_caches_shorten_a_walk_but_not_below_its_last_reads(walks):
    for way, (cold, warm) in walks.items():
        assert 1 <= warm.guest < cold.guest, way  # leaves of the guest are in no walk cache
        assert warm.host < cold.host or not cold.host, way
    assert walks["4K on 4K"][1].reads > 2 * walks["4K"][1].reads


def test_page_sizes_are_read_as_they_are_written():
    assert memory_data.context("4K on 2M").mapping.at(0).host is PageSize.M2
    assert memory_data.context("2M").mapping.at(0).entry is PageSize.M2
    with pytest.raises(ParameterError, match="one of 4K 2M 1G"):
        memory_data.context("4K on 3M")
    assert (named("4K on 2M"), named("2M")) == ("nested, 4K on 2M", "one dimension, 2M")


# -- cycles ---------------------------------------------------------------------------------------


def test_within_the_first_level_translation_adds_nothing_and_in_the_second_its_latency():
    """512 KiB are 128 pages for 64 entries: half of the accesses go on to the second level."""
    table = memory_data.by_footprint(PART, ["4K", "4K on 4K"], [128 << 10, 512 << 10])
    for way, ((_, within), (_, beyond)) in table.items():
        assert within == 0, way
        assert beyond == pytest.approx(PART.l2_hit_cycles / 2, rel=0.02), way  # 50,000 draws


def test_two_dimensions_cost_more_than_one_and_large_pages_less_than_small():
    found = memory_data.by_footprint(PART, footprints=[16 * GIB])
    cost = {way: points[0][1] for way, points in found.items()}

    assert cost["4K"] < cost["4K on 2M"] < cost["4K on 4K"]
    assert cost["2M"] < cost["2M on 2M"] < cost["2M on 4K"] < cost["4K on 4K"]
    assert cost["2M on 2M"] < cost["4K"] / 4


def test_more_room_for_table_entries_makes_walks_cheaper():
    least, most = (
        memory_data.by_footprint(PART, ["4K"], [GIB], share=share)["4K"][0][1]
        for share in (1.0, 0.1)
    )
    assert least < most


def test_tags_save_misses_when_processes_switch_often_and_nothing_when_they_seldom_do():
    found = memory_data.by_switch_rate(PART, quanta=(200, 50_000))
    for way in memory_data.SWITCHING:
        (often, tagged), (_, seldom) = found[way, True]
        untagged, rarely = (cycles for _, cycles in found[way, False])
        assert often == 5_000
        assert untagged > 1.3 * tagged, way
        assert rarely == pytest.approx(seldom, rel=0.02), way  # 300 refills in 50,000 accesses
    lost = [found[way, False][0][1] - found[way, True][0][1] for way in memory_data.SWITCHING]
    assert lost[1] > lost[0]  # a refill is a walk in two dimensions


def test_a_short_turn_alone_is_counted_as_one_among_others():
    one = memory_data.by_switch_rate(PART, quanta=(100,), ways=["4K"])
    several = memory_data.by_switch_rate(PART, quanta=(100, 1000), ways=["4K"])
    for key, points in one.items():
        assert points[0][1] == pytest.approx(several[key][0][1], rel=0.01) and points[0][1] > 5


def test_a_number_of_processes_must_be_one():
    with pytest.raises(ParameterError, match="processes must be at least 1, got 0"):
        memory_data.by_switch_rate(PART, processes=0)


def test_what_a_tlb_reaches_is_entries_times_pages():
    assert memory_data.reaches(PART) == {
        "L1 TLB, 4K": 64 * 4096,
        "L1 TLB, 2M": 32 * 2 * MIB,
        "L2 TLB, 4K": 1536 * 4096,
        "L2 TLB, 2M": 1536 * 2 * MIB,
    }


# -- data caches of processors --------------------------------------------------------------------


def test_a_share_of_the_data_caches_is_a_share_of_their_sets():
    whole, half = PART.pte_caches(1.0), PART.pte_caches(0.5)
    assert [one.lines * 64 for one in whole.levels] == [32 << 10, MIB, 14080 << 10]
    for one, other in zip(whole.levels, half.levels, strict=True):
        assert (one.lines // 2, one.ways, one.cycles) == (other.lines, other.ways, other.cycles)
    with pytest.raises(ParameterError, match=r"share must be in \(0, 1\]"):
        PART.pte_caches(0)


def test_latencies_of_data_caches_are_those_that_were_measured():
    """The cells of the measured surface tell what loads take that hit the TLB."""
    import csv

    from virtperf import catalog
    from virtperf.validation.memory_claims import PARTS

    with catalog.path("published", "tlb_latency_cells").open(newline="") as file:
        cells = list(csv.DictReader(file))
    for cpu, name in PARTS.items():
        known = processor(name).data_caches
        if known is not None:
            measured = {float(row["data_cache_cycles"]) for row in cells if row["cpu"] == cpu}
            assert measured <= {float(one.cycles) for one in known.levels}, name


def test_a_processor_without_data_caches_prices_nothing():
    without = next(name for name in names() if processor(name).data_caches is None)
    with pytest.raises(ParameterError, match="data_caches must be told by its file"):
        memory_data.by_footprint(processor(without))


# -- faults ---------------------------------------------------------------------------------------


def test_true_faults_are_those_of_the_guest_under_every_technique(faults):
    """Each process touches 60 + 20 pages at first, then 20 new ones in each turn."""
    first, later = 60 + 20, 20
    for technique, slices in faults.items():
        expected = [first] * 3 + [later] * 9 + [first] + [later] * 11
        assert [one.faults["true fault"] for one in slices] == expected, technique


def test_a_turn_of_tlb_emulation_fills_in_each_page_that_is_used(faults):
    """60 hot pages, 10 of the last turn's new ones that are written now, and 20 new ones."""
    missing = [one.faults["hidden fault: missing"] for one in faults["TLB emulation"]]
    assert missing[:3] == [80] * 3
    assert missing[3:12] == [60 + 10 + 20] * 9


def test_shadow_tables_remember_pages_across_turns_and_nested_tables_across_processes(faults):
    shadow = [one.faults["hidden fault: missing"] for one in faults["shadow"]]
    assert shadow[3:12] == [20] * 9
    # A leaves 60 + 4 x 20 frames that the host has backed: D's first 80, then 60 of the others'
    violations = [one.faults["violation"] for one in faults["nested"]]
    assert violations[12:18] == [0, 0, 0, 0, 20, 20]


def test_a_first_write_is_a_hidden_fault_where_the_guests_page_was_only_read(faults):
    """A quarter of the hot pages in a process's first turn, and half of the last new ones."""
    shadow = [one.faults["hidden fault: first write"] for one in faults["shadow"]]
    assert shadow[:6] == [15, 15, 15, 10, 10, 10]


def test_natively_nothing_leaves_and_when_nested_true_faults_stay(faults):
    assert paging_data.leaving("native", faults["native"]) == 0
    violations = sum(one.faults["violation"] for one in faults["nested"])
    assert paging_data.leaving("nested", faults["nested"]) == violations
    shadow = faults["shadow"]
    assert paging_data.leaving("shadow", shadow) == sum(one.total for one in shadow)


def test_a_hypercall_that_loads_a_base_pointer_is_none_about_tables():
    calls = KINDS["hypercall about tables"]
    assert calls(PagingCounts(hypercalls=5, address_space_loads=2)) == 3
    assert calls(PagingCounts(address_space_loads=2)) == 0


def test_a_technique_or_a_play_that_does_not_exist_is_refused():
    with pytest.raises(ParameterError, match="techniques must be of native, TLB emulation"):
        paging_data.faults(["shadows"])
    with pytest.raises(ParameterError, match=r"Play\.turns must be at least 1"):
        Play(turns=0)
    with pytest.raises(ParameterError, match=r"Play\.grows must be at least 0"):
        Play(grows=-1)


# -- table memory ---------------------------------------------------------------------------------


def test_table_memory_is_what_the_mechanisms_build():
    pages, space, other = GIB >> 12, AddressSpace("one"), AddressSpace("two")
    nested = NestedPaging(PMap(pages))
    nested.switch_to(space)
    nested.map(space, 0, 0, pages)
    nested.sweep(space, 0, pages)
    found = paging_data.tables([GIB], sharers=(1, 2))
    assert found["nested, 4K"] == [(GIB, nested.counts.tables * 4096)]

    shadow, some = ShadowPaging(PMap(pages)), 2048  # 8 MiB: 4 leaf tables and three above
    for each in (space := AddressSpace("three"), other):
        shadow.switch_to(each)
        shadow.map(each, 0, 0, some)
        shadow.sweep(each, 0, some)
    from virtperf.mechanism.memory.table_memory import dense_tables, shadow_bytes

    assert shadow.counts.tables == 2 * dense_tables(some * 4096)
    assert found["shadow, 2 processes"] == [(GIB, shadow_bytes([dense_tables(GIB)] * 2))]


def test_bounds_are_two_percent_of_frames_and_a_pool_of_36_mib_for_4_gib():
    found = paging_data.bounds([4 * GIB])
    assert found["KVM's bound"] == [(4 * GIB, (4 * GIB >> 12) * 2 // 100 * 2 * 4096)]
    assert found["Xen's pool"] == [(4 * GIB, 36 * MIB)]


# -- figures --------------------------------------------------------------------------------------


def test_lines_over_footprint_have_units_names_and_their_last_values():
    table = {"4K": [(MIB, 1.0), (GIB, 40.0)], "4K on 4K": [(MIB, 2.0), (GIB, 123.4)]}
    ax = plot.footprint_cost(table, marks={"L2 TLB": 6 * MIB}, title="A title")

    assert legend(ax) == ["one dimension, 4K", "nested, 4K on 4K"]
    assert ax.get_ylabel() == "added by translation [cycles per access]"
    assert ax.get_ylim()[0] == 0
    assert {"40.0", "123", "L2 TLB "} <= {text.get_text() for text in ax.texts}
    assert ax.get_title(loc="left") == "A title"


def test_bars_of_walks_are_as_long_as_their_reads():
    ax = plot.walk_references({"4K on 4K": (Walk(guest=4, host=20), Walk(guest=1.5, host=2))})

    assert [bar.get_width() for bar in ax.patches] == [4, 20, 1.5, 2]
    assert {"24", "3.5"} <= {text.get_text() for text in ax.texts}
    assert len(legend(ax)) == 4


def test_switch_rates_are_drawn_with_and_without_tags():
    ax = plot.switch_cost({("4K", True): [(10, 1.0)], ("4K", False): [(10, 2.0)]})
    assert legend(ax) == ["one dimension, 4K, tags", "one dimension, 4K, no tags: a switch flushes"]
    assert ax.get_ylim()[0] == 0


def test_each_kind_of_fault_has_a_colour_and_a_panel_its_count(faults):
    assert tuple(paging.COLOURS) == tuple(KINDS)
    ax = plot.faults_over_time({name: faults[name] for name in paging_data.DRAWN}, title="A title")

    figure = ax.get_figure()
    titles = [one.get_title(loc="left") for one in figure.axes]
    assert [one.partition(":")[0] for one in titles] == list(paging_data.DRAWN)
    nested = paging_data.leaving("nested", faults["nested"])
    assert titles[-1] == f"nested: {nested:,} leave the guest"
    assert len({one.get_ylim() for one in figure.axes}) == 1
    heights = sum(bar.get_height() for bar in figure.axes[0].patches)
    assert heights == sum(one.total for one in faults["TLB emulation"])


def test_one_technique_alone_can_be_drawn():
    only = [Slice(process="A", faults={"violation": 3})]
    ax = plot.faults_over_time({"nested": only})
    assert max(bar.get_height() for bar in ax.patches) == 3


def test_lines_of_table_memory_are_named_at_their_ends():
    table, bounds = paging_data.tables([GIB, 4 * GIB]), paging_data.bounds([GIB, 4 * GIB])
    ax = plot.table_memory(table, bounds)
    assert {text.get_text() for text in ax.texts} == {*table, *bounds}
    assert ax.get_xscale() == ax.get_yscale() == "log"


@pytest.mark.parametrize(
    "draw", [plot.footprint_cost, plot.walk_references, plot.switch_cost, plot.table_memory]
)
def test_an_empty_table_is_refused(draw):
    with pytest.raises(ParameterError, match="with at least one line"):
        draw({})
    with pytest.raises(ParameterError, match="with at least one line"):
        plot.faults_over_time({"shadow": []})


@pytest.mark.parametrize(
    ("size", "says"),
    [(12, "12 B"), (1 << 10, "1 KiB"), (36 * MIB, "36 MiB"), (3 * GIB // 2, "1.5 GiB")],
)
def test_sizes_are_written_in_binary_units(size, says):
    assert bytes_in_words(size) == says
