import matplotlib

matplotlib.use("Agg")

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

from virtperf import catalog, plot
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.params import ParameterSet
from virtperf.plot import cpu_data, cpu_map, translator_data
from virtperf.plot.cpu_data import SHADOWED
from virtperf.result.words import digits, scale
from virtperf.technique import matrix
from virtperf.technique.cpu.price import Price, price

TOY, P4, X86 = (catalog.platform(name) for name in ("toy", "p4-vmware-2006", "x86-kvm-2020"))
LOOP, SERVER = catalog.workload("syscall-loop"), catalog.workload("web-server")


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def words(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def with_numbers(numbers, **values):
    new = {k: replace(numbers[k], value=v, low=None, high=None) for k, v in values.items()}
    return numbers.replace(**new)


def without(numbers, *keys):
    return ParameterSet(numbers.name, {k: q for k, q in numbers.items() if k not in keys})


def counted(seconds=1.0, **counts):
    """Return a price of so many seconds; a count is named ``kind__reason``."""
    named = {key.replace("__", "."): number for key, number in counts.items()}
    return Price(accounts={"vcpu: guest user": seconds * 1e9}, counts=named)


def test_slowdown_is_a_ratio_of_two_times_that_can_be_added_up_by_hand():
    """A thousand calls of 1 us and 48 us of code natively; in a trap technique 8 us more each.

    Handed on for 2 us, two loads of CR3 of 1 us (its guest has 64 bits), and IRET for 4 us.
    """
    found = cpu_data.slowdowns(TOY, LOOP, ["hardware", "trap-emulate"])

    assert price(TOY, LOOP, "direct").ns == pytest.approx(1_048_000)
    assert found["hardware"].value == 1
    assert found["trap-emulate"].value == pytest.approx((1_048 + 1_000 * (2 + 2 + 4)) / 1_048)


def test_a_band_holds_its_value_and_is_where_both_sets_stand_at_an_end():
    one = cpu_data.slowdowns(X86, SERVER, ["binary-translation"])["binary-translation"]

    assert one.low <= one.value <= one.high
    assert one.low < one.high


@pytest.mark.parametrize("platform", [TOY, P4, X86], ids=lambda one: one.name)
@pytest.mark.parametrize("workload", catalog.names("workloads"))
def test_every_account_has_a_cause_and_no_time_is_lost(platform, workload):
    prices, _ = cpu_data.priced(platform, catalog.workload(workload))
    for one in prices.values():
        assert sum(cpu_data.by_cause(one).values()) == pytest.approx(one.ns)
    assert len(cpu_data.CAUSES) <= 8


def test_an_account_without_a_cause_is_refused():
    with pytest.raises(ParameterError, match="of a known cause"):
        cpu_data.by_cause(Price(accounts={"vcpu: magic": 1.0}, counts={}))


def test_reasons_come_most_first_per_second_of_the_guest_under_the_technique():
    rates = cpu_data.by_reason(counted(2.0, exits__io=10, callouts__cpu_id=40))

    assert [(rate.label, rate.per_s) for rate in rates] == [("cpu-id (callout)", 20), ("io", 5)]


def test_an_exit_is_what_leaves_to_the_hypervisor():
    """A callout stays in the monitor's address space, an update in a batch is no call."""
    leaves = counted(exits__io=1, hypercalls__mmu=2, bounced__call=4, reflected__fault=8)
    stays = counted(callouts__io=1, helpers__io=1, batched__mmu=1, violations__popf=1)

    assert cpu_data.exits_per_s(leaves) == 15
    assert cpu_data.exits_per_s(stays) == 0


@pytest.mark.parametrize("workload", catalog.names("workloads"))
def test_every_kind_of_count_is_known(workload):
    prices, _ = cpu_data.priced(TOY, catalog.workload(workload))
    kinds = {rate.kind for one in prices.values() for rate in cpu_data.by_reason(one)}
    assert kinds <= set(cpu_data.KINDS)


def test_what_a_platform_has_no_numbers_for_is_left_out_with_the_reason():
    prices, lacks = cpu_data.priced(without(TOY, "nested_exits", "trap"), SERVER)

    assert set(lacks) == {"nested-hardware", "trap-emulate"}
    assert "nested_exits" in lacks["nested-hardware"]
    assert [*prices] == [name for name in cpu_data.ways(TOY) if name not in lacks]
    with pytest.raises(UnknownNameError, match="did you mean hardware"):
        cpu_data.priced(TOY, LOOP, ["hardwere"])


def test_a_machine_before_nested_paging_is_not_given_it():
    old, new = (with_numbers(TOY, nested_paging=value) for value in (0, 1))

    assert set(cpu_data.ways(new)) == {*matrix.cpu_techniques(), SHADOWED}
    assert set(cpu_data.ways(new)) - set(cpu_data.ways(old)) == {"hardware", "nested-hardware"}


def test_each_technique_has_a_colour_and_a_marker_of_its_own_in_the_order_of_rows():
    styles = plot.cpu.STYLES

    assert tuple(styles) == cpu_data.ways(TOY)
    for alike in zip(*styles.values(), strict=True):
        assert len(set(alike)) == len(styles)


def test_every_technique_of_a_slowdown_is_in_the_legend_and_every_workload_on_the_axis():
    ax = plot.slowdown(X86, [LOOP, SERVER])

    assert legend(ax) == [name for name in cpu_data.ways(X86) if name != "direct"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["syscall-loop", "web-server"]
    assert ax.get_xlabel() == "slowdown: time of a unit of work, bare machine = 1"
    assert ax.get_xscale() == "log"
    names = legend(ax)
    every = [
        one for work in (LOOP, SERVER) for one in cpu_data.slowdowns(X86, work, names).values()
    ]
    drawn = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert drawn == [one.value for one in every]
    assert [float(says) for says in words(ax)] == pytest.approx(drawn, rel=0.005)


def test_a_bar_is_as_long_as_its_slowdown_unless_it_is_cut_and_says_so():
    guest = {"vcpu: guest user": 60.0, "vcpu: guest kernel": 40.0}
    prices = {
        "direct": Price(accounts=guest, counts={}),
        "hardware": Price(accounts=guest | {"vcpu: exit io": 150.0}, counts={}),
        "trap-emulate": Price(accounts=guest | {"vcpu: trap io": 2_300.0}, counts={}),
    }
    ax = plot.time_by_cause(prices, cut=8.0)

    ends = {}
    for patch in ax.patches:
        row = round(patch.get_y() + patch.get_height() / 2)
        ends[row] = max(ends.get(row, 0.0), patch.get_x() + patch.get_width())
    assert list(ends.values()) == pytest.approx([1.0, 2.5, 8.0])
    assert {"1.00", "2.50", "24.0"} <= set(words(ax))
    assert {text.get_text() for text in ax.texts if text.get_fontweight() == "bold"} == {"24.0"}
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list(prices)
    assert ax.get_xlabel() == "time of a unit of work, bare machine = 1"


def test_causes_need_the_bare_machine_to_be_measured_by():
    with pytest.raises(ParameterError, match="with a price of direct"):
        plot.time_by_cause({"hardware": price(X86, LOOP, "hardware")})


def test_exits_are_drawn_for_each_technique_or_said_to_be_none():
    prices = {
        "direct": counted(),
        "paravirtual": counted(hypercalls__mmu=40, bounced__call=30, reflected__fault=20),
        "hardware": counted(),
    }
    ax = plot.exits_by_reason(prices)

    assert ax.get_xlabel() == "stops per second of the guest's run [1/s]"
    assert ax.get_xscale() == "log"
    assert words(ax) == ["40.0", "30.0", "20.0", "paravirtual", "hardware"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        "mmu (hypercall)",
        "call (bounced)",
        "fault (reflected)",
        "none",
    ]


def test_of_many_reasons_the_last_bar_is_the_sum_of_stops_and_of_nothing_else():
    one = counted(
        exits__a=90, exits__b=80, violations__popf=5, exits__c=4, exits__d=3, batched__e=2
    )
    ax = plot.exits_by_reason({"trap-emulate": one}, most=3)

    bars = [
        (tick.get_text(), bar.get_width())
        for tick, bar in zip(ax.get_yticklabels(), ax.patches, strict=True)
    ]
    assert bars == [
        ("a", 90),
        ("b", 80),
        ("popf (VIOLATION)", 5),
        ("e (in a batch)", 2),
        ("2 others", 7),
    ]
    assert "hatched: must stop, and does not" in ax.get_xlabel()
    assert "pale: in a batch, no stop" in ax.get_xlabel()
    assert len({bar.get_facecolor() for bar in ax.patches}) == 2  # what is in a batch is pale


def test_a_single_other_reason_is_named():
    ax = plot.exits_by_reason(
        {"hardware": counted(exits__a=3, exits__b=2, violations__c=1)}, most=2
    )
    assert "b" in [tick.get_text() for tick in ax.get_yticklabels()]


def test_binary_translation_wins_with_many_page_table_writes_and_vt_x_with_many_calls():
    """Adams and Agesen's crossover: a write takes two exits, a call one trip into the monitor."""
    found = cpu_map.winner_table(P4, LOOP, "pte_write")

    assert found.per_event == 2
    assert found.winner(exits=10_000, share=0.02) == "binary-translation"
    assert found.winner(exits=10, share=0.5) == SHADOWED


def test_calls_per_event_are_those_at_which_two_prices_are_the_same():
    two = ("binary-translation", SHADOWED)
    found = cpu_map.winner_table(P4, LOOP, "pte_write")

    writes = found.calls / found.calls_per_event(*two)  # per ms of kernel code
    work = cpu_map.synthetic(P4, LOOP, "pte_write", writes, 1.0)
    one, other = (price(P4, work, *cpu_data.way(name)).ns for name in two)
    assert one == pytest.approx(other, rel=1e-9)


def test_longer_system_calls_have_more_look_ups_and_move_the_crossover():
    short, long = (cpu_map.winner_table(P4, work, "pte_write") for work in (LOOP, SERVER))

    assert long.calls < short.calls
    weights = [one.calls_per_event("binary-translation", SHADOWED) for one in (long, short)]
    assert 0 < weights[0] < weights[1]


@pytest.mark.parametrize(("operation", "exits"), [("pte_write", False), ("port_read", True)])
def test_nested_paging_ends_the_argument_about_page_tables_but_not_about_ports(operation, exits):
    found = cpu_map.winner_table(X86, SERVER, operation)
    none, many = (
        price(X86, cpu_map.synthetic(X86, SERVER, operation, events, 0.0), "direct").ns
        for events in (0, 100)
    )

    extra = found.planes["hardware"].per_event - (many - none) / 100
    assert (extra > 1.0) if exits else extra == pytest.approx(0.0, abs=1e-6)


def test_a_winner_is_the_one_of_least_price():
    found = cpu_map.winner_table(X86, SERVER, "port_read")
    for exits, share in ((1.0, 0.5), (300.0, 0.9), (5_000.0, 0.1)):
        work = cpu_map.synthetic(X86, SERVER, "port_read", exits / found.per_event, share)
        prices = {name: price(X86, work, *cpu_data.way(name)).ns for name in found.planes}
        assert prices[found.winner(exits, share)] == pytest.approx(min(prices.values()), rel=1e-9)
        assert max(prices.values()) > 1.001 * min(prices.values())


@pytest.mark.parametrize("name", cpu_map.CONTENDERS)
@pytest.mark.parametrize("operation", ["pte_write", "port_read", "msr_write"])
def test_a_plane_is_the_price_of_the_synthetic_workload(name, operation):
    found = cpu_map.winner_table(X86, SERVER, operation, exits=[300.0], shares=[0.3])
    events = 300.0 / found.per_event
    work = cpu_map.synthetic(X86, SERVER, operation, events, 0.3)

    direct = price(X86, work, *cpu_data.way(name)).ns
    assert found.times[name][0, 0] == pytest.approx(direct, rel=1e-9)
    assert found.planes[name].ns(events, 0.3) == pytest.approx(direct, rel=1e-9)


def test_a_synthetic_workload_is_a_millisecond_of_code_with_the_calls_of_its_base():
    work = cpu_map.synthetic(TOY, LOOP, "pte_write", 7.0, 0.5)

    code = work["instructions"].value * work["cycles_per_instruction"].value  # ns: 1 GHz
    assert code == pytest.approx(1e6)
    per_call = work["instructions"].value * 0.5 / work["syscalls"].value
    assert per_call == pytest.approx(60_000 * 0.66 / 1_000)
    assert work["pte_writes"].value == 7


def test_at_a_crossover_two_techniques_take_the_same_time():
    found = cpu_map.winner_table(P4, SERVER)
    exits = found.crossover("binary-translation", SHADOWED, 0.5)
    a, b = (found.planes[name] for name in ("binary-translation", SHADOWED))
    events = exits / found.per_event
    assert a.ns(events, 0.5) == pytest.approx(b.ns(events, 0.5), rel=1e-12)
    assert found.crossover("binary-translation", "binary-translation", 0.5) is None


def test_the_footprint_of_a_warm_code_cache_moves_no_line():
    small, large = (cpu_map.winner_table(P4, SERVER, footprint=size) for size in (1e3, 1e6))
    assert (small.winners == large.winners).all()


def test_an_operation_without_exits_or_a_base_without_calls_makes_no_map():
    with pytest.raises(ParameterError, match="one that exits"):
        cpu_map.winner_table(X86, SERVER, "syscall")
    with pytest.raises(UnknownNameError, match="did you mean pte_write"):
        cpu_map.winner_table(X86, SERVER, "pte_writes")
    with pytest.raises(ParameterError, match="a workload with system calls"):
        cpu_map.winner_table(X86, catalog.workload("compute-bound"))


@pytest.mark.parametrize("platform", [P4, X86], ids=lambda one: one.name)
def test_each_region_of_a_winner_map_is_named_and_axes_have_units(platform):
    """Where one wins everywhere, the first panel is of the others, and says so."""
    found = cpu_map.winner_table(platform, SERVER, "pte_write")
    if len(np.unique(found.winners)) == 1:
        best = list(found.times)[found.winners[0, 0]]
        rest = [name for name in found.times if name != best]
        found = cpu_map.winner_table(platform, SERVER, "pte_write", techniques=rest)
    ax = plot.winner_map(platform)

    names, areas = list(found.times), np.bincount(found.winners.ravel(), minlength=5)
    large = {names[index] for index in range(len(names)) if areas[index] > 0.05 * areas.sum()}
    labels = {name: plot.winner.LABELS.get(name, name) for name in names}
    assert {labels[name] for name in large} <= set(words(ax)) <= set(labels.values())
    assert len(large) > 1
    assert ("it wins everywhere" in ax.get_title(loc="left")) == (
        set(found.times) != set(cpu_map.contenders(platform))
    )
    assert "[1/ms]" in ax.get_xlabel()
    assert ax.get_ylabel() == "share of kernel work in the guest's code"
    assert len(ax.get_figure().axes) == 2


def test_a_dynamic_translator_pays_for_what_is_met_and_a_static_one_for_the_image():
    """Toy: 1 us an instruction; syscall-loop runs 400 of 2,000,000."""
    dynamic, static, interpreter = (
        translator_data.warm_up_of(TOY, LOOP, name) for name in ("dbt", "static", "interpreter")
    )
    assert (dynamic.start, static.start, interpreter.start) == (400e3, 2e9, 0)
    assert dynamic.met == pytest.approx(400 / 60_000)
    half = dynamic.met / 2
    assert dynamic.slowdown(half) == pytest.approx((200e3 / half + dynamic.unit) / dynamic.bare)
    assert dynamic.slowdown(10) == pytest.approx((40e3 + dynamic.unit) / dynamic.bare)


def test_with_all_executed_and_all_foreseen_static_and_dynamic_meet():
    """An eighth of the blocks end indirectly: the translator's loop takes whole numbers."""
    platform = with_numbers(X86, unforeseen_targets=0.0)
    work = with_numbers(SERVER, indirect_share=0.125)
    dynamic = translator_data.warm_up_of(platform, work, "dbt", executed=1.0)
    static = translator_data.warm_up_of(platform, work, "static")

    assert dynamic.start == pytest.approx(static.start)
    assert dynamic.slowdown(1e12) == pytest.approx(static.slowdown(1e12), rel=1e-6)


def test_what_pays_more_at_the_start_is_level_after_its_break_even():
    dynamic, interpreter = (
        translator_data.warm_up_of(X86, SERVER, name) for name in ("dbt", "interpreter")
    )
    units = translator_data.break_even(dynamic, interpreter)

    start, later = price(X86, SERVER, "dbt").start, price(X86, SERVER, "interpreter").ns
    assert units == pytest.approx(start / (later - price(X86, SERVER, "dbt").ns))
    assert dynamic.slowdown(1.01 * units) < interpreter.slowdown(1.01 * units)
    assert dynamic.slowdown(units) == pytest.approx(interpreter.slowdown(units))
    assert translator_data.break_even(interpreter, dynamic) is None


def test_static_overtakes_a_dynamic_translator_that_thrashes():
    database = catalog.workload("database")
    dynamic, static = (translator_data.warm_up_of(TOY, database, n) for n in ("dbt", "static"))
    units = translator_data.break_even(static, dynamic)

    assert static.slowdown(units) == pytest.approx(dynamic.slowdown(units))
    assert static.slowdown(2 * units) < dynamic.slowdown(2 * units)


def test_a_break_even_within_new_code_is_where_the_lines_cross():
    late = translator_data.WarmUp(technique="dbt", bare=1, unit=10, start=100, met=10)
    early = translator_data.WarmUp(technique="static", bare=1, unit=9, start=22)

    units = translator_data.break_even(early, late)
    assert units == 2
    assert early.slowdown(units) == late.slowdown(units)


def test_a_loop_a_block_larger_than_the_cache_is_translated_anew_at_each_visit():
    assert translator_data.retranslations(40, 40) == 0
    assert translator_data.retranslations(41, 40) == 1
    assert translator_data.retranslations(41, 40, visits=4) == 0.25
    assert translator_data.retranslations(1, 1) == 0
    with pytest.raises(ParameterError, match=r"retranslations\.room must be at least 1"):
        translator_data.retranslations(1, 0)


def test_warm_up_has_a_line_per_emulator_and_share_with_units_and_crossings():
    ax = plot.warm_up(X86, SERVER)

    assert legend(ax)[:2] == ["interpreter", "static"]
    assert [name.split(",")[0] for name in legend(ax)[2:]] == ["dbt"] * 3
    assert ax.get_xlabel() == "length of the run on the bare machine"
    dynamic, static, interpreter = (
        translator_data.warm_up_of(X86, SERVER, name) for name in ("dbt", "static", "interpreter")
    )
    for name, one in (("dynamic", dynamic), ("static", static)):
        length = translator_data.break_even(one, interpreter) * one.bare
        unit, factor = scale(length)
        says = f"{name} beats the interpreter\nfrom {digits(length / factor, 2)} {unit} on"
        assert says in words(ax)
    title = ax.get_title(loc="left")
    assert title.startswith("web-server on x86-kvm-2020")
    never = translator_data.break_even(static, dynamic) is None
    assert ("never overtakes" in title or "meet" in title) == never


def test_a_length_of_run_is_written_in_the_unit_it_is_read_in():
    ax = plot.warm_up(X86, SERVER)
    ticks = dict(zip(ax.get_xticks(), ax.get_xticklabels(), strict=True))
    assert [ticks[at].get_text() for at in (1e-4, 1e-3, 1.0)] == ["100 us", "1 ms", "1 s"]


def test_thrash_draws_what_was_counted():
    table = {1: [(0.5, 0.0), (1.5, 1.0)], 3: [(0.5, 0.0), (1.5, 1 / 3)]}
    ax = plot.thrash(table)

    assert list(ax.lines[1].get_ydata()) == [0.0, 1 / 3]
    assert words(ax) == ["each block once a pass", "each block 3 times a pass"]
    with pytest.raises(ParameterError, match="at least one line"):
        plot.thrash({})


def test_an_emulator_and_a_share_are_checked():
    with pytest.raises(ParameterError, match="one of interpreter, dbt, static"):
        translator_data.warm_up_of(X86, SERVER, "hardware")
    with pytest.raises(ParameterError, match="executed must be in"):
        translator_data.warm_up_of(X86, SERVER, "dbt", executed=0.0)
    with pytest.raises(ParameterError, match="at least one"):
        plot.slowdown(X86, [])


def test_drawing_into_given_axes_makes_no_figure_of_its_own():
    prices, _ = cpu_data.priced(X86, LOOP)
    for draw in (plot.time_by_cause, plot.exits_by_reason):
        _, ax = plt.subplots()
        assert draw(prices, ax=ax) is ax
    _, ax = plt.subplots()
    assert plot.warm_up(X86, LOOP, ax=ax) is ax
    assert len(plt.get_fignums()) == 3


def test_a_share_near_the_workloads_own_is_not_drawn_beside_it():
    own = 0.15
    work = with_numbers(SERVER, footprint=own * SERVER["image"].value)
    ax = plot.warm_up(X86, work)  # 0.1 is near

    assert [name.split()[1] for name in legend(ax)[2:]] == ["15%", "100%"]
